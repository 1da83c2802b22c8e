"""Damaged units: an error of ours or a model, never anything else."""

from contextlib import suppress
from dataclasses import replace

from choices import Choices
from midstream.decoder import read_stack, rebuild_into
from midstream.errors import DataError
from midstream.limits import LIMITS
from mutations import damage, mutate
from seeds import stacks

STACKS = stacks()
SMALL = replace(LIMITS, model_size=1 << 18, topology_size=1 << 18, scale_deltas=1 << 14)
MOST_MEMORY = 64 << 20


def rebuild(units: list[bytes]) -> None:
    """Decode, as a client does."""
    stack = read_stack(units, limits=SMALL)
    assert stack.working_memory < MOST_MEMORY, "small limits make small demands"
    rebuild_into(stack, bytearray(stack.model_size))


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good stack with damage."""
    units = list(STACKS[choices.integer(0, len(STACKS) - 1)])
    place = choices.integer(0, len(units) - 1)
    is_raw = choices.integer(0, 15) == 0
    with suppress(DataError):
        units[place] = damage(units[place], choices) if is_raw else mutate(units[place], choices)
    with suppress(DataError):
        rebuild(units)
