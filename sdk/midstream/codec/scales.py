"""Tensor parameters: what they say of each weight, and to bytes.

Knows nothing of how they are chosen; `fit` is the one who does (fitting.py).
(spec/coding.md, "Tensor parameters".)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels, raw
from midstream.codec.axes import add_vector
from midstream.codec.costs import spreads
from midstream.codec.fitting import fit, refit
from midstream.codec.grid import MAX_STEP_INDEX
from midstream.codec.parameter_lists import (
    CODED,
    COLUMNS,
    LATTICE,
    PREDICTOR,
    SHAPE_SHIFT,
    TIED,
    VECTOR_FLAGS,
    Lists,
    lists_context,
)
from midstream.codec.parameter_reading import read
from midstream.codec.parameters import Context, TensorCode
from midstream.types import Tensor
from midstream.wire import Writer

__all__ = [
    "contexts",
    "fit",
    "read",
    "refit",
    "vectors_cost",
    "weight_steps",
    "write",
    "write_contexts",
]

_HALF_OCTAVE = 8  # step indices


def contexts(tensor: Tensor, code: TensorCode, start: int, stop: int) -> NDArray[np.int16]:
    """The width of each weight from `start` to `stop` in flattened order, not clamped."""
    widths = np.empty(stop - start, np.int16)
    write_contexts(widths, tensor, code, start)
    return widths


def write_contexts(widths: NDArray[np.int16], tensor: Tensor, code: TensorCode, start: int) -> None:
    """Write the width of each weight from `start` on, so many as there is room for."""
    widths.fill(code.width)
    for axis, deltas in enumerate(code.axes):
        if deltas is not None:
            add_vector(widths, deltas, tensor, axis, start)


def weight_steps(tensor: Tensor, code: TensorCode, start: int, stop: int) -> NDArray[np.int32]:
    """The step index or trit exponent of each weight from `start` to `stop`."""
    if code.row_steps is None and code.column_steps is None:
        return np.full(stop - start, code.step, np.int32)
    steps = np.full(stop - start, code.step, np.int16)
    for axis, halves in enumerate((code.row_steps, code.column_steps)):
        if halves is not None:
            add_vector(steps, halves, tensor, axis, start, factor=_HALF_OCTAVE)
    return np.clip(steps, -MAX_STEP_INDEX, MAX_STEP_INDEX).astype(np.int32)


def vectors_cost(code: TensorCode) -> float:
    """About the bits that the log-scales and half octaves of a tensor take."""
    vectors = [v.astype(np.int32) for v in code.vectors if v is not None]
    context = lists_context(spreads(vectors), [len(v) for v in vectors])
    return levels.cost(np.concatenate([np.zeros(0, np.int32), *vectors]), context)


def write(codes: Sequence[TensorCode], tensors: Sequence[Tensor]) -> bytes:
    """The parameters of all tensors of a network."""
    flags = np.array([_flags(code) for code in codes], "<u2")
    out = Writer().blob(raw.encode(flags.tobytes(), 2, may_be_slow=False))
    vectors = [v for code in codes if code.coded for v in code.vectors if v is not None]
    widths = spreads(vectors)
    lists = _lists(list(zip(codes, tensors, strict=True)), widths)
    out.raw(_write_lists(lists))
    context = lists_context(widths, [len(vector) for vector in vectors])
    return out.raw(levels.encode(_joined(vectors), context)).bytes()


def _flags(code: TensorCode) -> int:
    if code.same_as is not None:
        return TIED
    if not code.coded:
        return 0
    pairs = zip(VECTOR_FLAGS, code.vectors, strict=True)
    vectors = sum(flag for flag, vector in pairs if vector is not None)
    predictor = PREDICTOR if code.predictor else 0
    lattice = LATTICE if code.lattice else 0
    return CODED | vectors | code.shape << SHAPE_SHIFT | predictor | lattice


def _lists(pairs: Sequence[tuple[TensorCode, Tensor]], spreads: list[int]) -> Lists:
    coded = [(code, tensor) for code, tensor in pairs if code.coded and code.same_as is None]
    predictors = [code.predictor for code, _ in coded if code.predictor]
    return Lists(
        steps=np.diff([code.step for code, _ in coded], prepend=0).tolist(),
        widths=np.diff([code.width for code, _ in coded], prepend=0).tolist(),
        offsets=[code.offset for code, tensor in coded if not tensor.dtype.is_float],
        spreads=np.diff(spreads, prepend=0).tolist(),
        neighbours=[sum(1 << place for place, _ in terms) for terms in predictors],
        coefficients=[coefficient for terms in predictors for _, coefficient in terms],
        ties=[at - c.same_as for at, (c, _) in enumerate(pairs) if c.same_as is not None],
    )


def _write_lists(lists: Lists) -> bytes:
    """The widths of all lists, then all of them in payloads of levels."""
    columns = [np.array(column, np.int32) for column in lists.columns()]
    widths = spreads(columns)
    first = levels.encode(np.concatenate(columns[:5]), _contexts_of(widths, columns, 0, 5))
    # how many coefficients there are, the neighbours say
    second = levels.encode(np.concatenate(columns[5:]), _contexts_of(widths, columns, 5, COLUMNS))
    return bytes(widths) + first + second


def _contexts_of(
    widths: Sequence[int], columns: Sequence[NDArray[np.int32]], start: int, stop: int
) -> Context:
    return lists_context(widths[start:stop], [len(column) for column in columns[start:stop]])


def _joined(vectors: Sequence[NDArray[np.int8]]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *vectors]).astype(np.int32)
