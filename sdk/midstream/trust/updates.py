"""Updates that lead to a release, as its manifest lists them. Knows nothing of how they are made.

An extension of the manifest that readers may ignore: the fresh ladder is always there. Each
update leads from the exact model of one release to that of a later one, so they cannot go round
in a circle (spec/trust.md, "Updates").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.trust.manifest import Extension, Manifest, UnitEntry, read_entry, write_entry
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

__all__ = ["MAX_UPDATES", "TAG", "UpdateEntry", "encode", "updates_of", "with_updates"]

TAG = 3
"""Of the extension."""
MAX_UPDATES = 64
"""Of one release."""
_ID_SIZE = 16
_REMEMBERED = 8
"""Extensions that stay parsed: those of the releases that a few networks are at."""
_MAX_RELEASE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEntry:
    """An update from one release to a later one; a wrong one cannot be built.

    Raises (when built):
        BitstreamError: BAD_FIELD, or WRONG_PARENT where it does not lead to a later release.
    """

    parent: int
    """The release whose exact model it applies to."""
    parent_id: bytes
    """What that model is called, 16 bytes (spec/updates.md)."""
    release: int
    """The release whose exact model it gives."""
    unit: UnitEntry
    """What is signed of the unit; memory that applying takes, both model files included."""

    def __post_init__(self) -> None:
        if not 1 <= self.parent < self.release <= _MAX_RELEASE:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"manifest: an update from release {self.parent} to release {self.release}",
            )
        is_update = self.unit.kind is UnitKind.UPDATE and self.unit.parent is None
        if not is_update or len(self.parent_id) != _ID_SIZE:
            raise BitstreamError(
                ErrorCode.BAD_FIELD,
                f"manifest: an update that is a unit of kind {self.unit.kind.name}",
            )


def encode(updates: Sequence[UpdateEntry]) -> Extension:
    """The extension of a manifest."""
    out = Writer().varint(len(updates))
    for update in updates:
        out.varint(update.parent).varint(update.release - update.parent).raw(update.parent_id)
        write_entry(out, update.unit)
    return Extension(tag=TAG, value=out.bytes())


def with_updates(manifest: Manifest, updates: Sequence[UpdateEntry]) -> Manifest:
    """A manifest that lists these updates."""
    if not updates:
        return manifest
    others = [extension for extension in manifest.extensions if extension.tag != TAG]
    tags = sorted([*others, encode(updates)], key=lambda extension: extension.tag)
    return replace(manifest, extensions=tuple(tags))


def updates_of(manifest: Manifest, *, limits: Limits = LIMITS) -> tuple[UpdateEntry, ...]:
    """The updates that a manifest lists.

    Raises:
        BitstreamError: They are malformed, or one leads beyond this release.
        LimitError: A count or size is over its limit.
    """
    found = [extension.value for extension in manifest.extensions if extension.tag == TAG]
    updates = _read_all(found[0], limits) if found else ()
    for update in updates:
        if update.release > manifest.release:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"manifest: release {manifest.release} lists an update to {update.release}",
            )
    return updates


@lru_cache(maxsize=_REMEMBERED)
def _read_all(value: bytes, limits: Limits) -> tuple[UpdateEntry, ...]:
    """What an extension lists; it is asked for several times a release, and never changes."""
    reader = Reader(value, "updates")
    updates = tuple(_read(reader, limits) for _ in range(reader.varint(limit=MAX_UPDATES)))
    reader.end()
    return updates


def _read(reader: Reader, limits: Limits) -> UpdateEntry:
    parent = reader.varint(limit=_MAX_RELEASE)
    return UpdateEntry(
        parent=parent,
        release=parent + reader.varint(limit=_MAX_RELEASE),
        parent_id=bytes(reader.take(_ID_SIZE)),
        unit=read_entry(reader, limits),
    )
