"""A model file in one unit, bit for bit. Knows nothing of rungs.

Each slice is coded in the way that takes the fewest bytes: values without levels, levels and
their places, or the bytes as they are. The step of a float tensor only tells how wide its
weights spread; that of an integer tensor is one, so that its levels are its weights.
"""

from collections.abc import Sequence

import numpy as np

from midstream.bitstream import (
    Head,
    Operation,
    Record,
    Slice,
    Topology,
    protected_size,
    write_unit,
)
from midstream.codec import TensorCode, exact, grid, kept, levels, raw, scales, storage, values
from midstream.encoder.units import EncodedUnit, Evaluate
from midstream.encoder.weights import Weights
from midstream.types import Fidelity, UnitKind

__all__ = ["exact_unit"]

_LARGEST_LEVEL = 1 << 15
"""As far as widths are fitted: rows of any smaller scale are told from zeros."""
_SLOWER = 1.003
"""Levels and their places are slower to decode than values: they must save this much."""


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
    steps = [_step(w) for w in weights]
    codes = [_code(w, step) for w, step in zip(weights, steps, strict=True)]
    head = Head(topology=topology, codes=tuple(codes))
    prefers_levels: dict[int, bool] = {}
    records: list[Record] = []
    for index, piece in enumerate(head.slices):
        for operation, payload in _shortest(head, piece, weights, prefers_levels):
            records.append(Record(slice=index, operation=operation, payload=payload))
    return write_unit(UnitKind.BASE, 0, head.write(), records)


def _step(weights: Weights) -> int:
    if not weights.tensor.dtype.is_float:
        return 0
    largest = float(np.abs(weights.values).max())
    return grid.step_index(largest / _LARGEST_LEVEL) if largest > 0 and weights.coded else 0


def _code(weights: Weights, step: int) -> TensorCode:
    if not weights.coded:
        return TensorCode(coded=False, same_as=weights.same_as)
    near = weights.levels(step)
    return scales.fit(near, weights.tensor, step=step, offset=weights.offset)


_Payloads = list[tuple[Operation, bytes]]


def _shortest(
    head: Head, piece: Slice, weights: Sequence[Weights], prefers_levels: dict[int, bool]
) -> _Payloads:
    """The operations on one slice that take the fewest bytes."""
    stored = np.concatenate([weights[r.tensor].stored[r.start : r.stop] for r in piece.runs])
    data = storage.dump(stored, piece.dtype)
    if not piece.coded:
        return [(Operation.RAW, kept.encode(stored, piece.dtype))]
    # slices of one tensor are alike: the first one decides for all of them
    tensor = piece.runs[0].tensor
    best = [] if prefers_levels.get(tensor, False) else _values(head, piece, stored)
    if not best or tensor not in prefers_levels:
        climbed = _levels(head, piece, stored)
        prefers_levels[tensor] = not best or _size(climbed) * _SLOWER < _size(best)
        best = climbed if prefers_levels[tensor] else best
    if raw.estimate(data, _item_size(piece)) < _size(best) * raw.PROMISING:
        best = min(best, [(Operation.RAW, raw.encode(data, _item_size(piece)))], key=_size)
    return best


def _values(head: Head, piece: Slice, stored: np.ndarray) -> _Payloads:
    """Nothing for integers, whose levels are their values."""
    if not piece.dtype.is_float:
        return []
    context, steps = head.context(piece), head.steps(piece)
    payload = values.encode_many([stored], [context], [steps], [piece.dtype])[0]
    return [(Operation.VALUES, payload)]


def _levels(head: Head, piece: Slice, stored: np.ndarray) -> _Payloads:
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


def _item_size(piece: Slice) -> int:
    return max(1, piece.dtype.bits // 8)
