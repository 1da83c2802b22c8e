"""A model file in one unit, bit for bit. Knows nothing of rungs.

Each slice is coded in the way that takes the fewest bytes: values without levels, levels and
their places, or the bytes as they are. The step of a float tensor only tells how wide its
weights spread; that of an integer tensor is one, so that its levels are its weights.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import (
    Head,
    Operation,
    Record,
    Slice,
    Topology,
    protected_size,
    write_unit,
)
from midstream.codec import TensorCode, exact, grid, kept, levels, scales, storage, values
from midstream.encoder.units import EncodedUnit, Evaluate
from midstream.encoder.weights import Weights
from midstream.types import Fidelity, UnitKind

__all__ = ["exact_unit"]

_LARGEST_LEVEL = 1 << 15
"""As far as widths are fitted: rows of any smaller scale are told from zeros."""
_LEVELS_PER_SIGMA = 18
_SLOWER = 1.03
"""Levels and their places decode a tenth as fast as values: they must save this much."""


def exact_unit(
    topology: Topology, weights: Sequence[Weights], *, evaluate: Evaluate | None, probes: int
) -> EncodedUnit:
    """A base that gives the model file back bit for bit.

    Args:
        topology: The file without its weights.
        weights: All tensors.
        evaluate: Measures a stack of units at the outputs.
        probes: Number of inputs that it uses.
    """
    data = _base(topology, weights)
    outputs = evaluate([data]) if evaluate is not None else None
    return EncodedUnit(
        kind=UnitKind.BASE,
        layer=0,
        rung="exact",
        data=data,
        head_size=protected_size(data),
        fidelity=Fidelity(
            weight_snr=float("inf"),
            output_snr=outputs,
            probes=probes if outputs is not None else 0,
        ),
    )


def _base(topology: Topology, weights: Sequence[Weights]) -> bytes:
    head, as_levels = _choose(topology, weights)
    return write_unit(UnitKind.BASE, 0, head.write(), _records(head, weights, as_levels))


def _records(head: Head, weights: Sequence[Weights], as_levels: set[int]) -> Iterator[Record]:
    """Slice by slice, so that none but its own are held beside the unit."""
    for index, piece in enumerate(head.slices):
        payloads = _shortest(head, piece, weights, piece.runs[0].tensor in as_levels)
        yield from (Record(slice=index, operation=o, payload=p) for o, p in payloads)


def _choose(topology: Topology, weights: Sequence[Weights]) -> tuple[Head, set[int]]:
    """The parameters of all tensors, and which of them are coded as levels.

    Slices of one tensor are alike: the first one decides for all of them.
    """
    fine = Head(topology=topology, codes=tuple(_values_code(w) for w in weights))
    coarse = Head(topology=topology, codes=tuple(_levels_code(w) for w in weights))
    as_levels: set[int] = set()
    seen: set[int] = set()
    for piece in fine.slices:
        tensors = {run.tensor for run in piece.runs}
        if piece.coded and not tensors & seen and _prefers_levels(fine, coarse, piece, weights):
            as_levels |= tensors
        seen |= tensors
    both = enumerate(zip(fine.codes, coarse.codes, strict=True))
    codes = tuple(pair[place in as_levels] for place, pair in both)
    return Head(topology=topology, codes=codes), as_levels


def _prefers_levels(fine: Head, coarse: Head, piece: Slice, weights: Sequence[Weights]) -> bool:
    """Whether a slice is shorter as levels; an integer's are its values."""
    if not piece.dtype.is_float:
        return True
    stored = _gather(piece, weights)
    levels_size, size = _size(_levels(coarse, piece, stored)), _size(_values(fine, piece, stored))
    return levels_size * _SLOWER < size


def _values_code(weights: Weights) -> TensorCode:
    """For values: sigma is that of the values themselves, found with as many levels as fit."""
    if not (weights.coded and weights.tensor.dtype.is_float):
        return _levels_code(weights)
    largest = weights.largest
    step = grid.step_index(largest / _LARGEST_LEVEL) if largest > 0 else 0
    return scales.fit(weights.levels(step), weights.tensor, step=step, may_predict=False)


def _levels_code(weights: Weights) -> TensorCode:
    """For levels and their places: about six bits; integers are their own levels."""
    if not weights.coded:
        return TensorCode(coded=False, same_as=weights.same_as)
    step = max(grid.step_index(weights.scale / _LEVELS_PER_SIGMA), weights.finest)
    step = step if weights.tensor.dtype.is_float else 0
    return scales.fit(weights.levels(step), weights.tensor, step=step, offset=weights.offset)


_Payloads = list[tuple[Operation, bytes]]


def _shortest(head: Head, piece: Slice, weights: Sequence[Weights], as_levels: bool) -> _Payloads:
    """The operations on one slice that take the fewest bytes."""
    stored = _gather(piece, weights)
    if not piece.coded:
        return [(Operation.RAW, kept.encode(stored, piece.dtype))]
    best = (_levels if as_levels else _values)(head, piece, stored)
    shorter = kept.encode_shorter(stored, piece.dtype, _size(best))
    return best if shorter is None else [(Operation.RAW, shorter)]


def _gather(piece: Slice, weights: Sequence[Weights]) -> NDArray[np.generic]:
    return np.concatenate([weights[r.tensor].stored[r.start : r.stop] for r in piece.runs])


def _values(head: Head, piece: Slice, stored: NDArray[np.generic]) -> _Payloads:
    payload = values.encode_many([stored], [head.sigmas(piece)], [piece.dtype])[0]
    return [(Operation.VALUES, payload)]


def _levels(head: Head, piece: Slice, stored: NDArray[np.generic]) -> _Payloads:
    steps = head.steps(piece)
    sizes = grid.step_sizes(steps, 0, piece.dtype)
    numbers = storage.to_float64(stored, piece.dtype) - head.offsets(piece)
    near = np.rint(numbers / sizes).astype(np.int32)
    payloads = [(Operation.LEVELS, levels.encode(near, head.context(piece)))]
    if piece.dtype.is_float:
        payloads.append((Operation.EXACT, exact.encode(stored, near, sizes, piece.dtype)))
    return payloads


def _size(payloads: _Payloads) -> int:
    return sum(len(payload) for _, payload in payloads)
