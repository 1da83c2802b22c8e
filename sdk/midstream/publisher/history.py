"""Releases that were published into a folder, what they were made of, and what was refused.

Nothing is verified by it: it reads what the publisher itself wrote.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.metadata import Signed, Snapshot, Targets, Timestamp

from midstream import decoder
from midstream.errors import (
    BitstreamError,
    DataError,
    ErrorCode,
    MidstreamError,
    StoreError,
    UsageError,
)
from midstream.limits import LIMITS
from midstream.publisher.folder import is_repository
from midstream.publisher.mapping import map_unit
from midstream.store.files import read_given
from midstream.store.refusals import Refusal, RefusalLog
from midstream.trust import layout, manifest, roles
from midstream.trust.manifest import Manifest
from midstream.trust.provenance import Part, Provenance, provenance_of

__all__ = [
    "add_refusal",
    "exact_model",
    "held",
    "manifest_of",
    "newest_role",
    "putting_down",
    "refusal_log",
    "refusals",
    "releases",
    "taken",
    "touched",
]

_S = TypeVar("_S", bound=Signed)
_REFUSALS = ".refused"
"""Folder of what was refused; hidden, so that no origin serves it."""


def releases(folder: Path, name: str) -> tuple[Manifest, ...]:
    """Manifests of all releases of a network that are still in the folder, by number.

    Raises:
        UsageError: NOT_FOUND where there is none.
        DataError: One is malformed, or the metadata that lists them.
    """
    if not folder.is_dir():
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: there is no such folder")
    files = sorted((folder / layout.TARGETS / name).glob("*.manifest"))
    if not files:
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: no network {name!r} in it")
    signed = _signed_hashes(folder, name)
    data = [read_given(file, limit=LIMITS.manifest_size) for file in files]
    # a publisher that was killed before it signed leaves a manifest whose number comes again
    found = [manifest.decode(one) for one in data if hashlib.sha256(one).hexdigest() in signed]
    return tuple(sorted(found, key=lambda described: described.release))


def _signed_hashes(folder: Path, name: str) -> set[str]:
    """Hashes of all manifests that some version of the network's role lists.

    A version beyond the one that the timestamp leads to is of a publisher that was killed before
    it signed that: no client ever saw it, and the number comes again.
    """
    found: set[str] = set()
    newest = _newest_version(folder, name)
    for file in (folder / layout.METADATA).glob(f"*.{name}.json"):
        path = file.relative_to(folder).as_posix()
        role = _signed(Targets, folder, path) if layout.role_of(path) == name else None
        if role is not None and role.version <= newest:
            found |= {target.hashes["sha256"] for target in role.targets.values()}
    return found


def _newest_version(folder: Path, name: str) -> int:
    """The version of a network's role that the timestamp leads to; 0 where there is none."""
    timestamp = _signed(Timestamp, folder, layout.TIMESTAMP_PATH)
    path = layout.metadata_path("snapshot", timestamp.snapshot_meta.version)
    listed = _signed(Snapshot, folder, path).meta.get(f"{name}.json")
    return listed.version if listed is not None else 0


def _signed(kind: type[_S], folder: Path, path: str) -> _S:
    data = read_given(folder / path, limit=LIMITS.metadata_size)
    return roles.parse(kind, {path: data}, path)


def newest_role(folder: Path, name: str) -> Targets | None:
    """What a network, or what names its providers, says now; None where there is none.

    Raises:
        DataError: It is malformed.
    """
    version = _newest_version(folder, name)
    return _signed(Targets, folder, layout.metadata_path(name, version)) if version else None


def manifest_of(folder: Path, name: str, release: int | None) -> Manifest:
    """The manifest of one release; of the newest for None.

    Raises:
        UsageError: NOT_FOUND where there is none.
        DataError: One is malformed.
    """
    found = releases(folder, name)
    chosen = [m for m in found if release is None or m.release == release]
    if not chosen:
        numbers = ", ".join(str(m.release) for m in found)
        raise UsageError(
            ErrorCode.NOT_FOUND, f"{name}: no release {release} in {folder}; it has {numbers}"
        )
    return chosen[-1]


