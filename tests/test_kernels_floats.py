"""Symbols and fields that are floats: all implementations, on anything."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from midstream.codec import Sigmas, storage, values
from midstream.kernels import numpy_floats
from midstream.kernels.floats import BAD_STATE, SHORT, SYMBOLS, Layout, Slice
from midstream.types import DType

IMPLEMENTATIONS = {"numpy": numpy_floats.decode_floats}
if find_spec("midstream.kernels._native"):
    from midstream.kernels import native_floats

    IMPLEMENTATIONS |= {
        # the same as those after it where there is no AVX-512, no AVX2
        "wider": native_floats.decode_floats,
        "wide": native_floats.decode_by_eights,
        "plain": native_floats.decode_plainly,
    }

built = pytest.mark.skipif(len(IMPLEMENTATIONS) < 2, reason="no compiler")
FLOATS = [DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16]
COUNTS = [1, 3, 511, 1024, 3001, 9000, 16400, 40001]


@pytest.fixture(params=IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
def decode(request):
    return request.param


def drawn(count: int, seed: int, dtype: DType, zeros: float, trailing: int = 0):
    """Values of several scales in two runs, and their sigmas."""
    rng = np.random.default_rng(seed)
    quarters = (rng.integers(-30, -10, count)).astype(np.int16)
    numbers = rng.normal(size=count) * 2.0 ** (quarters / 4) * (rng.random(count) >= zeros)
    numbers[rng.random(count) < 0.002] = np.inf
    stored = storage.from_float64(numbers, dtype)
    bits = stored.view(storage.bits_dtype(dtype)) >> trailing << trailing
    sigmas = Sigmas(
        quarters=quarters,
        stops=np.array([count // 3, count], np.int64),
        shapes=np.array([0, 2], np.int16),
        origins=np.array([-25, -32], np.int16),
    )
    return bits.view(stored.dtype), sigmas


def sliced(payload: bytes, sigmas: Sigmas, dtype: DType) -> Slice:
    out = bytearray(len(sigmas.quarters) * dtype.bits // 8)
    return values.prepare(memoryview(payload), sigmas, dtype, (memoryview(out), 0))


@pytest.mark.parametrize("zeros", [0.0, 0.001, 0.02, 0.7])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_slices_come_back(decode, dtype, count, zeros):
    stored, sigmas = drawn(count, count, dtype, zeros)
    payload = values.encode_many([stored], [sigmas], [dtype])[0]
    piece = sliced(payload, sigmas, dtype)
    assert decode([piece], values.frequencies()) == [len(payload) - 5]
    assert bytes(piece.out) == stored.tobytes()


@pytest.mark.parametrize("trailing", range(24))
def test_any_bits_that_are_left_out_come_back(decode, trailing):
    dtype = DType.FLOAT16 if trailing < 8 else DType.FLOAT32
    stored, sigmas = drawn(17000, trailing, dtype, 0.0003, trailing)
    payload = values.encode_many([stored], [sigmas], [dtype])[0]
    piece = sliced(payload, sigmas, dtype)
    assert piece.layout.trailing >= trailing
    assert decode([piece], values.frequencies()) == [len(payload) - 5]
    assert bytes(piece.out) == stored.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_follows_is_not_read_and_what_is_missing_is_short(decode, dtype):
    stored, sigmas = drawn(20000, 5, dtype, 0.01)
    payload = values.encode_many([stored], [sigmas], [dtype])[0]
    size = len(payload) - 5
    longer = sliced(payload + bytes(range(99)), sigmas, dtype)
    assert decode([longer], values.frequencies()) == [size]
    for missing in (1, 2, 17, 100, size // 3, size // 2, size - 129, size - 5, size):
        piece = sliced(payload[: len(payload) - missing], sigmas, dtype)
        assert decode([piece], values.frequencies()) == [SHORT]


@built
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("count", [40, 2000, 16500])
def test_damaged_payloads_are_the_same_to_all(dtype, count):
    stored, sigmas = drawn(count, 7, dtype, 0.05)
    payload = values.encode_many([stored], [sigmas], [dtype])[0]
    rng = np.random.default_rng(count)
    for _ in range(60):
        damaged = bytearray(payload)
        for place in rng.integers(5, len(payload), rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        if rng.random() < 0.3:
            damaged = damaged[: rng.integers(5, len(payload))]
        piece = sliced(bytes(damaged), sigmas, dtype)
        results = []
        for decode in IMPLEMENTATIONS.values():
            own = replace(piece, out=memoryview(bytearray(len(piece.out))))
            sizes = decode([own], values.frequencies())
            results.append((sizes, bytes(own.out) if sizes[0] >= 0 else b""))
        assert results == [results[0]] * len(IMPLEMENTATIONS)


def test_a_state_below_its_bound_is_bad(decode):
    stored, sigmas = drawn(600, 1, DType.FLOAT32, 0)
    payload = bytearray(values.encode_many([stored], [sigmas], [DType.FLOAT32])[0])
    payload[7:9] = b"\0\0"
    piece = sliced(bytes(payload), sigmas, DType.FLOAT32)
    assert decode([piece], values.frequencies()) == [BAD_STATE]


def test_no_weights_take_no_bytes(decode):
    stored, sigmas = drawn(0, 1, DType.FLOAT32, 0)
    payload = values.encode_many([stored], [sigmas], [DType.FLOAT32])[0]
    piece = sliced(payload + b"more", sigmas, DType.FLOAT32)
    assert decode([piece], values.frequencies()) == [0]


def wider(layout: Layout) -> Layout:
    return replace(layout, widths=np.full(SYMBOLS, 17, np.uint8))


@built
@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"stops": p.stops[:1]},
        lambda p: {"stops": p.stops - 1},
        lambda p: {"stops": p.stops + 1},
        lambda p: {"stops": p.stops[::-1].copy()},
        lambda p: {"splits": p.splits[:1]},
        lambda p: {"narrow": p.narrow + np.int16(1536)},
        lambda p: {"wide": p.wide - np.int16(1536)},
        lambda p: {"lanes": 0},
        lambda p: {"lanes": 33},
        lambda p: {"at": 1},
        lambda p: {"at": -1},
        lambda p: {"out": p.out[:-1]},
        lambda p: {"layout": wider(p.layout)},
        lambda p: {"layout": replace(p.layout, bits=24)},
        lambda p: {"layout": replace(p.layout, mantissa=31)},
        lambda p: {"layout": replace(p.layout, trailing=24)},
        lambda p: {"layout": replace(p.layout, whole=3)},
        lambda p: {"layout": replace(p.layout, places=np.zeros(39, np.int16))},
    ],
)
def test_what_does_not_fit_is_refused(change):
    stored, sigmas = drawn(3000, 1, DType.FLOAT32, 0)
    payload = values.encode_many([stored], [sigmas], [DType.FLOAT32])[0]
    piece = sliced(payload, sigmas, DType.FLOAT32)
    with pytest.raises(ValueError, match=r"."):
        native_floats.decode_floats([replace(piece, **change(piece))], values.frequencies())


@built
@pytest.mark.parametrize("wrong", [1, 4096])
def test_tables_that_do_not_add_up_are_refused(wrong):
    stored, sigmas = drawn(3000, 1, DType.FLOAT32, 0)
    payload = values.encode_many([stored], [sigmas], [DType.FLOAT32])[0]
    piece = sliced(payload, sigmas, DType.FLOAT32)
    others = values.frequencies().copy()
    others[:, 3] += wrong
    with pytest.raises(ValueError, match="tables"):
        native_floats.decode_floats([piece], others)
