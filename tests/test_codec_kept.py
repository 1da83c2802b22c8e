"""Weights that are kept in every rung."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import kept, storage
from midstream.errors import BitstreamError, DataError, ErrorCode
from midstream.types import DType
from nearlygood import nearly

WEIGHTS = (np.random.default_rng(5).standard_normal(4000) * 0.03).astype("<f4")


def damaged(weights: np.ndarray) -> np.ndarray:
    """With three numbers that are not finite, one of them a NaN with a payload."""
    out = weights.copy()
    out[[7, 70]] = np.inf, -np.inf
    out.view("<u4")[700] = 0xFFC12345
    return out


def test_a_few_numbers_that_are_not_finite_cost_the_others_nothing():
    sound, broken = (kept.encode(w, DType.FLOAT32) for w in (WEIGHTS, damaged(WEIGHTS)))
    assert len(broken) < len(sound) + 40 < 0.86 * WEIGHTS.nbytes
    decoded = kept.decode(memoryview(broken), 4000, DType.FLOAT32)
    assert decoded.tobytes() == damaged(WEIGHTS).tobytes()


@pytest.mark.parametrize("dtype", list(DType))
@given(data=st.binary(min_size=24, max_size=24))
@settings(max_examples=40, deadline=None)
def test_any_bits_come_back(dtype, data):
    weights = 192 // dtype.bits
    payload = kept.encode(storage.load(data, dtype, weights), dtype)
    assert len(payload) <= 25
    assert storage.dump(kept.decode(memoryview(payload), weights, dtype), dtype) == data


def test_nothing_but_infinities_comes_back():
    stored = np.full(40, np.inf, "<f4")
    payload = kept.encode(stored, DType.FLOAT32)
    assert kept.decode(memoryview(payload), 40, DType.FLOAT32).tobytes() == stored.tobytes()


@pytest.mark.parametrize(
    ("start", "dtype", "code"),
    [
        (b"\x03\x01\x00", DType.FLOAT32, ErrorCode.BAD_LENGTH),
        (b"\x03\x03\x00\x00" + bytes(40), DType.FLOAT32, ErrorCode.BAD_FIELD),
        (b"\x03\x01\x81\x02" + bytes(40), DType.FLOAT32, ErrorCode.BAD_FIELD),
        (b"\x03\x01\x7f\xfd" + bytes(40), DType.FLOAT32, ErrorCode.BAD_FIELD),
        (b"\x03\x01\x00\x00" + bytes(40), DType.INT8, ErrorCode.BAD_FIELD),
    ],
)
def test_a_bad_head_is_refused(start, dtype, code):  # COD-13
    with pytest.raises(BitstreamError) as caught:
        kept.decode(memoryview(start), 8, dtype)
    assert caught.value.code is code


NINE = kept.encode(np.linspace(-1, 1, 9).astype("<f2"), DType.FLOAT16)


@given(payload=st.binary(max_size=80).map(b"\x03".__add__) | nearly(NINE))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_weights_or_a_data_error(payload):
    try:
        decoded = kept.decode(memoryview(payload), 9, DType.FLOAT16)
    except DataError:
        return
    assert len(decoded) == 9
