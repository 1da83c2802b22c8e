"""Flips every byte of small units and prints what became of each, for `test_byte_flips.py`.

A process of its own, since the kernels in use are chosen once.
"""

import hashlib
import json
import sys
from collections.abc import Iterator

import numpy as np

from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.errors import DataError
from tensorfiles import bfloat16, normal, safetensors

MASKS = (0x01, 0x10, 0x80, 0xFF)


def stack() -> list[bytes]:
    """A base, an enhancement and an exact unit, of every data type, one tensor of no number."""
    odd = normal(5, 4)
    odd[0, :3] = [np.nan, np.inf, -0.0]
    integers = np.random.default_rng(1).integers(-100, 100, (6, 5))
    model = safetensors(
        {
            "a": normal(9, 8),
            "b": odd,
            "c": integers.astype("|i1"),
            "d": normal(20).astype("<f2"),
            "e": bfloat16(normal(5, 4)),
        }
    )
    return [unit.data for unit in encode(model, ladder="1b,3b,exact").units]


def outcome(units: list[bytes]) -> str:
    """The error's code, or the model's hash."""
    try:
        return hashlib.sha256(rebuild(units)).hexdigest()[:16]
    except DataError as error:
        return error.code.name


def outcomes(units: list[bytes]) -> Iterator[str]:
    """Of every flip of every byte."""
    for index, unit in enumerate(units):
        for place, byte in enumerate(unit):
            for mask in MASKS:
                changed = unit[:place] + bytes([byte ^ mask]) + unit[place + 1 :]
                yield outcome([*units[:index], changed, *units[index + 1 :]])


if __name__ == "__main__":
    given = [bytes.fromhex(unit) for unit in json.load(sys.stdin)]
    json.dump(list(outcomes(given)), sys.stdout)