def exact_model(folder: Path, described: Manifest) -> bytes:
    """The model file of a release.

    Raises:
        BitstreamError: BAD_HASH where a unit is not what was signed, WRONG_PARENT where the
            release has no exact unit.
        StoreError: A unit cannot be read.
    """
    last = len(described.units) - 1
    entries = [described.units[index] for index in described.chain(last)]
    model = bytes(decoder.rebuild([map_unit(folder / entry.path, entry) for entry in entries]))
    if hashlib.sha256(model).digest() != described.model_sha256:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"{described.name} release {described.release}: it has no exact unit, so nobody has "
            "the model that would be changed",
        )
    return model


def taken(folder: Path, name: str) -> dict[str, int]:
    """The last version of each provider's metadata that counted in a release."""
    versions: dict[str, int] = {}
    for provenance in map(provenance_of, releases(folder, name)):
        for part in _counted(provenance):
            versions[part[0]] = max(part[1], versions.get(part[0], 0))
    return versions


def touched(folder: Path, name: str, provider: str) -> tuple[int, ...]:
    """Releases that hold what a provider contributed, by number.

    Those that it counted in, and those that were merged from one of these or revert to one.

    Raises:
        UsageError: NOT_FOUND where there is no such network.
        DataError: A manifest is malformed, or the metadata that lists it.
    """
    found: list[int] = []
    for described in releases(folder, name):
        made = provenance_of(described)
        counts = any(part[0] == provider for part in _counted(made))
        if made is not None and (counts or made.parent in found):
            found.append(described.release)
    return tuple(found)


def held(folder: Path, name: str, release: int) -> list[tuple[int, Part]]:
    """Contributions that a release holds, each with the release that it counted in.

    Raises:
        UsageError: NOT_FOUND where there is no such network or release.
        DataError: A manifest is malformed, or the metadata that lists it.
    """
    made = provenance_of(manifest_of(folder, name, release))
    known = {described.release: described for described in releases(folder, name)}
    found: list[tuple[int, Part]] = []
    while made is not None:
        found += [(release, part) for part in made.parts if not part.refused]
        if made.parent >= release or made.parent not in known:
            break  # the folder may have lost it
        release = made.parent
        made = provenance_of(known[release])
    return found


def _counted(provenance: Provenance | None) -> list[tuple[str, int]]:
    parts = provenance.parts if provenance is not None else ()
    return [(part.provider, part.version) for part in parts if not part.refused]


def refusal_log(folder: Path, name: str) -> RefusalLog:
    """What the publisher refused for a network."""
    return RefusalLog(folder / _REFUSALS / f"{name}.jsonl")


def refusals(folder: Path, name: str) -> tuple[Refusal, ...]:
    """What was refused, the newest last; the last thousand of it.

    Raises:
        StoreError: It cannot be read.
    """
    return refusal_log(folder, name).read().refusals


def add_refusal(folder: Path, name: str, error: MidstreamError, now: datetime, **more: Any) -> None:
    """Put down that something was refused; nothing of a network that is not in the folder.

    Why it was refused is more than that it cannot be put down, which the error's message says then.

    Args:
        folder: The repository's folder.
        name: The network.
        error: Why.
        now: The time, with its zone.
        more: Other fields of a `Refusal`: what it was, and whose.
    """
    is_there = layout.is_name(name) and (folder / layout.TARGETS / name).is_dir()
    if is_there and is_repository(folder):
        made = Refusal.of(error, name, now, **more)
        try:
            refusal_log(folder, name).add([made])
        except StoreError as failed:
            error.message += f" (this is in no log: {failed.message})"


@contextmanager
def putting_down(
    folder: Path, name: str, clock: Callable[[], datetime], **more: Any
) -> Iterator[None]:
    """Put down what is refused, where that is raised; see `add_refusal`."""
    try:
        yield
    except (DataError, UsageError) as error:
        add_refusal(folder, name, error, clock(), **more)
        raise
