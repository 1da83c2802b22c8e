"""Updates that lead to a release, as its manifest lists them. Knows nothing of how they are made.

Two extensions of the manifest that readers may ignore: the fresh ladder is always there. Each
update leads from the exact model of one release to that of a later one, or from the lower units
of one to those of a later one, so they cannot go round in a circle (spec/trust.md, "Updates").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.trust.manifest import Extension, Manifest, UnitEntry, read_entry, write_entry
from midstream.types import UnitKind
from midstream.wire import Reader, Writer

__all__ = [
    "LOSSY_TAG",
    "MAX_UPDATES",
    "TAG",
    "UpdateEntry",
    "encode",
    "updates_of",
    "with_updates",
]

TAG = 3
"""Of the extension that lists exact updates."""
LOSSY_TAG = 5
"""Of that which lists lossy ones."""
MAX_UPDATES = 64
"""Of one release, and of either kind."""
_MAX_LAYER = 255
_ID_SIZE = 16
_REMEMBERED = 8
"""Extensions that stay parsed: those of the releases that a few networks are at."""
_MAX_RELEASE = 2**31 - 1
_MAX_WORK = 2**48


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEntry:
    """An update from one release to a later one; a wrong one cannot be built.

    Raises (when built):
        BitstreamError: BAD_FIELD, or WRONG_PARENT where it does not lead to a later release.
    """

    parent: int
    """The release that it applies to: its exact model, or its lower units."""
    parent_id: bytes
    """What that model, or these units, are called, 16 bytes (spec/updates.md, spec/lossy.md)."""
    release: int
    """The release that it leads to."""
    rung: int | None = None
    """Of a lossy update the layer up to which the parent's units are taken; None of an exact one.
    A lossy update leads to the units up to the layer of its own."""
    work: int
    """Weights that applying it decodes, in all passes over them; what ways of as many bytes are
    told apart by."""
    unit: UnitEntry
    """What is signed of the unit; memory that applying takes, what it applies to and what it gives
    included."""

    def title(self, lead: str = "") -> str:
        """What it is from, for people."""
        rung = "" if self.rung is None else f", layer {self.rung}"
        return f"update from {lead}{self.parent}{rung}"

    def __post_init__(self) -> None:
        if not 1 <= self.parent < self.release <= _MAX_RELEASE:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"manifest: an update from release {self.parent} to release {self.release}",
            )
        kind = UnitKind.UPDATE if self.rung is None else UnitKind.LOSSY_UPDATE
        is_update = self.unit.kind is kind and self.unit.parent is None
        if not is_update or len(self.parent_id) != _ID_SIZE:
            raise BitstreamError(
                ErrorCode.BAD_FIELD,
                f"manifest: an update that is a unit of kind {self.unit.kind.name}",
            )


def encode(updates: Sequence[UpdateEntry]) -> Extension:
    """The extension of a manifest that lists updates of one kind."""
    out = Writer().varint(len(updates))
    for update in updates:
        out.varint(update.parent).varint(update.release - update.parent).raw(update.parent_id)
        if update.rung is not None:
            out.varint(update.rung)
        out.varint(update.work)
        write_entry(out, update.unit)
    return Extension(tag=LOSSY_TAG if _are_lossy(updates) else TAG, value=out.bytes())


def _are_lossy(updates: Sequence[UpdateEntry]) -> bool:
    return any(update.rung is not None for update in updates)


def with_updates(manifest: Manifest, updates: Sequence[UpdateEntry]) -> Manifest:
    """A manifest that lists these updates."""
    kinds = (
        [update for update in updates if update.rung is None],
        [update for update in updates if update.rung is not None],
    )
    made = [encode(kind) for kind in kinds if kind]
    replaced = {extension.tag for extension in made}
    others = [extension for extension in manifest.extensions if extension.tag not in replaced]
    tags = sorted([*others, *made], key=lambda extension: extension.tag)
    return replace(manifest, extensions=tuple(tags))


def updates_of(manifest: Manifest, *, limits: Limits = LIMITS) -> tuple[UpdateEntry, ...]:
    """The updates that a manifest lists.

    Raises:
        BitstreamError: They are malformed, or one leads beyond this release.
        LimitError: A count or size is over its limit.
    """
    updates: tuple[UpdateEntry, ...] = ()
    for extension in manifest.extensions:
        if extension.tag in (TAG, LOSSY_TAG):
            updates += _read_all(extension.value, extension.tag == LOSSY_TAG, limits)
    for update in updates:
        if update.release > manifest.release:
            raise BitstreamError(
                ErrorCode.WRONG_PARENT,
                f"manifest: release {manifest.release} lists an update to {update.release}",
            )
    return updates


@lru_cache(maxsize=_REMEMBERED)
def _read_all(value: bytes, is_lossy: bool, limits: Limits) -> tuple[UpdateEntry, ...]:
    """What an extension lists; it is asked for several times a release, and never changes."""
    reader = Reader(value, "updates")
    updates = tuple(
        _read(reader, is_lossy, limits) for _ in range(reader.varint(limit=MAX_UPDATES))
    )
    reader.end()
    return updates


def _read(reader: Reader, is_lossy: bool, limits: Limits) -> UpdateEntry:
    parent = reader.varint(limit=_MAX_RELEASE)
    return UpdateEntry(
        parent=parent,
        release=parent + reader.varint(limit=_MAX_RELEASE),
        parent_id=bytes(reader.take(_ID_SIZE)),
        rung=reader.varint(limit=_MAX_LAYER) if is_lossy else None,
        work=reader.varint(limit=_MAX_WORK),
        unit=read_entry(reader, limits),
    )
