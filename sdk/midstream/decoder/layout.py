"""A stack as the arrays that a kernel decodes. Knows nothing of payloads."""

from collections.abc import Sequence
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head
from midstream.codec import TensorCode
from midstream.decoder.memory import group_sizes
from midstream.decoder.stack import Stack
from midstream.kernels.stacks import AXES, NEIGHBOURS, Network, Work
from midstream.types import Tensor

__all__ = ["network_of", "work_of"]

_NO_AXIS = -1
_NO_VECTOR = -1
_PADDING = [(0,) * (AXES - rank) for rank in range(AXES + 1)]
_NO_VECTORS = (_NO_VECTOR,) * 5
_NO_COEFFICIENTS = (0,) * NEIGHBOURS
_ROW = Struct(f"={6 + AXES + 5 + 5 + NEIGHBOURS}q")


def network_of(head: Head) -> Network:
    """The tensors of a head, and what their parameters say."""
    vectors: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    rows = []
    place = 0
    for tensor, code in zip(head.topology.tensors, head.codes, strict=True):
        places: Sequence[int] = _NO_VECTORS
        if code.coded:
            places, place = _add_vectors(code, vectors, place)
        rows.append(_ROW.pack(*_row(tensor, code, places)))
    # packed one by one: arrays of tuples take three times as long
    return Network(tensors=np.frombuffer(b"".join(rows), np.int64), vectors=np.concatenate(vectors))


def _add_vectors(
    code: TensorCode, vectors: list[NDArray[np.int8]], place: int
) -> tuple[tuple[int, ...], int]:
    """Where the vectors of a tensor are, and where those of the next one will be."""
    places = []
    for vector in code.vectors:
        places.append(_NO_VECTOR if vector is None else place)
        if vector is not None:
            vectors.append(vector)
            place += len(vector)
    return tuple(places), place


def _row(tensor: Tensor, code: TensorCode, vectors: Sequence[int]) -> tuple[int, ...]:
    shape = tensor.shape
    coefficients = _NO_COEFFICIENTS
    if code.predictor:
        known = dict(code.predictor)
        coefficients = tuple(known.get(place, 0) for place in range(NEIGHBOURS))
    return (
        tensor.offset,
        tensor.dtype,
        tensor.weights,
        _NO_AXIS if tensor.row_axis is None else tensor.row_axis,
        _NO_AXIS if tensor.column_axis is None else tensor.column_axis,
        len(shape),
        *shape,
        *_PADDING[len(shape)],
        code.step,
        code.offset,
        code.shape,
        code.width,
        code.lattice,
        *vectors,
        *coefficients,
    )


def work_of(stack: Stack) -> Work:
    """What is done to the slices of a stack."""
    spans = [(run.tensor, run.start, run.stop) for piece in stack.head.slices for run in piece.runs]
    slices, span, record = [], 0, 0
    for piece, records in zip(stack.head.slices, stack.records, strict=True):
        slices.append((span, len(piece.runs), record, len(records)))
        span += len(piece.runs)
        record += len(records)
    flat = [record for records in stack.records for record in records]
    return Work(
        spans=np.array(spans, np.int64),
        slices=np.array(slices, np.int64),
        operations=np.array([record.operation for record in flat], np.int64),
        payloads=[record.payload for record in flat],
        groups=np.array(list(group_sizes(stack.head, stack.records)), np.int64),
    )
