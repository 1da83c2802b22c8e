"""Adjoints of operators that only move numbers. Knows nothing of graphs.

Most are run on the places of their inputs instead of the numbers, which says where each output
came from; gradients go back that way.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.adjoints.elementwise import before_activation
from midstream.analysis.steps import Adjoint, Code, Found, Numbers, Pull, Step

__all__ = ["ADJOINTS"]

_Places = NDArray[np.int64]
_Moves = Callable[[Step, list[_Places]], Sequence[_Places]]
_NOWHERE = -1


def _same(pull: Pull) -> Found:
    gradient = pull.gradient
    return {0: gradient.reshape(len(gradient), *pull.read(0).shape)}


def _densify(pull: Pull) -> Found:
    """Places that no weight is stored for are zero, and stay so."""
    return {0: pull.gradient * (pull.result() != 0)}


def _transpose(pull: Pull) -> Found:
    order = np.argsort(pull.read(1).ravel())
    return {0: pull.gradient.transpose(0, *(1 + order))}


def _pad(pull: Pull) -> Found:
    if pull.wanted != {0}:
        raise LookupError("what is padded with is wanted")
    before = pull.read(1)[:, 0]
    pairs = zip(before, pull.read(0).shape, strict=True)
    inside = [slice(int(first), int(first) + size) for first, size in pairs]
    return {0: pull.gradient[(slice(None), *inside)]}


def _concatenation(pull: Pull) -> Found:
    options, result = pull.operator.options, pull.result()
    gradient = before_activation(pull.gradient, result, options.byte(1))
    axis = options.integer(0) % result.ndim
    sizes = [pull.read(place).shape[axis] for place in range(len(pull.operator.inputs))]
    parts = np.split(gradient, np.cumsum(sizes)[:-1], axis=1 + axis)
    return {place: parts[place] for place in pull.wanted}


def _whole(step: Step, place: int) -> list[int]:
    """An input that is a few whole numbers."""
    return [int(number) for number in step.read(place).ravel()]


def _strided_slice(step: Step, data: list[_Places]) -> Sequence[_Places]:
    options, rank = step.operator.options, data[0].ndim
    begin, end, strides = (_whole(step, place) for place in (1, 2, 3))
    masks = [options.integer(field) for field in range(5)]
    if masks[2] or masks[3] or options.flag(5) or len(begin) > rank:
        raise LookupError("a slice with an ellipsis, a new axis or offsets")
    index: list[slice | int] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, strides, strict=True)):
        if masks[4] >> axis & 1:
            index.append(first)
        else:
            start = None if masks[0] >> axis & 1 else first
            stop = None if masks[1] >> axis & 1 else last
            index.append(slice(start, stop, stride))
    return [np.asarray(data[0][tuple(index)])]


def _slice(step: Step, data: list[_Places]) -> Sequence[_Places]:
    begin = _whole(step, 1)
    sizes = step.result().shape
    pairs = zip(begin, sizes, strict=True)
    return [data[0][tuple(slice(first, first + size) for first, size in pairs)]]


def _split(step: Step, data: list[_Places]) -> Sequence[_Places]:
    is_uneven = step.operator.code == Code.SPLIT_V
    places = data[0 if is_uneven else 1]
    axis = _whole(step, 2 if is_uneven else 0)[0]
    ends = np.cumsum([step.result(n).shape[axis] for n in range(len(step.operator.outputs))])
    return np.split(places, ends[:-1], axis=axis)


def _unpack(step: Step, data: list[_Places]) -> Sequence[_Places]:
    return list(np.moveaxis(data[0], step.operator.options.integer(1), 0))


def _pack(step: Step, data: list[_Places]) -> Sequence[_Places]:
    return [np.stack(data, axis=step.operator.options.integer(1))]


def _depth_to_space(step: Step, data: list[_Places]) -> Sequence[_Places]:
    block = step.operator.options.integer(0)
    n, height, width, channels = data[0].shape
    cells = data[0].reshape(n, height, width, block, block, channels // block**2)
    return [cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, height * block, width * block, -1)]


def _space_to_depth(step: Step, data: list[_Places]) -> Sequence[_Places]:
    block = step.operator.options.integer(0)
    n, height, width, channels = data[0].shape
    cells = data[0].reshape(n, height // block, block, width // block, block, channels)
    return [cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // block, width // block, -1)]


def _space_to_batch(step: Step, data: list[_Places]) -> Sequence[_Places]:
    (high, wide), margins = _whole(step, 1), step.read(2)
    around = ((0, 0), *(tuple(int(side) for side in pair) for pair in margins), (0, 0))
    padded = np.pad(data[0], around, constant_values=_NOWHERE)
    n, height, width, channels = padded.shape
    cells = padded.reshape(n, height // high, high, width // wide, wide, channels)
    return [cells.transpose(2, 4, 0, 1, 3, 5).reshape(-1, height // high, width // wide, channels)]


def _batch_to_space(step: Step, data: list[_Places]) -> Sequence[_Places]:
    (high, wide), crops = _whole(step, 1), step.read(2)
    n, height, width, channels = data[0].shape
    cells = data[0].reshape(high, wide, n // (high * wide), height, width, channels)
    whole = cells.transpose(2, 3, 0, 4, 1, 5).reshape(-1, height * high, width * wide, channels)
    rows = slice(int(crops[0, 0]), whole.shape[1] - int(crops[0, 1]))
    columns = slice(int(crops[1, 0]), whole.shape[2] - int(crops[1, 1]))
    return [whole[:, rows, columns]]


def _gather(step: Step, data: list[_Places]) -> Sequence[_Places]:
    options = step.operator.options
    if options.integer(1):
        raise LookupError("a gather in batches")
    return [np.take(data[0], step.read(1).astype(np.intp), axis=options.integer(0))]


def _mirror_pad(step: Step, data: list[_Places]) -> Sequence[_Places]:
    around = [tuple(int(side) for side in pair) for pair in step.read(1)]
    if step.operator.options.byte(0) == 0:
        return [np.pad(data[0], around, mode="reflect")]
    return [np.pad(data[0], around, mode="symmetric")]


def _tile(step: Step, data: list[_Places]) -> Sequence[_Places]:
    return [np.tile(data[0], _whole(step, 1))]


def _broadcast(step: Step, data: list[_Places]) -> Sequence[_Places]:
    return [np.broadcast_to(data[0], step.result().shape)]


def _reverse(step: Step, data: list[_Places]) -> Sequence[_Places]:
    return [np.flip(data[0], axis=tuple(_whole(step, 1)))]


_MOVES: Mapping[int, tuple[_Moves, bool]] = {
    Code.STRIDED_SLICE: (_strided_slice, False),
    Code.SLICE: (_slice, False),
    Code.SPLIT: (_split, False),
    Code.SPLIT_V: (_split, False),
    Code.UNPACK: (_unpack, False),
    Code.PACK: (_pack, False),
    Code.DEPTH_TO_SPACE: (_depth_to_space, False),
    Code.SPACE_TO_DEPTH: (_space_to_depth, False),
    Code.SPACE_TO_BATCH_ND: (_space_to_batch, False),
    Code.BATCH_TO_SPACE_ND: (_batch_to_space, False),
    Code.REVERSE_V2: (_reverse, False),
    Code.GATHER: (_gather, True),
    Code.MIRROR_PAD: (_mirror_pad, True),
    Code.TILE: (_tile, True),
    Code.BROADCAST_TO: (_broadcast, True),
}
"""Where outputs come from, and whether one input may go to several."""


def _moved(pull: Pull) -> Found:
    moves, repeats = _MOVES[pull.operator.code]
    shapes = [pull.read(place).shape for place in range(len(pull.operator.inputs))]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    starts = [0, *ends[:-1].tolist()]
    labels = [
        np.arange(start, end).reshape(shape)
        for start, end, shape in zip(starts, ends, shapes, strict=True)
    ]
    total: Numbers | None = None
    for places, gradient in zip(moves(pull, labels), pull.gradients, strict=True):
        if gradient is not None:
            if total is None:  # one more number takes what goes nowhere
                total = np.zeros((len(gradient), int(ends[-1]) + 1), np.float32)
            _send_back(total, places.ravel(), gradient.reshape(len(gradient), -1), repeats)
    if total is None:
        raise LookupError("no gradient of any output")
    return {
        place: total[:, starts[place] : ends[place]].reshape(len(total), *shapes[place])
        for place in pull.wanted
    }


def _send_back(total: Numbers, places: _Places, gradient: Numbers, repeats: bool) -> None:
    if not repeats:
        total[:, places] = gradient
        return
    for here, there in zip(gradient, total, strict=True):
        there += np.bincount(places, weights=here, minlength=there.size)[: there.size]


ADJOINTS: Mapping[int, Adjoint] = {
    **dict.fromkeys(_MOVES, _moved),
    Code.DENSIFY: _densify,
    Code.RESHAPE: _same,
    Code.SQUEEZE: _same,
    Code.EXPAND_DIMS: _same,
    Code.TRANSPOSE: _transpose,
    Code.PAD: _pad,
    Code.PADV2: _pad,
    Code.CONCATENATION: _concatenation,
}
