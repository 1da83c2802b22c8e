"""Damaged units: an error of ours or a model, never anything else.

Stacks of bases and enhancements, updates on exact models, alone and in rows, and on lower units,
and contributions.
"""

import hashlib
from contextlib import suppress
from dataclasses import replace

from choices import Choices
from lossy_mutations import mutate_lossy
from midstream.decoder import (
    apply_lossy_update,
    apply_update,
    apply_updates,
    read_stack,
    read_update,
    rebuild_into,
)
from midstream.decoder.contribution import decode_contribution
from midstream.errors import DataError
from midstream.limits import LIMITS
from mutations import damage, mutate
from seeds import contributions, lossy_updates, rows, stacks, updates
from update_mutations import mutate_contribution, mutate_update

STACKS = stacks()
UPDATES = updates()
ROWS = rows()
LOSSY_UPDATES = lossy_updates()
CONTRIBUTIONS = contributions()
SMALL = replace(LIMITS, model_size=1 << 18, topology_size=1 << 18, scale_deltas=1 << 14)
MOST_MEMORY = 64 << 20


def rebuild(units: list[bytes]) -> None:
    """Decode, as a client does."""
    stack = read_stack(units, limits=SMALL)
    assert stack.working_memory < MOST_MEMORY, "small limits make small demands"
    rebuild_into(stack, bytearray(stack.model_size))


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good unit with damage; most of them in stacks, which are read fastest."""
    kind = choices.integer(0, 7)
    if kind in (1, 2):
        try_update(choices)
    elif kind == 3:
        try_contribution(choices)
    elif kind == 6:
        try_row(choices)
    elif kind == 4:
        try_lossy_update(choices)
    else:
        try_stack(choices)


def try_stack(choices: Choices) -> None:
    """One unit of a stack is damaged."""
    units = list(STACKS[choices.integer(0, len(STACKS) - 1)])
    place = choices.integer(0, len(units) - 1)
    is_raw = choices.integer(0, 15) == 0
    with suppress(DataError):
        units[place] = damage(units[place], choices) if is_raw else mutate(units[place], choices)
    with suppress(DataError):
        rebuild(units)


def try_update(choices: Choices) -> None:
    """An update that is damaged leaves its parent as it is."""
    old, unit = UPDATES[choices.integer(0, len(UPDATES) - 1)]
    before = bytes(old.model)
    changed = mutate_update(unit, old.topology, choices)
    with suppress(DataError):
        read = read_update(changed, old, limits=SMALL)
        assert read.working_memory < MOST_MEMORY, "small limits make small demands"
        apply_update(old, changed, limits=SMALL)
    assert old.model == before, "an update does not touch its parent"


def try_row(choices: Choices) -> None:
    """Updates of which one is damaged end in the model that was signed, or in none."""
    row = ROWS[choices.integer(0, len(ROWS) - 1)]
    before = bytes(row.old.model)
    place = choices.integer(0, len(row.units) - 1)
    units = list(row.units)
    units[place] = mutate_update(units[place], row.topologies[place], choices)
    with suppress(DataError):
        found = apply_updates(row.old, units, parents=row.parents, sha256=row.sha256, limits=SMALL)
        assert hashlib.sha256(found.model).digest() == row.sha256
    assert row.old.model == before, "a row does not touch its parent"


def try_lossy_update(choices: Choices) -> None:
    """What a damaged one gives is units, which may be damaged in turn; its parent stays."""
    old, unit = LOSSY_UPDATES[choices.integer(0, len(LOSSY_UPDATES) - 1)]
    before = list(old)
    with suppress(DataError):
        rebuild([*apply_lossy_update(old, mutate_lossy(unit, old, choices), limits=SMALL)])
    assert old == before, "a lossy update does not touch its parent"


def try_contribution(choices: Choices) -> None:
    """A contribution that is damaged is refused, or is finite numbers."""
    tensors, parent, unit = CONTRIBUTIONS[choices.integer(0, len(CONTRIBUTIONS) - 1)]
    with suppress(DataError):
        changed = mutate_contribution(unit, choices)
        decode_contribution(changed, tensors, parent, limits=SMALL)
