"""Steps, levels and values: the quantiser. Knows nothing of how levels are coded.

Floats: step = MANTISSA[i % 16] * 2**(i // 16) / 3**trits, value = level * step.
Integers: step = 3**(e - trits), value = offset + level * step, clipped to the dtype.
(spec/coding.md, "Grid".)
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import storage
from midstream.kernels import Buffer, nearest_levels, scale_floats, scale_integers, squared_error
from midstream.types import DType

__all__ = [
    "MANTISSA",
    "MAX_EXPONENT",
    "MAX_STEP_INDEX",
    "coarsen",
    "error",
    "float_sizes",
    "nearest",
    "one_size",
    "quantise",
    "reconstruct",
    "reconstruct_into",
    "step_index",
    "step_size",
    "step_sizes",
]

MANTISSA = tuple(
    float.fromhex(text)
    for text in (
        "0x1.0000000000000p+0",
        "0x1.0b5586cf9890fp+0",
        "0x1.172b83c7d517bp+0",
        "0x1.2387a6e756238p+0",
        "0x1.306fe0a31b715p+0",
        "0x1.3dea64c123422p+0",
        "0x1.4bfdad5362a27p+0",
        "0x1.5ab07dd485429p+0",
        "0x1.6a09e667f3bcdp+0",
        "0x1.7a11473eb0187p+0",
        "0x1.8ace5422aa0dbp+0",
        "0x1.9c49182a3f090p+0",
        "0x1.ae89f995ad3adp+0",
        "0x1.c199bdd85529cp+0",
        "0x1.d5818dcfba487p+0",
        "0x1.ea4afa2a490dap+0",
    )
)
"""2**(j/16), rounded to float64."""
MAX_STEP_INDEX = 2560
"""Step indices are at most this far from 0: steps from 2**-160 to 2**160."""
MAX_EXPONENT = 20
"""The largest trit exponent of an integer dtype: 3**20 is the last power below 2**32."""

_Ints = NDArray[np.int32] | int


def step_sizes(steps: NDArray[np.int32], trits: int, dtype: DType) -> NDArray[np.float64]:
    """The step of each weight.

    Args:
        steps: Step indices, or trit exponents for integer dtypes, of the base grid.
        trits: Refinements applied.
        dtype: Data type of the weights.
    """
    if not dtype.is_float:
        return _powers(trits).astype(np.float64).take(steps)
    return float_sizes(trits).take(np.asarray(steps, np.int32) + MAX_STEP_INDEX)


@lru_cache
def float_sizes(trits: int, ratio: int = 1) -> NDArray[np.float64]:
    """The size of every float step after so many refinements, or the half step of points."""
    octaves, part = np.divmod(np.arange(-MAX_STEP_INDEX, MAX_STEP_INDEX + 1, dtype=np.int32), 16)
    # powers of two are exact, and what they are divided by, so that this is one rounding
    sizes: NDArray[np.float64] = np.ldexp(np.array(MANTISSA)[part], octaves)
    sizes /= float(3**trits * ratio)
    sizes.setflags(write=False)
    return sizes


@lru_cache
def _powers(trits: int) -> NDArray[np.int64]:
    """The step of every exponent of an integer dtype after so many refinements."""
    left = np.maximum(np.arange(MAX_EXPONENT + 1, dtype=np.int64) - trits, 0)
    powers: NDArray[np.int64] = np.int64(3) ** left
    powers.setflags(write=False)
    return powers


def step_size(step: int, trits: int, dtype: DType) -> float:
    """The step after so many refinements of base step `step`."""
    return float(one_size(step, trits, dtype)[0])


@lru_cache(maxsize=1024)
def one_size(step: int, trits: int, dtype: DType) -> NDArray[np.float64]:
    """The same, (1,): of all weights of a tensor."""
    sizes = step_sizes(np.array([step], np.int32), trits, dtype)
    sizes.setflags(write=False)
    return sizes


def step_index(size: float) -> int:
    """The index of the float step nearest to `size` > 0, on a logarithmic scale."""
    index = 16 * float(np.log2(size))
    return round(min(max(index, -MAX_STEP_INDEX), MAX_STEP_INDEX))


def quantise(
    values: NDArray[np.generic], dtype: DType, step: int, offset: int = 0, *, trits: int = 0
) -> NDArray[np.int32]:
    """The nearest level of each weight.

    Args:
        values: Storage array, finite.
        dtype: Its data type.
        step: Step index or trit exponent of the base grid.
        offset: The value of level 0, integer dtypes only.
        trits: Refinements of the base grid.
    """
    sizes = one_size(step, trits, dtype)
    return nearest(values, dtype, sizes, offset)


def nearest(
    values: NDArray[np.generic], dtype: DType, sizes: NDArray[np.float64], offset: int = 0
) -> NDArray[np.int32]:
    """The nearest level of each weight.

    Args:
        values: Storage array, finite.
        dtype: Its data type.
        sizes: The step of each weight, or (1,) of all.
        offset: The value of level 0, integer dtypes only.
    """
    return nearest_levels(storage.numbers(values, dtype), sizes, 0.0 if dtype.is_float else offset)


def error(
    values: NDArray[np.generic],
    dtype: DType,
    sizes: NDArray[np.float64],
    offset: int = 0,
    levels: NDArray[np.int32] | None = None,
) -> float:
    """The sum of squared differences between weights and levels, or their nearest ones.

    Args:
        values: Storage array, finite.
        dtype: Its data type.
        sizes: The step of each weight, or (1,) of all.
        offset: The value of level 0, integer dtypes only.
        levels: (weights,); the nearest ones where None.
    """
    known = 0.0 if dtype.is_float else offset
    return squared_error(storage.numbers(values, dtype), sizes, known, levels)


def coarsen(levels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The parents of levels: round(level / 3), where a tie cannot happen."""
    return (levels + 1) // 3


