"""A model to an update of the model before it. Knows nothing of releases, runtimes or disks.

Each part is looked at by itself: what is expected of it, whether anything else than that came,
and how what came is spread; then each slice is coded in the way that takes the fewest bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midstream import formats
from midstream.bitstream import Operation, Record, Slice, Topology, UpdateHead, state_id, write_unit
from midstream.bitstream.parts import Part, parts_of
from midstream.codec import Context, TensorCode, differences, grid, kept, levels, scales, storage
from midstream.codec.references import Reference
from midstream.encoder.expecting import expect
from midstream.encoder.matching import match, named
from midstream.types import DType, Tensor, UnitKind

__all__ = ["encode_update", "holes_of"]

_LARGEST_LEVEL = 1 << 15
"""As far as widths are fitted."""
_MOST_LEVEL = 1 << 20
_FEWEST = 600
"""Weights of a tensor whose rows are looked at one by one."""
_WIDTH_OF_ONE = 12
_MOST_DELTA = 48
_DEAD = -100
"""Quarter octaves of rows and columns in which nothing is new."""
_MOSTLY = 0.5
"""Scales are fitted to all weights of a tensor where so many of them changed."""

_PRUNED = 1 / 8
"""Of the weights of a tensor that were zero: so many are not by chance."""
_NOT_CODED = TensorCode(coded=False)

_Stored = NDArray[np.generic]
_Flags = NDArray[np.bool_]
_Levels = NDArray[np.int32]
_Deltas = NDArray[np.int8]


def holes_of(model: bytes | memoryview) -> tuple[Tensor, ...]:
    """The tensors of a model file that units code.

    Raises:
        FormatError: It cannot be read.
        LimitError: A count or size in it is over its limit.
    """
    return tuple(tensor for tensor in formats.open_model(model).tensors if _is_hole(tensor))


def _is_hole(tensor: Tensor) -> bool:
    return tensor.dtype is not DType.INT4 or tensor.weights % 2 == 0


def encode_update(
    old: Topology,
    old_model: bytes | bytearray | memoryview,
    new_model: bytes,
    *,
    layer: int = 0,
    report: Callable[[float], None] = lambda _: None,
) -> bytes:
    """The unit that makes a model file of another, bit for bit.

    Args:
        old: The topology of the model before it, as its release has it.
        old_model: Its file.
        new_model: The new file, as it is coded.
        layer: The layer of the new release that is exact.
        report: Told how far it is, 0 to 1.

    Raises:
        FormatError: The new model file cannot be read.
        LimitError: A count or size in it is over its limit.
    """
    tensors = holes_of(new_model)
    topology = Topology.cut(new_model, tensors)
    with memoryview(old_model).cast("B") as parent, memoryview(new_model) as model:
        sources = match(tensors, named(old.tensors, parent))
        if _is_same(old, topology, parent, model) and sources == tuple(range(len(tensors))):
            topology = old
        parts = parts_of(tensors, old.tensors, sources)
        looks = []
        for place, part in enumerate(parts):
            looks.append(_look(part, parent, model))
            report((place + 1) / (len(parts) + 1))
        head = _head(state_id(old, old_model), old, topology, sources, looks)
        records = _records(head, parent, model)
    return write_unit(UnitKind.UPDATE, layer, head.write(), records)


def _is_same(old: Topology, new: Topology, parent: memoryview, model: memoryview) -> bool:
    """Whether nothing but weights changed."""
    if old.table != new.table or len(parent) != len(model):
        return False
    edges = [0, *(edge for t in new.tensors for edge in (t.offset, t.end)), len(model)]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return all(parent[start:stop] == model[start:stop] for start, stop in gaps)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What is to be said of one part."""

    is_changed: bool
    reference: Reference | None = None
    code: TensorCode = _NOT_CODED


