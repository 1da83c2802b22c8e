"""Predicted points of the lattice in NumPy: a stretch at a time and one by one."""

from dataclasses import replace

import numpy as np
import pytest

from midstream.codec import Context, TensorCode, lattice, points
from midstream.codec.prediction import terms
from midstream.errors import BitstreamError
from midstream.kernels import numpy_groups, numpy_points
from midstream.types import DType, Tensor

WIDTH = 22
ROWS = ((0, 20), (1, 9))  # from the two rows before
NEAR = ((0, 20), (5, 9))  # and the column before


def context(rows: int, columns: int, predictor: tuple[tuple[int, int], ...]) -> Context:
    shape = (rows, columns)
    tensor = Tensor(name="t", dtype=DType.FLOAT32, shape=shape, offset=0, row_axis=0, column_axis=1)
    code = TensorCode(width=WIDTH, lattice=True, predictor=predictor)
    return Context(
        shape=np.ones(tensor.weights, np.int8),
        width=np.full(tensor.weights, WIDTH, np.int16),
        lattice=True,
        terms=terms([(tensor, code, 0, tensor.weights)]),
    )


def drawn(count: int, octave: int) -> np.ndarray:
    """Points with a few levels that are far out."""
    numbers = np.random.default_rng(count).normal(size=count) * 2.0 ** (WIDTH / 4 - 4)
    numbers[:: 1 + count // 3] *= 2.0**octave
    return lattice.quantise(numbers)


def outcome(payload: bytes, where: Context) -> object:
    try:
        return points.decode([memoryview(payload)], [where])[0].tolist()
    except BitstreamError as error:
        return error.code, str(error)


def both_ways(monkeypatch, payload: bytes, where: Context) -> list[object]:
    found = []
    for shortest in (0, 1 << 30):
        with monkeypatch.context() as patch:
            patch.setattr(numpy_groups, "_SHORTEST_STRETCH", shortest)
            found.append(outcome(payload, where))
    return found


@pytest.mark.parametrize("predictor", [ROWS, NEAR])
@pytest.mark.parametrize("octave", [0, 9, 20])
@pytest.mark.parametrize("wide", [0, 60])
@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 7), (3, 11), (2, 16), (9, 32), (70, 61), (130, 128), (20, 1000)]
)
def test_points_are_the_same_in_stretches_and_one_by_one(
    monkeypatch, rows, columns, wide, octave, predictor
):
    where = context(rows, columns, predictor)
    where = replace(where, width=where.width + np.int16(wide))
    values = drawn(rows * columns, octave)
    payload = points.encode_many([values], [where])[0]
    assert both_ways(monkeypatch, payload, where) == [values.tolist()] * 2


@pytest.mark.parametrize("predictor", [ROWS, NEAR])
@pytest.mark.parametrize("octave", [0, 20])
def test_damaged_points_are_the_same_in_stretches_and_one_by_one(monkeypatch, octave, predictor):
    where = context(70, 61, predictor)
    payload = points.encode_many([drawn(70 * 61, octave)], [where])[0]
    for place in (3, 1335, 1340, 1345, 1360, len(payload) - 9):
        damaged = payload[:place] + bytes([payload[place] ^ 0x5A]) + payload[place + 1 :]
        stretches, alone = both_ways(monkeypatch, damaged, where)
        assert stretches == alone
        assert isinstance(stretches, tuple), "it was refused"


@pytest.mark.parametrize(("predictor", "is_walked"), [(ROWS, True), (NEAR, False)])
def test_points_whose_neighbours_are_far_are_decoded_in_stretches(
    monkeypatch, predictor, is_walked
):
    walked = []
    walk = numpy_points.Walk
    monkeypatch.setattr(
        numpy_points, "Walk", lambda *given, **named: walked.append(1) or walk(*given, **named)
    )
    where = context(70, 72, predictor)
    values = drawn(70 * 72, 0)
    assert outcome(points.encode_many([values], [where])[0], where) == values.tolist()
    assert bool(walked) == is_walked


def mixed() -> tuple[list[bytes], list[Context]]:
    """Slices on the integers and of points, predicted and not, from near and from afar."""
    sizes = [(130, 128), (70, 61), (40, 200), (9, 32), (90, 91), (3, 11)]
    kinds = [context(*size, predictor) for size in sizes for predictor in (ROWS, NEAR)]
    kinds += [replace(one, terms=None) for one in kinds]
    kinds += [replace(one, lattice=False) for one in kinds]
    values = [drawn(len(one.width), 9 * one.lattice) for one in kinds]
    return points.encode_many(values, kinds), kinds


@pytest.mark.parametrize("damaged", [None, 2, 13, 30, 40])
def test_slices_of_all_kinds_are_the_same_side_by_side_and_alone(monkeypatch, damaged):
    payloads, kinds = mixed()
    if damaged is not None:
        broken = bytearray(payloads[damaged])
        broken[-20] ^= 0x5A
        payloads[damaged] = bytes(broken)
    alone = [outcome(*pair) for pair in zip(payloads, kinds, strict=True)]
    monkeypatch.setattr(numpy_groups, "_together", lambda left: left)
    views = [memoryview(payload) for payload in payloads]
    if damaged is None:
        found = points.decode(views, kinds)
        assert [levels.tolist() for levels in found] == alone
    else:
        assert isinstance(alone[damaged], tuple), "it was refused"
        with pytest.raises(BitstreamError) as refused:
            points.decode(views, kinds)
        assert refused.value.code is alone[damaged][0]
