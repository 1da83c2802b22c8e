"""Changes of lossy updates that keep lengths and parents whole, so that damage goes deep.

A fuzzer's bytes say which field is changed and how.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from choices import Choices
from midstream.bitstream import Head, Operation, read_unit, write_unit
from midstream.bitstream.lossy import LossyHead, Outline, Place, Way
from mutations import damage, mutate_deep

__all__ = ["mutate_lossy"]


def mutate_lossy(data: bytes, old: Sequence[bytes], choices: Choices) -> bytes:
    """A lossy update on these units with one field changed."""
    return mutate_deep(data, choices, lambda: _with_head(data, old, choices))


def _with_head(data: bytes, old: Sequence[bytes], choices: Choices) -> bytes:
    """Another head under compression that is whole."""
    unit = read_unit(data)
    before = [Outline.of(read_unit(one)) for one in old]
    tensors = len(Head.read(before[0].head).topology.tensors)
    head = LossyHead.read(unit.head, before, tensors)
    changed = _HEAD_CHANGES[choices.integer(0, len(_HEAD_CHANGES) - 1)](head, choices)
    return write_unit(unit.kind, unit.layer, changed.write(before, tensors), list(unit.records))


def _unit(head: LossyHead, choices: Choices, change: Callable[[Outline], Outline]) -> LossyHead:
    """A unit changed, or put in the place of others."""
    units = list(head.units)
    place = choices.integer(0, len(units) - 1)
    changed = change(units[place])
    if choices.integer(0, 7):
        units[place] = changed
    else:
        units[place : place + choices.integer(0, 1)] = [changed] * choices.integer(1, 2)
    return replace(head, units=tuple(units))


def _places(head: LossyHead, choices: Choices) -> LossyHead:
    """Records of another slice, operation or way, or many more, or less."""

    def change(unit: Outline) -> Outline:
        places = list(unit.places)
        start = choices.integer(0, len(places))
        count = choices.integer(0, 255) if choices.integer(0, 7) == 0 else choices.integer(0, 2)
        made = [_place(choices)] * count
        places[start : start + choices.integer(0, 2)] = made
        return replace(unit, places=tuple(sorted(places, key=lambda place: place.slice)))

    return _unit(head, choices, change)


def _place(choices: Choices) -> Place:
    return Place(
        slice=choices.integer(0, 3),
        operation=Operation(choices.integer(0, 6)),
        way=Way(choices.integer(0, 2)),
    )


def _base(head: LossyHead, choices: Choices) -> LossyHead:
    """Parameters, or topology, of the new base."""
    return _unit(head, choices, lambda unit: replace(unit, head=damage(unit.head, choices)))


def _layer(head: LossyHead, choices: Choices) -> LossyHead:
    return _unit(head, choices, lambda unit: replace(unit, layer=choices.integer(0, 4)))


def _sources(head: LossyHead, choices: Choices) -> LossyHead:
    """Tensors from others than before, or from none."""
    sources = list(head.sources)
    if sources:
        chosen = choices.integer(0, 4)
        sources[choices.integer(0, len(sources) - 1)] = chosen - 1 if chosen else None
    return replace(head, sources=tuple(sources))


_HEAD_CHANGES: tuple[Callable[[LossyHead, Choices], LossyHead], ...] = (
    _places,
    _places,
    _base,
    _base,
    _layer,
    _sources,
)
