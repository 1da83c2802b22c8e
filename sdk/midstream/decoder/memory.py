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
_PREDICTED = 3
"""How many other weights one takes the memory of that is predicted from others."""
_SLICE_MEMORY = 1024
_RECORD_MEMORY = 512
_TABLES_MEMORY = 6 << 20
"""Tables of the entropy coder, spread out for those in use."""


def group_sizes(slices: Sequence[Slice], codes: Sequence[TensorCode]) -> Iterator[int]:
    """How many slices are decoded together, group by group."""
    ends = list(_group_ends(_costs(slices, codes), _GROUP_WEIGHTS))
    yield from (stop - start for start, stop in pairwise([0, *ends]))


def _costs(slices: Sequence[Slice], codes: Sequence[TensorCode]) -> list[int]:
    """Of each slice, its weights by the memory that they take."""
    return [
        piece.weights
        * (_PREDICTED if any(codes[run.tensor].predictor for run in piece.runs) else 1)
        for piece in slices
    ]


def _group_ends(costs: Sequence[int], most: int) -> Iterator[int]:
    total = 0
    for place, cost in enumerate(costs):
        if total + cost > most and total:
            yield place
            total = 0
        total += cost
    if costs:
        yield len(costs)


def working_memory(
    slices: Sequence[Slice],
    records: Sequence[Sequence[Record]],
    codes: Sequence[TensorCode],
) -> int:
    """An upper bound on what decoding takes besides units, topology and result, bytes."""
    scales = sum(axis.size for code in codes for axis in code.axes if axis is not None)
    costs = _costs(slices, codes)
    # whichever kernel decodes: what is signed holds for both
    ends = [0, *_group_ends(costs, _MOST_GROUP)]
    group = max((sum(costs[start:stop]) for start, stop in pairwise(ends)), default=0)
    listed = len(slices) * _SLICE_MEMORY + sum(map(len, records)) * _RECORD_MEMORY
    # scales are decoded before the first slice, all at once
    return listed + scales + _WEIGHT_MEMORY * max(group, scales) + _TABLES_MEMORY
