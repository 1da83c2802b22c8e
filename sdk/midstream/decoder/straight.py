"""Units to a model by one call of a kernel. Knows nothing of what is wrong with units.

Whatever is out of the ordinary is left to those who read units to objects first: they say what
is wrong, and both give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.restoring import open_content
from midstream.bitstream.slices import GROUP_WEIGHTS, SMALL_TENSOR
from midstream.codec import digits, grid, kept, levels, raw, refined_points, storage, values
from midstream.codec.tables import codeword_frequencies
from midstream.decoder.memory import TOGETHER
from midstream.errors import BitstreamError, LimitError
from midstream.kernels import decode_units, outline_base
from midstream.kernels.stacks import Tables
from midstream.limits import LIMITS, Limits
from midstream.types import DType

__all__ = ["Straight", "open_straight"]

_Bytes = bytes | bytearray | memoryview
_FLAGS_SIZE = 2
_DTYPES = {dtype.value: dtype for dtype in DType}


@dataclass(frozen=True, slots=True)
class Straight:
    """Units whose base was looked at, and what of it was unpacked."""

    model_size: int
    """Bytes of the model file."""
    units: list[_Bytes]
    """The base and what is on top of it."""
    bounds: NDArray[np.int64]
    """On what they claim, as the kernel lays them out."""
    content: bytes | bytearray
    """The topology, unpacked."""
    flags: bytes
    """Of tensor parameters, unpacked."""

    def decode_into(self, model: memoryview) -> bool:
        """Write the whole model file.

        Returns:
            False where something is out of the ordinary; the model is then of no use.
        """
        assert decode_units is not None, "it was there when the base was looked at"
        left = decode_units(self.units, self.bounds, self.content, self.flags, _tables(), model)
        if left is None:
            return False
        raws, ties = left
        try:
            for payload, dtype, holes in raws:
                _fill_raw(payload, _DTYPES[dtype], holes, model)
        except BitstreamError:
            return False
        for source, target, size in ties:
            model[target : target + size] = model[source : source + size]
        return True


def open_straight(units: Sequence[_Bytes], limits: Limits) -> Straight | None:
    """Look at units; None where there is no kernel for them, or something is out of the ordinary.

    Args:
        units: The base, then each unit with the one before it as its parent.
        limits: Bounds on what they claim.
    """
    if outline_base is None or not units:
        return None
    bounds = _usual_bounds() if limits is LIMITS else _bounds(limits)
    found = outline_base(units[0], bounds)
    if found is None:
        return None
    base = memoryview(units[0])
    frame, flags = found.frame, found.flags
    try:
        content = open_content(
            base[frame : frame + found.frame_size],
            found.content_size,
            found.tensors,
            found.model_size,
            limits,
        )
        unpacked = raw.decode(
            base[flags : flags + found.flags_size], _FLAGS_SIZE * found.tensors, _FLAGS_SIZE
        )
    except (BitstreamError, LimitError):
        return None
    if content.whole is None:
        return None
    return Straight(found.model_size, list(units), bounds, content.whole, unpacked)


def _bounds(limits: Limits) -> NDArray[np.int64]:
    """As the kernel lays them out."""
    numbers = [limits.model_size, limits.tensors, limits.topology_size, limits.unit_size]
    numbers += [limits.dimensions, limits.trits, LIMITS.scale_deltas]
    return np.array(
        [*numbers, LIMITS.slice_weights, SMALL_TENSOR, GROUP_WEIGHTS, TOGETHER], np.int64
    )


@cache
def _usual_bounds() -> NDArray[np.int64]:
    return _bounds(LIMITS)


@cache
def _tables() -> Tables:
    """All that symbols are looked up in."""
    return (
        levels.slots().packed,
        digits.starts(),
        refined_points.starts(),
        codeword_frequencies(),
        values.frequencies(),
        grid.float_sizes(0),
    )


def _fill_raw(
    payload: bytes, dtype: DType, holes: Sequence[tuple[int, int]], model: memoryview
) -> None:
    """Write a raw slice into its holes: where each starts, and how many weights it has."""
    found = kept.decode(memoryview(payload), sum(weights for _, weights in holes), dtype)
    taken = 0
    for start, weights in holes:
        data = storage.as_bytes(found[taken : taken + weights], dtype)
        model[start : start + len(data)] = data
        taken += weights
