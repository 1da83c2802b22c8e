"""Damaged files of inputs: a refusal, or arrays of numbers."""

import io
from typing import Any

import numpy as np

from choices import Choices
from midstream.errors import UsageError
from midstream.publisher.calibration import read_calibration
from mutations import damage
from scratch import folder

FOLDER = folder()


def made(save: Any, *arrays: Any, **named: Any) -> bytes:
    """What NumPy writes."""
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


NUMBERS = np.arange(12, dtype="<f4").reshape(3, 4)
FILES = [
    ("npy", made(np.save, NUMBERS)),
    ("npy", made(np.save, np.asfortranarray(NUMBERS.astype("|u1")))),
    ("npz", made(np.savez, a=NUMBERS, b=NUMBERS.astype("<i2"))),
    ("npz", made(np.savez_compressed, a=NUMBERS)),
]
PATHS = {suffix: FOLDER / f"inputs.{suffix}" for suffix in ("npy", "npz")}
HEADER = 10
"""Bytes before the text that says what an array is."""


def other_header(good: bytes, choices: Choices) -> bytes:
    """Damage in what is said of an array, with a length that is right."""
    text = damage(good[HEADER:128], choices)
    return good[:8] + len(text).to_bytes(2, "little") + text + good[128:]


def hostile(choices: Choices) -> tuple[str, bytes]:
    """What a file's name ends with, and its bytes."""
    suffix, good = FILES[choices.integer(0, len(FILES) - 1)]
    kind = choices.integer(0, 15)
    if kind == 0:
        return suffix, choices.raw(1 << 10)
    if kind < 8 and suffix == "npy":
        return suffix, other_header(good, choices)
    return suffix, damage(good, choices)


def test_one(choices: Choices) -> None:
    """One file, read as `--calibrate` reads it."""
    suffix, data = hostile(choices)
    PATHS[suffix].write_bytes(data)
    try:
        found = read_calibration(PATHS[suffix])
    except UsageError as error:
        assert str(FOLDER) in str(error)
        return
    for inputs in found:
        arrays = inputs.values() if isinstance(inputs, dict) else [inputs]
        assert all(np.asarray(array).dtype.kind in "fiub" for array in arrays)
