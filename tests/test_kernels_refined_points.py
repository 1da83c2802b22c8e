"""Points that refine levels: both implementations, on good bytes and on damaged ones."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from midstream.codec import rans, refined_points, tables
from midstream.kernels import numpy_refined_points
from midstream.kernels.terms import BROKEN, Stream
from stacks import points_above
from test_codec_refined_points import context, nested, predicted

if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_refined_points

    IMPLEMENTATIONS = [numpy_refined_points, native_refined_points]
else:  # no compiler here
    IMPLEMENTATIONS = [numpy_refined_points]

built = pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
SHARE = 6


def parities(levels: np.ndarray) -> np.ndarray:
    count = len(levels) // 16
    return (levels[: 16 * count] & 1).astype(np.int8).reshape(16, count)


def parts(count: int, ratio: int) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Parents, children, and what follows the head of their payload."""
    parents, children = nested(count, 1.5, ratio)
    made = refined_points.encode_many([parents], [children], [context(count)], [0], [ratio])[0]
    return parents, children, made


def codewords(kernel, payload: bytes, parents: np.ndarray) -> tuple[list, int]:
    lanes = rans.lanes_of(len(parents) // 16)
    frequencies = tables.codeword_frequencies()[payload[0] & 15]
    odd, taken = kernel.decode_codewords(
        memoryview(payload)[1:], lanes, parities(parents), frequencies
    )
    return odd.tolist(), taken


@built
@pytest.mark.parametrize("ratio", [3, 5])
@pytest.mark.parametrize("count", [16, 17, 4099, 65536])
def test_codewords_are_the_same(count: int, ratio: int) -> None:
    parents, children, payload = parts(count, ratio)
    found = [codewords(kernel, payload, parents) for kernel in IMPLEMENTATIONS]
    assert found[0] == found[1]
    assert found[0][0] == parities(children).tolist()


@built
def test_damaged_codewords_are_refused_by_both() -> None:
    parents, _, payload = parts(4096, 5)
    for place in (2, 4, 30, 90):
        damaged = bytearray(payload)
        damaged[place] ^= 0x55
        found = [codewords(kernel, bytes(damaged), parents)[1] for kernel in IMPLEMENTATIONS]
        assert found == [BROKEN, BROKEN]
    for size in (1, 3, 20):
        found = [codewords(kernel, payload[:size], parents)[1] for kernel in IMPLEMENTATIONS]
        assert found == [BROKEN, BROKEN]


def children_of(kernel, where, parents, odd, ratio, data: bytes):
    stream = Stream(
        data=memoryview(data),
        lanes=rans.lanes_of(len(parents), where.terms),
        rows=refined_points._tables(where, 0, 5 if ratio > 3 else 3),
        terms=where.terms,
        escapes=np.zeros(0, np.int64),
        odd=odd,
    )
    found = kernel.decode_refined_points(stream, parents, ratio, refined_points.starts())
    return found.taken, found.levels.tolist() if found.taken >= 0 else None


@built
@pytest.mark.parametrize("ratio", [3, 5])
@pytest.mark.parametrize("spread", [1, 40, 1 << 22])
@pytest.mark.parametrize("is_predicted", [False, True])
def test_children_are_the_same(is_predicted: bool, spread: int, ratio: int) -> None:
    where = predicted() if is_predicted else context(5203)
    rng = np.random.default_rng(spread)
    parents = np.rint(rng.normal(size=len(where.width)) * spread).astype(np.int32)
    children = points_above(rng, parents, ratio)
    made = refined_points.encode_many([parents], [children], [where], [0], [ratio])[0]
    taken = codewords(IMPLEMENTATIONS[1], made, parents)[1]
    data, odd = made[1 + taken :], parities(children)
    good = [children_of(k, where, parents, odd, ratio, data) for k in IMPLEMENTATIONS]
    assert good == [(len(data), children.tolist())] * 2
    for place in (1, 6, 40, len(data) - 2):
        damaged = bytearray(data)
        damaged[place] ^= 0x5A
        found = [
            children_of(k, where, parents, odd, ratio, bytes(damaged)) for k in IMPLEMENTATIONS
        ]
        assert found[0] == found[1]
        assert found[0][0] == BROKEN


@built
def test_arguments_that_do_not_fit_are_refused() -> None:
    where, odd = context(32), np.zeros((16, 2), np.int8)
    parents, native = np.zeros(32, np.int32), IMPLEMENTATIONS[1]
    with pytest.raises(ValueError, match="other parts"):
        children_of(native, where, parents, odd, 4, b"\0" * 40)
    with pytest.raises(ValueError, match="items"):
        children_of(native, where, parents[:31], odd, 5, b"\0" * 40)
    with pytest.raises(ValueError, match="items"):
        children_of(native, where, parents, odd[:, :1], 5, b"\0" * 40)
    with pytest.raises(ValueError, match="lanes"):
        native.decode_codewords(memoryview(b""), 33, odd, tables.codeword_frequencies()[SHARE])
    with pytest.raises(ValueError, match="items"):
        native.decode_codewords(memoryview(b""), 1, odd, tables.codeword_frequencies()[SHARE, :7])


@built
@pytest.mark.parametrize("ratio", [3, 5])
@pytest.mark.parametrize("is_predicted", [False, True])
def test_symbols_are_the_same(is_predicted: bool, ratio: int) -> None:
    where = predicted() if is_predicted else context(5203)
    widths = (np.arange(len(where.width)) % 40 - 4).astype(np.int16)
    where, rng = replace(where, width=widths), np.random.default_rng(ratio)
    parents = np.rint(rng.normal(size=len(where.width)) * 30).astype(np.int32)
    children = points_above(rng, parents, ratio)
    rows, halves = refined_points._tables(where, 0, ratio), where.halves(children)
    found = [
        kernel.refined_symbols(parents, children, halves, rows, ratio, family=tables.DIGIT_TABLES)
        for kernel in IMPLEMENTATIONS
    ]
    assert found[0].tolist() == found[1].tolist()
    sizes = tables.refined_point_family().sizes
    assert found[0].max() < sizes.sum()
    assert len(set(found[0].tolist())) > 50


@pytest.mark.parametrize("kernel", IMPLEMENTATIONS)
@pytest.mark.parametrize(("ratio", "digit"), [(3, 2), (3, -2), (5, 3), (5, -3)])
def test_a_child_in_no_cell_is_refused(kernel, ratio: int, digit: int) -> None:
    parents = np.arange(40, dtype=np.int32)
    children = ratio * parents
    children[3] += digit
    rows = np.zeros(40, np.uint16)
    with pytest.raises(ValueError, match="no cell"):
        kernel.refined_symbols(parents, children, None, rows, ratio, family=tables.DIGIT_TABLES)
