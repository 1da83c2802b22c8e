"""A network in a repository, with providers that make it better, for the tests of providers."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import midstream
from midstream.bitstream import read_unit, write_unit
from midstream.encoder import encode, encode_contribution
from midstream.merging import MergePolicy, Rule
from midstream.publisher import history
from midstream.publisher.adapters import Adapters
from midstream.publisher.contributing import contribute
from midstream.publisher.providers import Providers
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.parcel import Evidence, Parcel, seal_parcel
from midstream.types import UnitKind
from midstream.wire import Reader
from tensorfiles import normal, safetensors
from trusting import ring, signer

NAMES = ("east", "north", "south", "west")
POLICY = MergePolicy(rule=Rule.MEAN)
TRUTH = normal(40, 30, seed=99, scale=0.02)


def model(move: float = 0.0, *, seed: int = 0) -> bytes:
    """A network, moved towards a better one with some noise of its own."""
    noise = normal(40, 30, seed=seed, scale=0.002) if move else 0
    return safetensors({"a": (normal(40, 30) + move * TRUTH + noise).astype("<f4")})


@dataclass
class Clock:
    """Time that a test moves."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Place:
    """A repository with four providers."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    keys: KeyRing = field(default_factory=ring)

    def __post_init__(self) -> None:
        keys = self.keys
        publisher = midstream.Publisher(self.folder, signer=keys, clock=self.clock)
        publisher.publish(model(), name="net", ladder="exact")
        self.providers = Providers(self.folder, signer=keys, clock=self.clock)
        self.adapters = Adapters(self.folder, signer=keys, clock=self.clock)
        for place, name in enumerate(NAMES):
            self.providers.add("net", name, [signer(50 + place).public])

    def parcel(self, provider: str, move: float = 1.0, **changes: Any) -> bytes:
        place = NAMES.index(provider)
        key: Signer = changes.pop("key", signer(50 + place))
        values: dict[str, Any] = {
            "network": "net",
            "release": 1,
            "provider": provider,
            "keys": KeyRing(signers={provider: (key,)}),
            "now": self.clock(),
            "evidence": Evidence(samples=100, metrics={"accuracy": 0.9}),
            "share": 0.2,
        }
        parent = changes.pop("parent", model())
        return contribute(parent, model(move, seed=place + 1), **(values | changes))[0]

    def parcels(self) -> list[bytes]:
        return [self.parcel(name) for name in NAMES]

    def merge(self, parcels: list[bytes], policy: MergePolicy = POLICY, **options: Any) -> Any:
        return self.providers.merge("net", parcels, policy=policy, ladder="exact", **options)

    def refusals(self) -> list[tuple[str, str]]:
        return [
            (one.provider or one.what, one.error) for one in history.refusals(self.folder, "net")
        ]


def distance(data: bytes) -> float:
    """How far a network is from the better one."""
    made = np.frombuffer(data[-4 * 1200 :], "<f4").reshape(40, 30)
    return float(np.linalg.norm(made - normal(40, 30) - TRUTH))


def grafted(unit: bytes, parent: bytes) -> bytes:
    """A contribution to some model, made to say that it is to another one."""
    read = read_unit(unit)
    head = hashlib.sha256(parent).digest() + bytes(read.head)[32:]
    return write_unit(UnitKind.CONTRIBUTION, 0, head, read.records)


def not_finite(parent: bytes) -> bytes:
    """A contribution whose changes are all infinite; nobody's encoder makes one."""
    base = encode(safetensors({"a": np.full((40, 30), np.inf, "<f4")}), ladder="exact").units[0]
    read = read_unit(base.data)
    reader = Reader(read.head)
    reader.blob(limit=len(read.head))
    parameters = bytes(reader.take(reader.remaining))
    head = hashlib.sha256(parent).digest() + parameters
    return write_unit(UnitKind.CONTRIBUTION, 0, head, read.records)


def of_other_shape(parent: bytes) -> bytes:
    """A contribution to a network of other shapes, made to say that it is to this one."""
    other = safetensors({"a": normal(20, 15).astype("<f4")})
    change = normal(20, 15, seed=5, scale=0.1).astype("<f4").ravel()
    return grafted(encode_contribution(other, change, share=0.5), parent)


def sealed(provider: str, unit: bytes, *, release: int = 1, version: int = 1 << 40) -> bytes:
    """A parcel of a provider that signs anything."""
    made = Parcel(
        provider=provider, version=version, release=release, unit=unit, evidence=Evidence()
    )
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return seal_parcel(made, "net", [signer(50 + NAMES.index(provider))], expires)