def reconstruct_into(
    out: Buffer,
    levels: NDArray[np.int32],
    dtype: DType,
    steps: NDArray[np.int32],
    trits: int,
    *,
    ratio: int = 1,
) -> None:
    """Write the bytes of the floats that levels stand for.

    Args:
        out: Of the length of the weights.
        levels: (weights,)
        dtype: Data type of the weights, of floats.
        steps: Step index of the base grid, (weights,) or (1,).
        trits: Refinements applied.
        ratio: Half steps that a step is cut into after them, where levels are points.
    """
    if len(levels):
        sizes, precision = float_sizes(trits, ratio), 1 + storage.MANTISSA_BITS[dtype]
        scale_floats(levels, steps, sizes, out, first=-MAX_STEP_INDEX, precision=precision)


def reconstruct(
    levels: NDArray[np.int32],
    dtype: DType,
    step: _Ints,
    trits: int = 0,
    offset: _Ints = 0,
    *,
    ratio: int = 1,
) -> NDArray[np.generic]:
    """The weights that levels stand for, as a storage array.

    Args:
        levels: (weights,)
        dtype: Data type of the weights.
        step: Step index or trit exponent of the base grid, one or (weights,).
        trits: Refinements applied; for integer dtypes not more than any of `step`.
        offset: The value of level 0, one or (weights,), integer dtypes only.
        ratio: Half steps that a step is cut into after them, where levels are points, of floats.
    """
    steps = np.broadcast_to(np.asarray(step, np.int32), levels.shape)
    if dtype.is_float:
        weights = np.empty(len(levels), storage.ELEMENT[dtype])
        out = weights.view(np.uint8)
        reconstruct_into(out, levels, dtype, steps, trits, ratio=ratio)
        return weights
    return scale_integers(
        levels,
        steps,
        _powers(trits),
        np.broadcast_to(np.asarray(offset, np.int32), levels.shape),
        bounds=storage.integer_range(dtype),
        kind=storage.ELEMENT[dtype],
    )
