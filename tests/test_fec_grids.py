"""Grids: any symbols that suffice give the object back, joint ones where blocks lack some."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import fec
from midstream.fec import grids
from midstream.fec.grids import COLUMNS, Grid

Rows = list[dict[int, bytes]]
Joint = dict[tuple[int, int], bytes]


def received(
    data: bytes, grid: Grid, counts: list[int], joint: int, seed: int
) -> tuple[Rows, Joint]:
    """So many symbols of each block, and so many joint ones, whichever."""
    rng = random.Random(seed)
    table = grids.encode(data, grid)
    rows = [
        {column: table[row, column].tobytes() for column in rng.sample(range(grid.columns), count)}
        for row, count in enumerate(counts)
    ]
    places = [
        (row, column)
        for row in range(grid.blocks, grid.blocks + grid.joint_rows)
        for column in range(grid.columns, COLUMNS)
    ]
    return rows, {place: table[place].tobytes() for place in rng.sample(places, joint)}


@given(size=st.integers(1, 40_000), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_as_many_symbols_as_there_are_sources_give_an_object(size: int, seed: int) -> None:
    data = random.Random(size).randbytes(size)
    grid = Grid.fitting(size, 100)
    rows, joint = received(data, grid, [grid.source] * grid.blocks, 0, seed)
    assert grids.decode(rows, joint, grid) == data


@pytest.mark.parametrize("lacking", [(1, 0, 0), (5, 2, 1), (0, 0, 20), (9, 9, 9)])
def test_joint_symbols_stand_in_for_what_any_block_lacks(lacking: tuple[int, ...]) -> None:
    data = random.Random(3).randbytes(3 * 130 * 8 - 5)
    grid = Grid(len(data), 8)
    assert (grid.blocks, grid.source, grid.joint_rows) == (3, 130, 1)
    counts = [grid.source - count for count in lacking]
    for seed in range(5):
        rows, joint = received(data, grid, counts, sum(lacking), seed)
        assert grids.decode(rows, joint, grid) == data


def test_too_few_symbols_give_nothing() -> None:
    data = random.Random(3).randbytes(3 * 130 * 8)
    grid = Grid(len(data), 8)
    rows, joint = received(data, grid, [grid.source, grid.source - 3, grid.source], 2, 1)
    assert grids.decode(rows, joint, grid) is None


def test_blocks_that_lack_the_same_columns_have_to_wait() -> None:
    data = random.Random(4).randbytes(2 * 140 * 8)
    grid = Grid(len(data), 8)
    table = grids.encode(data, grid)
    rows = [
        {column: table[row, column].tobytes() for column in range(grid.source - 16)}
        for row in range(2)
    ]
    columns = range(grid.columns, COLUMNS)
    joint = {(2, column): table[2, column].tobytes() for column in columns}
    assert len(joint) == 32
    assert grids.decode(rows, joint, grid) is None  # one row of sums cannot tell the two apart


def test_a_row_is_a_codeword_and_so_is_a_joint_column() -> None:
    data = random.Random(5).randbytes(2 * 140 * 4)
    grid = Grid(len(data), 4)
    table = grids.encode(data, grid)
    for row in range(grid.blocks):
        parity = fec.encode(table[row, : grid.source], COLUMNS - grid.source)
        assert (table[row, grid.source :] == parity).all()
    for column in range(grid.columns, COLUMNS):
        above = np.ascontiguousarray(table[: grid.blocks, column])
        assert (table[grid.blocks :, column] == fec.encode(above, grid.joint_rows)).all()


@given(size=st.integers(1, 1 << 32), most=st.integers(43, 1 << 14))
def test_a_receiver_finds_the_grid_that_the_sender_chose(size: int, most: int) -> None:
    widest, fitting = Grid(size, most), Grid.fitting(size, most)
    assert fitting.symbol_size <= most
    assert (fitting.blocks, fitting.source) == (widest.blocks, widest.source)
    assert fitting.blocks * fitting.source * fitting.symbol_size >= size
    assert not fitting.joint_rows or fitting.blocks + fitting.joint_rows <= COLUMNS


def test_a_very_large_object_does_without_joint_symbols() -> None:
    grid = Grid(231 * 145 * 10, 10)
    assert (grid.blocks, grid.joint_rows, grid.columns) == (231, 0, COLUMNS)