def _look(part: Part, parent: memoryview, model: memoryview) -> _Look:
    if part.source is None:
        return _Look(is_changed=True)
    count = part.tensor.weights
    old, new = part.old(parent, 0, count), part.new(model, 0, count)
    if differences.same(old, new).all():
        return _Look(is_changed=False)
    if part.tensor.dtype is DType.INT32:
        return _Look(is_changed=True)
    reference = expect(old, new, part.tensor)
    if reference is not None:
        old = reference.apply(old, part.tensor, 0)
    return _Look(is_changed=True, reference=reference, code=_fit(old, new, part.tensor))


def _fit(old: _Stored, new: _Stored, tensor: Tensor) -> TensorCode:
    """How wide the differences spread: those of all weights, or of the changed ones alone."""
    changed = ~differences.same(old, new)
    if not changed.any():
        return _NOT_CODED
    with np.errstate(invalid="ignore"):  # what is no number has no distance
        distance = storage.to_float64(new, tensor.dtype) - storage.to_float64(old, tensor.dtype)
    distance[~np.isfinite(distance)] = 0
    if tensor.dtype.is_float:
        distance = _without_zeros(distance, storage.to_float64(old, tensor.dtype) == 0)
    step, found = _levels(distance, tensor.dtype)
    every = _fit_all(found, changed, tensor, step)
    if changed.mean() > _MOSTLY:
        return every
    some = Tensor(name=tensor.name, dtype=tensor.dtype, shape=(int(changed.sum()),), offset=0)
    few = scales.fit(found[changed], some, step=step, may_predict=False)
    naming = tensor.weights * _entropy(float(changed.mean()))
    is_spread = _cost(found, tensor, every) < naming + _cost(found[changed], some, few)
    return every if is_spread else few


def _fit_all(found: _Levels, changed: _Flags, tensor: Tensor, step: int) -> TensorCode:
    """The better of two fits, where there are rows or columns in which nothing is new."""
    plain = _fit_every(found, tensor, step)
    is_live = [_any_along(changed, tensor, axis) for axis in (tensor.row_axis, tensor.column_axis)]
    if tensor.weights < _FEWEST or all(own is None or own.all() for own in is_live):
        return plain
    live = _fit_live(found, is_live, tensor, step)
    return min((plain, live), key=lambda code: _cost(found, tensor, code))


def _any_along(changed: _Flags, tensor: Tensor, axis: int | None) -> _Flags | None:
    """Whether anything changed, for each place on an axis."""
    if axis is None:
        return None
    others = tuple(at for at in range(len(tensor.shape)) if at != axis)
    return np.asarray(changed.reshape(tensor.shape).any(axis=others))


def _fit_live(
    found: _Levels, is_live: Sequence[_Flags | None], tensor: Tensor, step: int
) -> TensorCode:
    """Rows and columns in which nothing is new cost next to nothing, and tell nothing of others."""
    block = found.reshape(tensor.shape)
    for axis, own in zip((tensor.row_axis, tensor.column_axis), is_live, strict=True):
        if axis is not None and own is not None:
            block = np.compress(own, block, axis=axis)
    code = _fit_every(block.ravel(), replace(tensor, shape=block.shape), step)
    rows, columns = map(_with_dead, code.axes[:2], is_live)
    return replace(code, rows=rows, columns=columns)


def _with_dead(deltas: _Deltas | None, is_live: _Flags | None) -> _Deltas | None:
    if is_live is None or is_live.all():
        return deltas
    result = np.full(len(is_live), _DEAD, np.int8)
    result[is_live] = 0 if deltas is None else deltas
    return result


def _fit_every(found: _Levels, tensor: Tensor, step: int) -> TensorCode:
    """The better of two fits: rows that hardly moved beside others are found by their sizes."""
    plain = scales.fit(found, tensor, step=step, may_predict=False)
    axis = tensor.row_axis
    if axis is None or tensor.weights < _FEWEST or tensor.shape[axis] == tensor.weights:
        return plain
    rows = np.moveaxis(found.reshape(tensor.shape), axis, 0).reshape(tensor.shape[axis], -1)
    sizes = np.sqrt((rows.astype(np.float64) ** 2).mean(axis=1))
    widths = np.rint(4 * np.log2(np.maximum(sizes, 1 / 8))).astype(np.int64) + _WIDTH_OF_ONE
    base = int(np.median(widths))
    deltas = np.clip(widths - base, -_MOST_DELTA, _MOST_DELTA).astype(np.int8)
    known = TensorCode(step=step, shape=1, width=base, rows=deltas)
    other = scales.refit(found, tensor, known)
    return min((plain, other), key=lambda code: _cost(found, tensor, code))


