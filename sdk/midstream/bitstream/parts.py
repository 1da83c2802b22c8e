"""Which weights of a model have a counterpart in its parent, and where both are.

Knows nothing of how weights are coded. A tensor that comes from one of the same shape is one
part, kept; one that was resized is two, the block that both have and the rest, which is fresh;
one that comes from nowhere is fresh (spec/updates.md, "Parts").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from midstream.codec import storage
from midstream.types import DType, Tensor

__all__ = ["Part", "is_resizable", "parts_of"]

_Indices = NDArray[np.int64]


def is_resizable(old: Tensor, new: Tensor) -> bool:
    """Whether the weights of one tensor may be those of another of another shape."""
    return (
        old.dtype is new.dtype
        and len(old.shape) == len(new.shape)
        and (old.shape == new.shape or new.dtype is not DType.INT4)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Weights of one tensor of the new model."""

    tensor: Tensor
    """What they are coded as: of the block's shape, or a vector where they are a rest."""
    home: Tensor
    """The tensor of the new model."""
    source: Tensor | None
    """The tensor of the parent that has a counterpart of each; None where they are fresh."""
    is_whole: bool
    """Whether they are all weights of their tensor."""
    _block: tuple[int, ...] = field(default=(), repr=False)

    @cached_property
    def _places(self) -> _Indices:
        """Where they are among the weights of their tensor."""
        inside = _inside(self.home.shape, self._block)
        return np.flatnonzero(inside if self.source is not None else ~inside)

    @cached_property
    def _source_places(self) -> _Indices:
        assert self.source is not None, "asked of what is kept alone"
        return np.flatnonzero(_inside(self.source.shape, self._block))

    def old(self, model: memoryview, start: int, stop: int) -> NDArray[np.generic]:
        """The counterparts of the weights from `start` to `stop`, in the parent's file."""
        assert self.source is not None, "asked of what is kept alone"
        places = None if self.is_whole else self._source_places[start:stop]
        return _read(model, self.source, places, start, stop)

    def new(self, model: memoryview, start: int, stop: int) -> NDArray[np.generic]:
        """The weights from `start` to `stop`, in the new file."""
        places = None if self.is_whole else self._places[start:stop]
        return _read(model, self.home, places, start, stop)

    def put(self, model: memoryview, start: int, values: NDArray[np.generic]) -> None:
        """Write weights from `start` on into the new file."""
        home = self.home
        if self.is_whole:
            first = home.offset + start * home.dtype.bits // 8
            data = storage.as_bytes(values, home.dtype)
            model[first : first + len(data)] = data
            return
        whole = np.frombuffer(model[home.offset : home.end], storage.ELEMENT[home.dtype])
        whole[self._places[start : start + len(values)]] = values


def _inside(shape: tuple[int, ...], block: tuple[int, ...]) -> NDArray[np.bool_]:
    inside = np.zeros(shape, np.bool_)
    inside[tuple(slice(size) for size in block)] = True
    return inside.ravel()


def _read(
    model: memoryview, tensor: Tensor, places: _Indices | None, start: int, stop: int
) -> NDArray[np.generic]:
    if places is not None:
        data = model[tensor.offset : tensor.end]
        return np.frombuffer(data, storage.ELEMENT[tensor.dtype])[places]
    bits = tensor.dtype.bits
    first = tensor.offset + start * bits // 8
    data = model[first : first + ((stop - start) * bits + 7) // 8]
    stored = storage.load(data, tensor.dtype, stop - start)
    return stored if stored.flags.aligned else stored.copy()


def parts_of(
    new: Sequence[Tensor], old: Sequence[Tensor], sources: Sequence[int | None]
) -> tuple[Part, ...]:
    """The parts of a new model, in order of its tensors, what is kept of one first.

    Args:
        new: Tensors of the new model.
        old: Those of its parent.
        sources: For each of the new ones the index of the old one that it comes from.
    """
    parts: list[Part] = []
    for home, source in zip(new, sources, strict=True):
        parts += _parts_of_one(home, None if source is None else old[source])
    return tuple(parts)


def _parts_of_one(home: Tensor, source: Tensor | None) -> Iterator[Part]:
    if source is None or source.shape == home.shape:
        yield Part(tensor=home, home=home, source=source, is_whole=True)
        return
    block = tuple(map(min, source.shape, home.shape))
    kept = Tensor(
        name=home.name,
        dtype=home.dtype,
        shape=block,
        offset=0,
        row_axis=home.row_axis,
        column_axis=home.column_axis,
    )
    yield Part(tensor=kept, home=home, source=source, is_whole=False, _block=block)
    if left := home.weights - kept.weights:
        rest = Tensor(name=home.name, dtype=home.dtype, shape=(left,), offset=0)
        yield Part(tensor=rest, home=home, source=None, is_whole=False, _block=block)
