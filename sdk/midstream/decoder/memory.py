"""How much memory decoding takes, before any is taken. Knows nothing of payloads.

Slices are decoded in groups: many side by side are faster, fewer take less memory.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from midstream import kernels
from midstream.bitstream import Head, Operation, Record
from midstream.codec import TensorCode
from midstream.codec.prediction import places
from midstream.types import Tensor

__all__ = ["TOGETHER", "group_sizes", "most_together", "working_memory"]

_MOST_GROUP = 1 << 18
TOGETHER = 1 << 16 if kernels.NAME == "native" else _MOST_GROUP
"""Of a group: NumPy's steps cost by the step, so it takes more lanes at once."""
_WEIGHT_MEMORY = 80
"""Of one weight in a group; a test holds the decoder to it."""
_FINELY_PREDICTED = 3
"""As much memory as this many weights takes one whose neighbours' distances change often."""
_FINE_STRIDE = 8
"""Weights between such changes, at least, where they are rare."""
_SLICE_MEMORY = 1024
_RECORD_MEMORY = 512
_TABLES_MEMORY = 14 << 20
"""Tables of the entropy coder, spread out for those in use."""


def group_sizes(head: Head, records: Sequence[Sequence[Record]]) -> Iterator[int]:
    """How many slices are decoded together, group by group."""
    costs = _weights(head) if kernels.NAME == "native" else _costs(head, records)
    ends = list(_group_ends(costs, TOGETHER))
    yield from (stop - start for start, stop in pairwise([0, *ends]))


def most_together(head: Head, records: Sequence[Sequence[Record]]) -> int:
    """Weights of a group, at most."""
    pieces = iter(head.slices)
    sizes = group_sizes(head, records)
    return max((sum(next(pieces).weights for _ in range(n)) for n in sizes), default=0)


def _costs(head: Head, records: Sequence[Sequence[Record]]) -> list[int]:
    """Of each slice, its weights by the memory that they take."""
    return [
        cost - cost // 2 if _is_light(own, cost == piece.weights) else cost
        for cost, piece, own in zip(_weights(head), head.slices, records, strict=True)
    ]


def _is_light(records: Sequence[Record], is_plain: bool) -> bool:
    """Whether the weights of a slice take half as much memory as others: levels, and no more."""
    return is_plain and [record.operation for record in records] == [Operation.LEVELS]


def _weights(head: Head) -> list[int]:
    """Of each slice, its weights; more where they are predicted finely."""
    pairs = zip(head.topology.tensors, head.codes, strict=True)
    fine = {
        at
        for at, (tensor, code) in enumerate(pairs)
        if code.predictor and _is_finely_predicted(tensor, code)
    }
    if not fine:
        return [piece.weights for piece in head.slices]
    return [
        piece.weights * (_FINELY_PREDICTED if any(run.tensor in fine for run in piece.runs) else 1)
        for piece in head.slices
    ]


def _is_finely_predicted(tensor: Tensor, code: TensorCode) -> bool:
    known = places(tensor)
    used = [place for at, _ in code.predictor if (place := known[at]) is not None]
    return min((place.stride for place in used), default=_FINE_STRIDE) < _FINE_STRIDE


def _group_ends(costs: Sequence[int], most: int) -> Iterator[int]:
    total = 0
    for place, cost in enumerate(costs):
        if total + cost > most and total:
            yield place
            total = 0
        total += cost
    if costs:
        yield len(costs)


def working_memory(head: Head, records: Sequence[Sequence[Record]]) -> int:
    """An upper bound on what decoding takes besides units, topology and result, bytes."""
    scales = sum(axis.size for code in head.codes for axis in code.axes if axis is not None)
    costs = _costs(head, records)
    # whichever kernel decodes: what is signed holds for both
    ends = [0, *_group_ends(costs, _MOST_GROUP)]
    group = max((sum(costs[start:stop]) for start, stop in pairwise(ends)), default=0)
    listed = len(head.slices) * _SLICE_MEMORY + sum(map(len, records)) * _RECORD_MEMORY
    # scales are decoded before the first slice, all at once
    return listed + scales + _WEIGHT_MEMORY * max(group, scales) + _TABLES_MEMORY
