"""Symbols of a carousel on their way to objects, in bounded memory. Knows nothing of sockets.

Nothing here is verified: what comes out goes the way of bytes from a server.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from midstream.fec import grids
from midstream.fec.grids import Grid
from midstream.limits import LIMITS, Limits
from midstream.session.datagrams import Datagram, ObjectKey, ObjectKind

__all__ = ["Gathered", "Gathering", "Snapshot"]

_OVERHEAD = 400
"""Bytes that a symbol takes beside its own, at most: a dictionary may be for it alone."""
_MOST_OBJECTS = 64
_MOST_FINISHED = 1024


@dataclass(slots=True)
class Gathered:
    """What came of one object."""

    key: ObjectKey
    """Which."""
    rows: dict[int, dict[int, bytes]] = field(default_factory=dict)
    """Symbols by row and column, no more in a row than its source symbols."""
    joint: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """Joint symbols by row and column."""
    symbols: int = 0
    """How many they are together."""
    missing: int = 0
    """Symbols that blocks lack."""
    retry: int = 0
    """Symbols in all before which decoding is not worth another try."""

    def __post_init__(self) -> None:
        grid = self.key.grid
        self.missing = grid.blocks * grid.source

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.symbols * (self.key.symbol_size + _OVERHEAD)

    @property
    def whole_size(self) -> int:
        """Bytes of memory once no symbol is missing."""
        return (self.symbols + self.missing) * (self.key.symbol_size + _OVERHEAD)

    @property
    def is_ready(self) -> bool:
        """Whether decoding is worth a try."""
        return not self.missing or (self.missing <= len(self.joint) and self.symbols >= self.retry)

    def add(self, row: int, column: int, symbol: bytes) -> bool:
        """Take a symbol; say whether it is of use."""
        grid = self.key.grid
        if row >= grid.blocks:
            if (row, column) in self.joint:
                return False
            self.joint[row, column] = symbol
        else:
            came = self.rows.setdefault(row, {})
            if column in came or len(came) == grid.source:
                return False
            came[column] = symbol
            self.missing -= 1
        self.symbols += 1
        return True

    def snapshot(self) -> "Snapshot":
        """What is here now, to be decoded elsewhere while more comes."""
        grid = self.key.grid
        rows = [dict(self.rows.get(row, {})) for row in range(grid.blocks)]
        return Snapshot(rows=rows, joint=dict(self.joint), grid=grid)

    def postpone(self) -> None:
        """It could not be decoded, as where all blocks lack the same columns: wait for more."""
        self.retry = self.symbols + max(1, self.key.grid.blocks // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Symbols of one object at one moment."""

    rows: list[dict[int, bytes]]
    """For each block, symbols by column."""
    joint: dict[tuple[int, int], bytes]
    """Joint symbols by row and column."""
    grid: Grid
    """How the object is cut."""

    def decode(self) -> bytes | None:
        """The object, not verified; None where more symbols are needed after all."""
        return grids.decode(self.rows, self.joint, self.grid)


class Gathering:
    """Objects on their way.

    Args:
        limits: Bounds; `carousel_memory` is used here.
    """

    def __init__(self, *, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._objects: dict[ObjectKey, Gathered] = {}
        self._finished: dict[ObjectKey, None] = {}
        self._preferred: frozenset[bytes] | None = None
        self._pinned: tuple[bytes, int] | None = None

    @property
    def size(self) -> int:
        """Bytes of memory that symbols take."""
        return sum(gathered.size for gathered in self._objects.values())

    def ready(self, kind: ObjectKind, name: bytes | None = None) -> Gathered | None:
        """An object that is worth a try to decode: one of a kind, or the one with this id."""
        for key, gathered in self._objects.items():
            if key.kind is kind and name in (None, key.id) and gathered.is_ready:
                return gathered
        return None

    def begun(self, unit: bytes, size: int) -> Gathered | None:
        """What came of a unit of which there is too little, if all of it may be in memory."""
        found = [
            gathered
            for key, gathered in self._objects.items()
            if key.kind is ObjectKind.UNIT and (key.id, key.size) == (unit, size)
            if gathered.whole_size <= self._limits.carousel_memory
        ]
        return max(found, key=lambda one: one.symbols * one.key.symbol_size, default=None)

    def prefer(self, ids: Iterable[bytes]) -> None:
        """Take these units and no other; what came of others is let go."""
        self._preferred = frozenset(ids)
        self._objects = {key: one for key, one in self._objects.items() if self._is_wanted(key)}

    def pin(self, unit: bytes, size: int) -> None:
        """Take this unit, of this size, before all others."""
        self._pinned = (unit, size)
        self._objects = {key: one for key, one in self._objects.items() if self._is_wanted(key)}

    def receive(self, datagram: Datagram) -> Gathered | None:
        """Take a symbol; gives what came of its object where the symbol was of use."""
        key = datagram.key
        if key in self._finished or not self._is_wanted(key):
            return None
        gathered = self._objects.get(key)
        if gathered is None:
            gathered = self._objects[key] = Gathered(key)
        if not gathered.add(datagram.row, datagram.column, datagram.symbol):
            return None
        self._keep_bounds(gathered)
        return gathered

    def finish(self, key: ObjectKey) -> None:
        """An object is complete: its symbols are let go, and no more of them are taken."""
        self._objects.pop(key, None)
        self._finished[key] = None
        while len(self._finished) > _MOST_FINISHED:
            del self._finished[next(iter(self._finished))]

    def again(self, kind: ObjectKind, name: bytes | None = None) -> None:
        """Gather objects once more: those of a kind, or the one with this id."""
        for key in [key for key in self._finished if key.kind is kind]:
            if name in (None, key.id):
                del self._finished[key]

    def _is_wanted(self, key: ObjectKey) -> bool:
        if key.kind is ObjectKind.BUNDLE or self._preferred is None:
            return True
        if self._pinned is not None and key.id == self._pinned[0]:
            return key.size == self._pinned[1]
        return key.id in self._preferred

    def _keep_bounds(self, newest: Gathered) -> None:
        """Who has least goes first, so that a flood of new names drives out itself alone."""
        while len(self._objects) > _MOST_OBJECTS or self.size > self._limits.carousel_memory:
            others = [one for one in self._objects.values() if not self._is_pinned(one.key)]
            least = min(others or [newest], key=lambda one: one.symbols)
            del self._objects[least.key]
            if least is newest:
                return

    def _is_pinned(self, key: ObjectKey) -> bool:
        return self._pinned == (key.id, key.size)
