"""A network that predicts traffic, and cities that teach it, for the examples beside it.

What streets have in common everybody learns; each city has something of its own besides.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream import KeyRing, Publisher, Signer
from midstream.encoder import moved
from midstream.formats import open_model
from midstream.merging import apply_change
from midstream.publisher.contributing import contribute
from midstream.publisher.history import exact_model, manifest_of
from midstream.publisher.providers import Providers
from midstream.runtime import TensorInfo
from midstream.testing import FakeBackend
from midstream.trust.parcel import Evidence

NAME = "traffic"
CITIES = ("berlin", "lagos", "lima", "oslo")
INPUTS, OUTPUTS, SAMPLES = 40, 30, 400
Array = NDArray[np.float32]


def new_network() -> bytes:
    """A network that knows little: one matrix, in an NPZ."""
    out = io.BytesIO()
    np.savez(out, w=np.random.default_rng(0).normal(0, 0.05, (INPUTS, OUTPUTS)).astype("f4"))
    return out.getvalue()


def weights(model: bytes) -> Array:
    """(INPUTS, OUTPUTS)."""
    found: Array = np.load(io.BytesIO(model))["w"]
    return found


def data(city: str, seed: int = 0) -> tuple[Array, Array]:
    """What a city has seen: inputs, and what came of them."""
    common = np.random.default_rng(1).normal(0, 0.3, (INPUTS, OUTPUTS))
    own = np.random.default_rng(sum(city.encode())).normal(0, 0.05, (INPUTS, OUTPUTS))
    inputs = np.random.default_rng(seed + 2).normal(0, 1, (SAMPLES, INPUTS))
    return inputs.astype("f4"), (inputs @ (common + own)).astype("f4")


def error(model: bytes, city: str) -> float:
    """How far predictions for a city are off, on data that nobody learnt from."""
    inputs, outputs = data(city, seed=99)
    return float(np.sqrt(np.mean((inputs @ weights(model) - outputs) ** 2)))


def train(model: bytes, city: str) -> bytes:
    """The network after some steps on the data of a city."""
    inputs, outputs = data(city)
    w = weights(model)
    for _ in range(20):
        w = w - 0.2 / SAMPLES * inputs.T @ (inputs @ w - outputs)
    out = io.BytesIO()
    np.savez(out, w=w.astype("f4"))
    return out.getvalue()


def run(model: bytes, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """What a runtime does with it; one for TFLite does it for TFLite networks."""
    return [inputs[0] @ weights(model)]


_FLOAT = np.dtype("float32")
BACKEND = FakeBackend(
    inputs=(TensorInfo(name="seen", shape=(1, INPUTS), dtype=_FLOAT),),
    outputs=(TensorInfo(name="expected", shape=(1, OUTPUTS), dtype=_FLOAT),),
    function=run,
)


@dataclass
class Town:
    """A repository with the network's first release, and the right of each city to contribute."""

    repo: Path
    keys: dict[str, Signer] = field(default_factory=lambda: {c: Signer.generate() for c in CITIES})
    signer: Signer = field(default_factory=Signer.generate)
    sent: int = 0

    def __post_init__(self) -> None:
        publisher = Publisher(self.repo, signer=self.signer)
        publisher.publish(new_network(), name=NAME, ladder="exact")
        self.providers = Providers(self.repo, signer=self.signer)
        for city, key in self.keys.items():
            self.providers.add(NAME, city, [key.public])

    def newest(self) -> tuple[int, bytes]:
        """The newest release: its number and its model file."""
        described = manifest_of(self.repo, NAME, None)
        return described.release, exact_model(self.repo, described)

    def parcel(self, city: str, *, lies: bool = False) -> bytes:
        """What a city learns from the newest release; a liar says that it learnt the opposite."""
        self.sent += 1
        release, parent = self.newest()
        model = train(parent, city)
        if lies:
            model = apply_change(parent, open_model(parent).tensors, -5 * moved(parent, model))
        return contribute(
            parent,
            model,
            network=NAME,
            release=release,
            provider=city,
            keys=KeyRing(signers={city: (self.keys[city],)}),
            now=datetime.now(UTC) + timedelta(seconds=self.sent),
            evidence=Evidence(samples=SAMPLES),
            share=0.3,
        )[0]