def _without_zeros(
    distance: NDArray[np.float64], is_zero: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Where nothing was before, as in pruned weights, what moved next to it: it moves otherwise."""
    if is_zero.all() or is_zero.mean() < _PRUNED:
        return distance
    place = np.where(is_zero, np.flatnonzero(~is_zero)[0], np.arange(len(distance)))
    return distance[np.maximum.accumulate(place)]


def _levels(distance: NDArray[np.float64], dtype: DType) -> tuple[int, _Levels]:
    """Differences as levels: a step index, and of integers themselves."""
    if not dtype.is_float:
        return 0, distance.astype(np.int32)
    largest = float(np.abs(distance).max())
    step = grid.step_index(largest / _LARGEST_LEVEL) if largest > 0 else 0
    near = np.rint(distance / grid.step_size(step, 0, dtype))
    return step, np.clip(near, -_MOST_LEVEL, _MOST_LEVEL).astype(np.int32)


def _cost(found: _Levels, tensor: Tensor, code: TensorCode) -> float:
    """Bits of differences and of what says how they spread."""
    width = scales.contexts(tensor, code, 0, tensor.weights)
    context = Context(shape=np.full(len(width), code.shape, np.int8), width=width)
    return levels.cost(found, context) + scales.vectors_cost(code)


def _entropy(share: float) -> float:
    """Bits of a flag that is set so often."""
    shares = np.array([share, 1 - share])
    return float(-(shares * np.log2(np.maximum(shares, 1e-12))).sum())


def _head(
    parent: bytes,
    old: Topology,
    new: Topology,
    sources: tuple[int | None, ...],
    looks: Sequence[_Look],
) -> UpdateHead:
    kept = [source is not None for source in _part_sources(old, new, sources)]
    changed = frozenset(at for at, look in enumerate(looks) if look.is_changed and kept[at])
    listed = [look for look, is_kept in zip(looks, kept, strict=True) if look.is_changed]
    return UpdateHead(
        parent=parent,
        old=old,
        topology=new,
        sources=sources,
        changed=changed,
        references={
            at: look.reference for at, look in enumerate(looks) if look.reference is not None
        },
        codes=tuple(look.code for look in listed),
    )


def _part_sources(
    old: Topology, new: Topology, sources: Sequence[int | None]
) -> list[Tensor | None]:
    return [part.source for part in parts_of(new.tensors, old.tensors, sources)]


def _records(head: UpdateHead, parent: memoryview, model: memoryview) -> list[Record]:
    records = []
    for index, piece in enumerate(head.slices):
        record = _record(head, piece, parent, model)
        if record is not None:
            records.append(Record(slice=index, operation=record[0], payload=record[1]))
    return records


def _record(
    head: UpdateHead, piece: Slice, parent: memoryview, model: memoryview
) -> tuple[Operation, bytes] | None:
    """The operation on one slice that takes the fewest bytes; None where it is as expected."""
    new = np.concatenate(
        [head.parts[head.listed[r.tensor]].new(model, r.start, r.stop) for r in piece.runs]
    )
    is_kept = all(head.parts[head.listed[run.tensor]].source is not None for run in piece.runs)
    if not is_kept:
        return Operation.RAW, kept.encode(new, piece.dtype)
    old = head.expected(piece, parent)
    if differences.same(old, new).all():
        return None
    if not piece.coded:
        return Operation.RAW, kept.encode(new, piece.dtype)
    payload = differences.encode(new, old, head.sigmas(piece), piece.dtype)
    if len(payload) * 8 > piece.weights * piece.dtype.bits * 0.6:
        other = kept.encode(new, piece.dtype)
        if len(other) < len(payload):
            return Operation.RAW, other
    return Operation.DIFFERENCES, payload
