"""Levels and steps to weights, in NumPy. Knows nothing of tensors.

(spec/coding.md, "Grid".)
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffer", "add_along", "round_floats", "scale_floats", "scale_integers"]

Buffer: TypeAlias = memoryview | NDArray[np.uint8]

_ELEMENT = {24: "<f4", 11: "<f2", 8: "<u2"}


def add_along(
    totals: NDArray[np.int16],
    deltas: NDArray[np.int8],
    *,
    stride: int,
    start: int = 0,
    factor: int = 1,
) -> None:
    """Add to each weight what is said of its place on an axis.

    Args:
        totals: (weights,) changed in place; contiguous.
        deltas: (size,) of each place on the axis.
        stride: Weights from one place to the next.
        start: The number of the first weight in its tensor.
        factor: What a delta counts.
    """
    stop = start + len(totals)
    first = start // stride
    places = np.arange(first, -(-stop // stride)) % len(deltas)
    each = deltas.astype(np.int16).take(places) * np.int16(factor)
    skipped = start - first * stride
    totals += np.repeat(each, stride)[skipped : skipped + len(totals)]


def round_floats(numbers: NDArray[np.float64], precision: int) -> NDArray[np.generic]:
    """Numbers rounded to the nearest of a float type, ties to even; infinite beyond it.

    Args:
        numbers: Any.
        precision: Bits of its significand: 24, 11, or 8 for bfloat16, which is rounded twice,
            to float32 and from there, and stored as its bits.
    """
    with np.errstate(over="ignore", under="ignore"):
        if precision != 8:
            return numbers.astype(_ELEMENT[precision])
        bits = numbers.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def scale_floats(
    levels: NDArray[np.int32],
    steps: NDArray[np.int32],
    sizes: NDArray[np.float64],
    out: Buffer,
    *,
    first: int,
    precision: int,
) -> None:
    """Levels times the sizes of their steps, rounded as `round_floats` does.

    Args:
        levels: (weights,)
        steps: Step indices, (weights,) or (1,).
        sizes: Of the steps from `first` on.
        out: The bytes of the weights go there; as many as they are.
        first: The least step index there is.
        precision: Bits of the significand.
    """
    found = round_floats(levels * sizes.take(steps - first), precision)
    np.frombuffer(out, np.uint8)[:] = found.view(np.uint8)


def scale_integers(
    levels: NDArray[np.int32],
    steps: NDArray[np.int32],
    powers: NDArray[np.int64],
    offsets: NDArray[np.int32],
    *,
    bounds: tuple[int, int],
    kind: str,
) -> NDArray[np.generic]:
    """Levels times the powers of their steps plus offsets, clipped.

    Args:
        levels: (weights,)
        steps: (weights,) exponents.
        powers: Of each exponent from 0 on, at most 3**20.
        offsets: (weights,) what level 0 stands for.
        bounds: The least and the greatest value.
        kind: The element type, such as "i1".
    """
    # level, step and offset are at most 2**31, 3**20 and 2**31: int64 does not overflow
    values = levels * powers.take(steps) + offsets
    stored: NDArray[np.generic] = np.clip(values, *bounds).astype(kind)
    return stored
