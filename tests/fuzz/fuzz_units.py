"""Damaged units: an error of ours or a model, never anything else.

python tests/fuzz/fuzz_units.py -max_total_time=60 -timeout=10 -rss_limit_mb=1024
"""

import sys
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["midstream"]):
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


def test_one(data: bytes) -> None:
    """What the first byte says: raw bytes, or a good stack with damage."""
    choices = atheris.FuzzedDataProvider(data)
    units = list(STACKS[choices.ConsumeIntInRange(0, len(STACKS) - 1)])
    place = choices.ConsumeIntInRange(0, len(units) - 1)
    is_raw = choices.ConsumeIntInRange(0, 15) == 0
    with suppress(DataError):
        units[place] = damage(units[place], choices) if is_raw else mutate(units[place], choices)
    with suppress(DataError):
        rebuild(units)


if __name__ == "__main__":
    warnings.simplefilter("error")
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
