"""What levels moved by, where it is a product of two small matrices. Knows nothing of units.

That is what a fine-tune of low rank leaves: nearly all levels move, by what few numbers say.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.climbs import Climb, values_of
from midstream.codec import grid, references, scales
from midstream.codec.references import MAX_SHIFT, LowRank
from midstream.encoder.sketching import sketch
from midstream.types import Tensor

__all__ = ["find_products"]

_FEWEST, _MOST = 1 << 12, 1 << 26
"""Weights of a tensor in which they are looked for; smaller ones share their slices."""
_FEWEST_MOVED = 0.05
"""Share of the levels that must have moved for that."""
_RANKS = (1, 2, 4, 8, 16)
_BITS = (6, 8)
"""Of the greatest factor."""
_WEIGHTS_PER_FACTOR = 8
"""At least."""
_LOOKED_AT = 1 << 18
"""Weights by which products are compared."""

_Float = NDArray[np.float64]


def find_products(old: Sequence[Climb | None], new: Sequence[Climb]) -> dict[int, LowRank]:
    """The product of each tensor that seems to be worth its bytes.

    Args:
        old: For each tensor, the levels that its own are near to.
        new: The levels of each tensor.
    """
    found = {}
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        product = _product(before, after) if before and _may_be_one(before, after) else None
        if product is not None:
            found[place] = product
    return found


def _may_be_one(old: Climb, new: Climb) -> bool:
    tensor = new.tensor
    return (
        tensor.dtype.is_float
        and old.tensor.shape == tensor.shape
        and len(tensor.shape) > 1
        and _FEWEST <= tensor.weights <= _MOST
        and int(min(old.trits.min(), new.trits.min())) >= 0
    )


def _product(old: Climb, new: Climb) -> LowRank | None:
    """The product after which the fewest bytes are left, its own included; None for none."""
    tensor = new.tensor
    steps = scales.weight_steps(tensor, new.code, 0, tensor.weights)
    sizes = _sizes(steps, new.trits, tensor)
    before, after = values_of(old), values_of(new)
    rows = tensor.shape[0]
    change = (after - before).reshape(rows, -1)
    if (np.abs(change.ravel()) >= sizes / 2).mean() < _FEWEST_MOVED:
        return None
    ranks = [r for r in _RANKS if r * sum(change.shape) * _WEIGHTS_PER_FACTOR <= tensor.weights]
    left, values, right = sketch(change, max(ranks, default=1))
    root = np.sqrt(values)
    spread = slice(0, rows, max(1, tensor.weights // _LOOKED_AT))
    moved, per_step = change[spread], sizes.reshape(rows, -1)[spread]
    scale = tensor.weights / moved.size
    best, fewest = None, scale * _bits(moved / per_step)
    for rank in ranks:
        for bits in _BITS:
            found = _on_grid(left[:, :rank] * root[:rank], root[:rank, None] * right[:rank], bits)
            if found is None:
                continue
            added = np.ldexp(found.left[spread].astype(float) @ found.right, -found.shift)
            own = scale * _bits((moved - added) / per_step) + 8 * len(references.write(found))
            if own < fewest:
                best, fewest = found, own
    return best


def _sizes(steps: NDArray[np.int32], trits: NDArray[np.int8], tensor: Tensor) -> _Float:
    """The step of each weight after its refinements."""
    found = np.empty(len(steps))
    for count in np.unique(trits):
        here = trits == count
        found[here] = grid.step_sizes(steps[here], int(count), tensor.dtype)
    return found


def _on_grid(left: _Float, right: _Float, bits: int) -> LowRank | None:
    """Factors of so many bits; None where no shift leads there."""
    largest = max(float(np.abs(left).max()), float(np.abs(right).max()))
    if largest == 0:
        return None
    shift = bits - math.ceil(math.log2(largest))
    if 2 * abs(shift) > MAX_SHIFT:
        return None
    factors = [np.rint(np.ldexp(own, shift)).astype(np.int32) for own in (left, right)]
    return LowRank(left=factors[0], right=factors[1], shift=2 * shift)


def _bits(moved: _Float) -> float:
    """Entropy of whole steps."""
    _, counts = np.unique(np.rint(moved), return_counts=True)
    return float((counts * np.log2(moved.size / counts)).sum())
