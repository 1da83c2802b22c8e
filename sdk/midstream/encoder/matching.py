"""Which tensor of a model is which of the model before it. Knows nothing of their weights."""

from collections import defaultdict
from collections.abc import Sequence

from midstream import formats
from midstream.bitstream.parts import is_resizable
from midstream.types import Tensor

__all__ = ["match", "named"]


def named(tensors: Sequence[Tensor], model: bytes | memoryview) -> tuple[Tensor, ...]:
    """The same holes, by the names that they have in their file, which a topology lacks."""
    found = {tensor.offset: tensor for tensor in formats.open_model(model).tensors}
    known = [found.get(tensor.offset, tensor) for tensor in tensors]
    pairs = zip(known, tensors, strict=True)
    return tuple(own if own.length == tensor.length else tensor for own, tensor in pairs)


def match(new: Sequence[Tensor], old: Sequence[Tensor]) -> tuple[int | None, ...]:
    """For each new tensor the old one that it comes from, by name; None where there is none.

    What has no name in common comes from the next one of its kind that nobody else comes from.
    """
    names: dict[str, list[int]] = defaultdict(list)
    for place, tensor in enumerate(old):
        names[tensor.name].append(place)
    found: list[int | None] = []
    for place, tensor in enumerate(new):
        same = [at for at in names[tensor.name] if is_resizable(old[at], tensor)]
        found.append(place if place in same else same[0] if same else None)
    _match_rest(found, new, old)
    return tuple(found)


def _match_rest(found: list[int | None], new: Sequence[Tensor], old: Sequence[Tensor]) -> None:
    """In order, so that tensors which were renamed keep their counterparts."""
    taken = {at for at in found if at is not None}
    kinds: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, tensor in enumerate(old):
        if place not in taken:
            kinds[tensor.dtype, tensor.shape].append(place)
    for place, tensor in enumerate(new):
        left = kinds[tensor.dtype, tensor.shape]
        if found[place] is None and left:
            found[place] = left.pop(0)
