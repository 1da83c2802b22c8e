"""Grids of symbols for a carousel: blocks side by side, and joint symbols over all of them.

A row of the grid is a block, a codeword in each column of its bytes. The last columns are not
sent block by block: what is sent of them are joint rows, a codeword down each column, so that
one more symbol helps whichever block still lacks one. Knows nothing of packets or of order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.fec import blocks
from midstream.kernels import combine_rows, gf256

__all__ = ["COLUMNS", "MOST_UNKNOWNS", "Grid", "decode", "decode_row", "encode"]

COLUMNS = gf256.LONGEST
"""Symbols of a block that has no joint symbols beside it."""

_MOST_SOURCE = 145
_JOINT_COLUMNS = 32
_JOINT_PERMILLE = 12
"""Joint symbols per thousand others; see spec/delivery.md for what it was chosen by."""
_MOST_JOINED = 230
"""Blocks up to which there are joint symbols: with them a codeword down a column."""
MOST_UNKNOWNS = 224
"""Symbols that joint symbols are ever solved for."""
_SPARE_EQUATIONS = 24


@dataclass(frozen=True, slots=True)
class Grid:
    """How an object is cut; who sends and who receives find the same from two numbers.

    Args:
        size: Bytes of the object, 1 or more.
        symbol_size: Bytes of a symbol, 1 or more.
    """

    size: int
    symbol_size: int

    @classmethod
    def fitting(cls, size: int, most: int) -> "Grid":
        """The grid whose symbols have at most so many bytes, with the least of padding."""
        widest = cls(size, most)
        return cls(size, -(-size // (widest.blocks * widest.source)))

    @property
    def blocks(self) -> int:
        """Rows that hold the object."""
        return -(-self._symbols // _MOST_SOURCE)

    @property
    def source(self) -> int:
        """Source symbols of each block, the last ones zero-padded: its first columns."""
        return -(-self._symbols // self.blocks)

    @property
    def columns(self) -> int:
        """Symbols of each block that are sent."""
        return COLUMNS - self.joint_columns

    @property
    def joint_columns(self) -> int:
        """Columns of the joint symbols, the last ones."""
        return _JOINT_COLUMNS if 1 < self.blocks <= _MOST_JOINED else 0

    @property
    def joint_rows(self) -> int:
        """Rows of the joint symbols, under those of the blocks."""
        if not self.joint_columns:
            return 0
        symbols = self.blocks * self.columns * _JOINT_PERMILLE
        return -(-symbols // (1000 * _JOINT_COLUMNS))

    def has(self, row: int, column: int) -> bool:
        """Whether a symbol with this place is ever sent."""
        if row < self.blocks:
            return row >= 0 and 0 <= column < self.columns
        return row < self.blocks + self.joint_rows and self.columns <= column < COLUMNS

    @property
    def _symbols(self) -> int:
        return -(-self.size // self.symbol_size)


def encode(data: bytes | memoryview, grid: Grid) -> NDArray[np.uint8]:
    """All symbols of an object.

    Args:
        data: The object.
        grid: How it is cut; at most 230 blocks have joint symbols.

    Returns:
        (blocks + joint rows, 255, symbol_size); joint rows are zero but in joint columns.
    """
    table = np.zeros((grid.blocks + grid.joint_rows, COLUMNS, grid.symbol_size), np.uint8)
    source = np.zeros(grid.blocks * grid.source * grid.symbol_size, np.uint8)
    source[: grid.size] = np.frombuffer(data, np.uint8)
    packets = source.reshape(grid.blocks, grid.source, grid.symbol_size)
    table[: grid.blocks, : grid.source] = packets
    for row in range(grid.blocks):
        table[row, grid.source :] = blocks.encode(packets[row], COLUMNS - grid.source)
    for column in range(grid.columns, COLUMNS):
        symbols = np.ascontiguousarray(table[: grid.blocks, column])
        table[grid.blocks :, column] = blocks.encode(symbols, grid.joint_rows)
    return table


def decode(
    rows: Sequence[dict[int, bytes]], joint: dict[tuple[int, int], bytes], grid: Grid
) -> bytes | None:
    """An object from what came of its symbols.

    Args:
        rows: For each block, symbols by column; more than the source are left aside.
        joint: Joint symbols by row and column.
        grid: How it was cut.

    Returns:
        The object, which nobody has verified; None where the symbols do not determine it.
    """
    lacking = [grid.source - min(grid.source, len(row)) for row in rows]
    unknowns = sum(lacking)
    if unknowns > min(len(joint), MOST_UNKNOWNS):
        return None
    packets = [_partly(row, count, grid) for row, count in zip(rows, lacking, strict=True)]
    if unknowns:
        values = _solve(packets, joint, unknowns, grid)
        if values is None:
            return None
        _fill(packets, values, grid.symbol_size)
    whole = b"".join(block[:, : grid.symbol_size].tobytes() for block in packets)
    return whole[: grid.size]


def decode_row(row: dict[int, bytes], grid: Grid) -> bytes:
    """The bytes of one block from as many of its symbols as it has source symbols.

    Args:
        row: Symbols by column.
        grid: How the object was cut.

    Returns:
        (source * symbol_size) bytes, the zeros behind the object's end included.
    """
    assert len(row) >= grid.source, "who asks has counted"
    return _partly(row, 0, grid).tobytes()


def _partly(row: dict[int, bytes], lacking: int, grid: Grid) -> NDArray[np.uint8]:
    """The source symbols of a block, and what each unknown of it adds to them.

    Unknown are as many lost source symbols as the block lacks. They are taken for zeros with
    a mark of their own behind each, so one repair gives the values and the coefficients.

    Returns:
        (source, symbol_size + lacking)
    """
    size = grid.symbol_size
    symbols = np.zeros((COLUMNS, size + lacking), np.uint8)
    present = np.zeros(COLUMNS, np.bool_)
    for column in sorted(row)[: grid.source]:
        symbols[column, :size] = np.frombuffer(row[column], np.uint8)
        present[column] = True
    unknown = np.flatnonzero(~present[: grid.source])[:lacking]
    symbols[unknown, size + np.arange(lacking)] = 1
    present[unknown] = True
    return blocks.repair(symbols, grid.source, present)


def _solve(
    packets: list[NDArray[np.uint8]],
    joint: dict[tuple[int, int], bytes],
    unknowns: int,
    grid: Grid,
) -> NDArray[np.uint8] | None:
    """(unknowns, symbol_size): the unknowns of all blocks, in order; None where not determined."""
    size = grid.symbol_size
    columns = _joint_columns(packets, unknowns, grid)
    equations = np.zeros((0, size + unknowns), np.uint8)
    for column in range(grid.joint_columns):
        came = [row for row, place in sorted(joint) if place == grid.columns + column]
        if not came or len(equations) >= unknowns + _SPARE_EQUATIONS:
            continue
        known = blocks.encode(np.ascontiguousarray(columns[:, column]), grid.joint_rows)
        known = known[[row - grid.blocks for row in came]]
        for at, row in enumerate(came):
            known[at, :size] ^= np.frombuffer(joint[row, grid.columns + column], np.uint8)
        equations = np.concatenate([equations, known])
    equations = equations[: unknowns + _SPARE_EQUATIONS]
    inverse = _left_inverse(equations[:, size:])
    return None if inverse is None else combine_rows(inverse, equations[:, :size].copy())


def _joint_columns(
    packets: list[NDArray[np.uint8]], unknowns: int, grid: Grid
) -> NDArray[np.uint8]:
    """(blocks, joint columns, symbol_size + unknowns): their symbols, as far as they are known."""
    size = grid.symbol_size
    found = np.zeros((grid.blocks, grid.joint_columns, size + unknowns), np.uint8)
    first = size
    for row, block in enumerate(packets):
        lacking = block.shape[1] - size
        repair = blocks.encode(block, COLUMNS - grid.source)[-grid.joint_columns :]
        found[row, :, :size] = repair[:, :size]
        found[row, :, first : first + lacking] = repair[:, size:]
        first += lacking
    return found


def _fill(packets: list[NDArray[np.uint8]], values: NDArray[np.uint8], size: int) -> None:
    """Put the unknowns in, in place."""
    first = 0
    for block in packets:
        lacking = block.shape[1] - size
        if lacking:
            own = values[first : first + lacking]
            block[:, :size] ^= combine_rows(block[:, size:].copy(), own)
        first += lacking


def _left_inverse(matrix: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """(unknowns, equations): what gives the unknowns of (equations, unknowns); None without."""
    equations, unknowns = matrix.shape
    work = np.concatenate([matrix, np.eye(equations, dtype=np.uint8)], axis=1)
    for at in range(unknowns):
        pivots = np.flatnonzero(work[at:, at])
        if not len(pivots):
            return None
        pivot = at + int(pivots[0])
        work[[at, pivot]] = work[[pivot, at]]
        inverse = gf256.EXP[(COLUMNS - gf256.LOG[int(work[at, at])]) % COLUMNS]
        work[at] = gf256.PRODUCTS[inverse][work[at]]
        factors = work[:, at].copy()
        factors[at] = 0
        work ^= gf256.PRODUCTS[factors[:, None], work[at]]
    return work[:unknowns, unknowns:]
