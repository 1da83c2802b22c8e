"""Flips every byte of small units and prints what became of each, for `test_byte_flips.py`.

A process of its own, since the kernels in use are chosen once.
"""

import hashlib
import json
import sys
from collections.abc import Iterator

import numpy as np

from midstream.decoder import apply_lossy_update, rebuild
from midstream.encoder import encode
from midstream.encoder.lossy import encode_lossy_update
from midstream.errors import DataError
from tensorfiles import bfloat16, normal, safetensors

MASKS = (0x01, 0x10, 0x80, 0xFF)


def stack(scale: float = 1.0) -> list[bytes]:
    """A base, an enhancement and an exact unit, of every data type, one tensor of no number.

    Args:
        scale: Of the weights of floats.
    """
    odd = normal(5, 4)
    odd[0, :3] = [np.nan, np.inf, -0.0]
    integers = np.random.default_rng(1).integers(-100, 100, (6, 5))
    floats = {"a": normal(9, 8), "b": odd, "d": normal(20).astype("<f2")}
    model = safetensors(
        {
            **{name: (array * scale).astype(array.dtype) for name, array in floats.items()},
            "c": integers.astype("|i1"),
            "e": bfloat16(normal(5, 4) * np.float32(scale)),
        }
    )
    return [unit.data for unit in encode(model, ladder="1b,3b,exact").units]


def updated() -> tuple[list[bytes], list[bytes]]:
    """The lower units of a release, and the lossy update to those of the next."""
    old, new = (stack(scale)[:2] for scale in (1.0, 1.05))
    return old, [encode_lossy_update(old, new)]


def outcome(parent: list[bytes], units: list[bytes]) -> str:
    """The error's code, or the hash of the model that they make: a stack, or one of an update."""
    try:
        made = [*apply_lossy_update(parent, units[0])] if parent else units
        return hashlib.sha256(rebuild(made)).hexdigest()[:16]
    except DataError as error:
        return error.code.name


def outcomes(parent: list[bytes], units: list[bytes]) -> Iterator[str]:
    """Of every flip of every byte of these units."""
    for index, unit in enumerate(units):
        for place, byte in enumerate(unit):
            for mask in MASKS:
                changed = unit[:place] + bytes([byte ^ mask]) + unit[place + 1 :]
                yield outcome(parent, [*units[:index], changed, *units[index + 1 :]])


if __name__ == "__main__":
    given = [[bytes.fromhex(unit) for unit in units] for units in json.load(sys.stdin)]
    json.dump(list(outcomes(*given)), sys.stdout)
