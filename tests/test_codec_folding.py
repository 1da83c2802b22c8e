"""Slices of which weights that repeat others are left out."""

import numpy as np
import pytest

from midstream.codec import Context, Folding, repeats
from midstream.errors import BitstreamError, ErrorCode
from midstream.types import DType

RUNS = np.array([[4, 3, 3, 3], [8, 0, 2, 0], [10, 9, 2, 5]], np.int64)
FOLDING = Folding.of(RUNS, 13)


def test_what_is_coded_is_in_no_run() -> None:
    assert FOLDING.places.tolist() == [0, 1, 2, 3, 7, 12]


def test_levels_are_those_of_sources_or_minus_those() -> None:
    levels = FOLDING.levels(np.array([5, 6, 7, 8, 9, -3], np.int32))
    assert levels.tolist() == [5, 6, 7, 8, -8, -7, -6, 9, 5, 6, -6, -6, -3]


@pytest.mark.parametrize(("dtype", "kind"), [(DType.FLOAT32, "<f4"), (DType.FLOAT16, "<f2")])
def test_floats_are_too_with_the_signs_of_zeros(dtype: DType, kind: str) -> None:
    values = FOLDING.values(np.array([5, 0.5, 0, 8, np.inf, -3], kind), dtype)
    expected = np.array([5, 0.5, 0, 8, -8, -0.0, -0.5, np.inf, 5, 0.5, -0.5, -0.5, -3], kind)
    assert values.tobytes() == expected.tobytes()


def test_contexts_are_those_of_weights_that_are_coded() -> None:
    context = Context(
        shape=np.arange(13, dtype=np.int8) % 3, width=np.arange(13, dtype=np.int16), lattice=True
    )
    folded = FOLDING.context(context)
    assert folded.width.tolist() == FOLDING.places.tolist()
    assert folded.shape.tolist() == [place % 3 for place in FOLDING.places]
    assert folded.lattice


def test_what_is_written_is_read() -> None:
    found = Folding.read(memoryview(FOLDING.write()), 13)
    assert np.array_equal(found.runs, RUNS)
    assert np.array_equal(found.sources, FOLDING.sources)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"\x01\x05\x00\x08", ErrorCode.BAD_FIELD),
        (b"\x01\x05\x01\x50", ErrorCode.BAD_FIELD),
        (b"\x00\x00", ErrorCode.TRAILING_BYTES),
        (repeats.write(RUNS) + b"\x00", ErrorCode.TRAILING_BYTES),
    ],
)
def test_malformed_runs_are_refused(payload: bytes, code: ErrorCode) -> None:  # COD-16
    with pytest.raises(BitstreamError) as caught:
        Folding.read(memoryview(payload), 13)
    assert caught.value.code is code
