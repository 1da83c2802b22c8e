"""How much memory decoding takes, before any is taken. Knows nothing of payloads.

Slices are decoded in groups: many side by side are faster, fewer take less memory.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from midstream import kernels
from midstream.bitstream import Record, Slice
from midstream.codec import TensorCode

__all__ = ["group_sizes", "working_memory"]

_MOST_GROUP = 1 << 18
_GROUP_WEIGHTS = 1 << 16 if kernels.NAME == "native" else _MOST_GROUP
"""Of a group: NumPy's steps cost by the step, so it takes more lanes at once."""
_WEIGHT_MEMORY = 80
"""Of one weight in a group; a test holds the decoder to it."""
_SLICE_MEMORY = 1024
_RECORD_MEMORY = 512
_TABLES_MEMORY = 6 << 20
"""Tables of the entropy coder, spread out for those in use."""


def group_sizes(slices: Sequence[Slice]) -> Iterator[int]:
    """How many slices are decoded together, group by group."""
    ends = list(_group_ends(slices, _GROUP_WEIGHTS))
    yield from (stop - start for start, stop in pairwise([0, *ends]))


def _group_ends(slices: Sequence[Slice], most: int) -> Iterator[int]:
    weights = 0
    for place, piece in enumerate(slices):
        if weights + piece.weights > most and weights:
            yield place
            weights = 0
        weights += piece.weights
    if slices:
        yield len(slices)


def working_memory(
    slices: Sequence[Slice],
    records: Sequence[Sequence[Record]],
    codes: Sequence[TensorCode],
) -> int:
    """An upper bound on what decoding takes besides units, topology and result, bytes."""
    scales = sum(axis.size for code in codes for axis in code.axes if axis is not None)
    sizes = [piece.weights for piece in slices]
    # whichever kernel decodes: what is signed holds for both
    ends = [0, *_group_ends(slices, _MOST_GROUP)]
    group = max((sum(sizes[start:stop]) for start, stop in pairwise(ends)), default=0)
    listed = len(slices) * _SLICE_MEMORY + sum(map(len, records)) * _RECORD_MEMORY
    # scales are decoded before the first slice, all at once
    return listed + scales + _WEIGHT_MEMORY * max(group, scales) + _TABLES_MEMORY
