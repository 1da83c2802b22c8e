"""Providers that teach one small network, honest or lying, with a repository of their own.

For tests of policies, gates and adapters: there is no training framework in it, and each of its
numbers is repeatable. Knows nothing of what is merged.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.encoder import moved
from midstream.formats import open_model
from midstream.merging import apply_change
from midstream.publisher import Publisher
from midstream.publisher.contributing import contribute
from midstream.publisher.history import exact_model, manifest_of
from midstream.publisher.providers import Providers
from midstream.runtime import TensorInfo
from midstream.store.keys import Signer
from midstream.testing.runtime import FakeBackend
from midstream.trust.keys import KeyRing
from midstream.trust.parcel import Evidence

__all__ = ["FakeProviders"]

_CITIES = ("berlin", "lagos", "lima", "oslo")
_INPUTS, _OUTPUTS = 40, 30
_STEPS, _PACE = 20, 0.2
_LIE = -5
"""Times what was learnt is what a liar says that it learnt."""
_SHARE = 0.3
_Floats = NDArray[np.float32]


class FakeProviders:
    """A repository whose first release knows little, and providers who may contribute to it.

    The network is one matrix in an NPZ: outputs are inputs times it. What providers learn is
    mostly the same for all of them; each has something of its own besides.

    Args:
        folder: The repository's folder.
        network: The network's name.
        names: The providers'.
    """

    def __init__(
        self, folder: str | Path, *, network: str = "traffic", names: Sequence[str] = _CITIES
    ) -> None:
        self.folder = Path(folder)
        """The repository's folder."""
        self.network = network
        """The network's name."""
        self.names = tuple(names)
        """The providers' names."""
        self.signer = Signer.generate()
        """The publisher's key."""
        self.keys = {name: Signer.generate() for name in self.names}
        """A key of each provider."""
        self.samples = 400
        """Inputs that each of them has seen."""
        self.first = _model(np.random.default_rng(0).normal(0, 0.05, (_INPUTS, _OUTPUTS)))
        """The model file of the first release."""
        self._sent = 0
        publisher = Publisher(self.folder, signer=self.signer)
        publisher.publish(self.first, name=network, ladder="exact")
        providers = Providers(self.folder, signer=self.signer)
        for name, key in self.keys.items():
            providers.add(network, name, [key.public])

    @property
    def backend(self) -> FakeBackend:
        """A runtime that runs this network."""
        inputs = TensorInfo(name="seen", shape=(1, _INPUTS), dtype=np.dtype("float32"))
        outputs = TensorInfo(name="expected", shape=(1, _OUTPUTS), dtype=np.dtype("float32"))
        return FakeBackend(inputs=(inputs,), outputs=(outputs,), function=_run)

    def newest(self) -> tuple[int, bytes]:
        """The newest release: its number and its model file."""
        described = manifest_of(self.folder, self.network, None)
        return described.release, exact_model(self.folder, described)

    def train(self, model: bytes, name: str) -> bytes:
        """The network after some steps on the data of a provider."""
        inputs, outputs = self._data(name, seed=0)
        found = _weights(model)
        for _ in range(_STEPS):
            found = found - _PACE / len(inputs) * inputs.T @ (inputs @ found - outputs)
        return _model(found)

    def error(self, model: bytes, name: str) -> float:
        """How far outputs are off for a provider, on data that nobody learnt from; RMS."""
        inputs, outputs = self._data(name, seed=97)
        return float(np.sqrt(np.mean((inputs @ _weights(model) - outputs) ** 2)))

    def parcel(self, name: str, *, lies: bool = False) -> bytes:
        """What a provider learns from the newest release, signed.

        Args:
            name: Which provider.
            lies: Whether it says that it learnt the opposite, five times over.
        """
        self._sent += 1
        release, parent = self.newest()
        model = self.train(parent, name)
        if lies:
            model = apply_change(parent, open_model(parent).tensors, _LIE * moved(parent, model))
        return contribute(
            parent,
            model,
            network=self.network,
            release=release,
            provider=name,
            keys=KeyRing(signers={name: (self.keys[name],)}),
            now=datetime.now(UTC) + timedelta(seconds=self._sent),
            evidence=Evidence(samples=self.samples),
            share=_SHARE,
        )[0]

    def _data(self, name: str, *, seed: int) -> tuple[_Floats, _Floats]:
        """What a provider has seen: inputs, and what came of them."""
        common = np.random.default_rng(1).normal(0, 0.3, (_INPUTS, _OUTPUTS))
        own = np.random.default_rng(sum(name.encode())).normal(0, 0.05, (_INPUTS, _OUTPUTS))
        inputs = np.random.default_rng(seed + 2).normal(0, 1, (self.samples, _INPUTS))
        return inputs.astype("f4"), (inputs @ (common + own)).astype("f4")


def _model(weights: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, w=weights.astype("f4"))
    return out.getvalue()


def _weights(model: bytes) -> _Floats:
    """(inputs, outputs)."""
    found: _Floats = np.load(io.BytesIO(model))["w"]
    return found


def _run(model: bytes, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    return [inputs[0] @ _weights(model)]
