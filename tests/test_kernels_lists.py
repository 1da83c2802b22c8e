"""Lists of integers in one payload: in C as through the levels of slices, on anything."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import levels
from midstream.codec.parameter_lists import lists_context
from midstream.errors import BitstreamError

if not find_spec("midstream.kernels._native"):
    pytest.skip("no compiler here", allow_module_level=True)

from midstream.kernels import _native, native_lists

WIDTHS = [3, 0, 40, 25, 12]
LISTS = [[1, -2, 3], [], [70_000, -5000], [1 << 20], [0] * 9000]


def payload(lists: list[list[int]] = LISTS, widths: list[int] = WIDTHS) -> bytes:
    joined = np.concatenate([np.array(values, np.int32) for values in lists])
    return levels.encode(joined, lists_context(widths, [len(values) for values in lists]))


def in_c(data: bytes, widths: list[int], sizes: list[int]) -> tuple[list[int], int] | None:
    found = native_lists.decode_lists(memoryview(data), widths, sizes, levels.slots())
    return None if found is None else (found[0].tolist(), found[1])


def as_levels(data: bytes, widths: list[int], sizes: list[int]) -> tuple[list[int], int] | None:
    try:
        values, taken = levels.decode_prefix([memoryview(data)], [lists_context(widths, sizes)])
    except BitstreamError:
        return None
    return values[0].tolist(), taken[0]


def test_lists_come_back_and_what_follows_is_left() -> None:
    data = payload()
    values, taken = in_c(data + b"more", WIDTHS, [len(values) for values in LISTS])
    assert values == [value for values in LISTS for value in values]
    assert taken == len(data)


@pytest.mark.parametrize("flipped", [0, 1, 4, 9, 20, 60])
@pytest.mark.parametrize("mask", [1, 0x80, 0xFF])
def test_damaged_lists_are_the_same_in_both(flipped: int, mask: int) -> None:
    data = bytearray(payload())
    data[flipped % len(data)] ^= mask
    sizes = [len(values) for values in LISTS]
    assert in_c(bytes(data), WIDTHS, sizes) == as_levels(bytes(data), WIDTHS, sizes)


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_lists_that_end_early_are_not_read(size: int) -> None:
    assert in_c(payload()[:size], WIDTHS, [len(values) for values in LISTS]) is None


@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_alike(data: bytes, lists: list[tuple[int, int]]) -> None:
    widths, sizes = [width for width, _ in lists], [size for _, size in lists]
    if sum(sizes):
        assert in_c(data, widths, sizes) == as_levels(data, widths, sizes)


@pytest.mark.parametrize(
    ("widths", "sizes", "items"),
    [(b"\1", [2], 1), (b"\1", [1], 2), (b"\1", [-1, 2], 1), (b"\1\1", [1], 1), (b"\1", [0], 0)],
)
def test_sizes_that_do_not_fit_are_refused_in_c(widths, sizes, items) -> None:
    room, out = np.empty(4096, np.uint8), np.empty(items, np.int32)
    slots = levels.slots().packed
    with pytest.raises(ValueError, match=r"list|items|integers"):
        _native.decode_lists(b"\0" * 9, widths, np.array(sizes), slots, room, out)


def test_too_little_memory_is_told() -> None:
    room, out = np.empty(64, np.uint8), np.empty(3, np.int32)
    data = payload([[1, 2, 3]], [3])
    assert _native.decode_lists(data, b"\3", np.array([3]), levels.slots().packed, room, out) == -1
