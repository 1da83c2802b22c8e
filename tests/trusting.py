"""A repository in memory, its keys and a client, for the tests of trust."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.formats import encode_canonical
from tuf.api.metadata import TargetFile

from midstream.errors import ErrorCode, MidstreamError, TransportError
from midstream.transport.updater import TrustedClient
from midstream.trust import bundle, layout
from midstream.trust.keys import ROLES, KeyRing, Signer
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.repository import Repository
from midstream.types import Fidelity, UnitKind

NOW = datetime.now(UTC).replace(microsecond=0)
"""The library reads the clock, so the tests' time is the real one."""
DAY = timedelta(days=1)


def signer(number: int) -> Signer:
    """The same key for the same number, another for another."""
    return Signer(number.to_bytes(32, "big"))


def ring() -> KeyRing:
    """A key of its own for each role."""
    return KeyRing(signers={role: (signer(10 + at),) for at, role in enumerate(ROLES)})


def entry(mark: int = 1, **changes: Any) -> UnitEntry:
    """A base of 5000 bytes."""
    values: dict[str, Any] = {
        "kind": UnitKind.BASE,
        "layer": 0,
        "size": 5000,
        "head_size": 700,
        "packet_size": 1200,
        "fidelity": Fidelity(weight_snr=17.25, output_snr=21.5, probes=32),
        "peak_decode_bytes": 70_000,
        "source_root": bytes([mark]) * 32,
    }
    return UnitEntry(**{**values, **changes})


def release(name: str = "abr", number: int = 1, mark: int = 1) -> Manifest:
    """A release of one base."""
    return Manifest(
        name=name,
        release=number,
        format="tflite",
        model_size=90_000,
        model_sha256=bytes([mark]) * 32,
        weights=20_000,
        units=(entry(mark),),
    )


@dataclass
class World:
    """A publisher, what it wrote, and what an attacker in between serves instead."""

    folder: Path
    keys: KeyRing = field(default_factory=ring)
    then: datetime = NOW
    files: dict[str, bytes] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.repository = Repository.create(self.keys, self.then)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Publish."""
        self.files |= files

    def publish(self, name: str = "abr", number: int = 1, mark: int = 1) -> Manifest:
        """Publish a release."""
        made = release(name, number, mark)
        self.write(self.repository.add_release(name, made, self.then))
        return made

    def reopen(self, keys: KeyRing | None = None, now: datetime | None = None) -> Repository:
        """The publisher's next run."""
        self.keys = keys or self.keys
        self.repository = Repository.open(self.files, self.keys, now or self.then)
        return self.repository

    @property
    def root(self) -> bytes:
        """What clients pin."""
        return self.files[layout.PINNED_ROOT]

    def fetch(self, path: str, max_length: int) -> bytes:
        """What a server would send."""
        data = self.served.get(path, self.files.get(path))
        if path in self.endless:
            return bytes(max_length + 1)
        if data is None:
            raise TransportError(ErrorCode.NOT_FOUND, f"{path}: not found")
        return data

    def client(self, root: bytes | None = None, **more: Any) -> TrustedClient:
        """A client's next run: what it trusts is on disk."""
        return TrustedClient(self.folder, self.root if root is None else root, self.fetch, **more)

    def latest_path(self, role: str) -> str:
        """Where a role's newest metadata is."""
        if role == "timestamp":
            return layout.TIMESTAMP_PATH
        return layout.metadata_path(role, max(self.versions(role)))

    def versions(self, role: str) -> list[int]:
        """Versions of a role that were written."""
        tail = f".{role}.json"
        found = [path for path in self.files if path.startswith("metadata/")]
        return [int(path[9 : -len(tail)]) for path in found if path.endswith(tail)]

    def forge(self, role: str, change: Any, *signers: Signer) -> bytes:
        """A role's newest metadata, changed, with the signatures of these."""
        signed = json.loads(self.files[self.latest_path(role)])["signed"]
        change(signed)
        payload = encode_canonical(signed).encode()
        signatures = [one.sign(payload).to_dict() for one in signers]
        return json.dumps({"signatures": signatures, "signed": signed}).encode()


def forge_snapshot(world: World, change: Any, *, version: int | None = None) -> None:
    """A snapshot and a timestamp by an attacker who has both online keys."""
    version = version or max(world.versions("snapshot")) + 1

    def change_snapshot(signed: Any) -> None:
        signed["version"] = version
        change(signed["meta"])

    def change_timestamp(signed: Any) -> None:
        signed["version"] += 1
        signed["meta"]["snapshot.json"] = {"version": version}

    world.served[layout.metadata_path("snapshot", version)] = world.forge(
        "snapshot", change_snapshot, world.keys.of("snapshot")[0]
    )
    world.served[layout.TIMESTAMP_PATH] = world.forge(
        "timestamp", change_timestamp, world.keys.of("timestamp")[0]
    )


def forge_release(world: World, name: str, path: str, data: bytes, *, keep: bool = False) -> None:
    """Another role metadata, by an attacker who has the release key and both online keys."""
    version = max(world.versions(name)) + 1
    described = TargetFile.from_data(path, data, ["sha256"])

    def change(signed: Any) -> None:
        signed["version"] = version
        signed["targets"] = {
            **(signed["targets"] if keep else {}),
            path: described.to_dict(),
        }

    world.served[layout.metadata_path(name, version)] = world.forge(
        name, change, world.keys.of("release")[0]
    )
    forge_snapshot(world, lambda meta: meta.update({f"{name}.json": {"version": version}}))
    folder, file = path.split("/")
    world.served[f"targets/{folder}/{described.hashes['sha256']}.{file}"] = data


def unsignable(parcel: bytes, value: str = "1.5") -> bytes:
    """A parcel whose metadata has a value without a canonical form, so that nobody can sign it."""
    files = bundle.decode(parcel)
    path = next(iter(files))
    files[path] = files[path].replace(b'"signed":{', b'"signed":{"x":' + value.encode() + b",")
    return bundle.encode(files)


def refuse(world: World, code: ErrorCode, name: str = "abr") -> None:
    """The client refuses what it is served, for that reason, and keeps what it trusted."""
    before = world.client().trusted(name)
    with pytest.raises(MidstreamError) as caught:
        world.client().refresh(name)
    assert caught.value.code is code, caught.value
    assert world.client().trusted(name) == before
