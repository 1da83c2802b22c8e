"""Damaged files and parities: an error of ours, or the file; what parity covers comes back."""

from contextlib import suppress

import numpy as np
import reedsolo

from choices import Choices
from midstream.errors import DataError
from midstream.fec import small
from midstream.kernels import combine_rows, gf256
from mutations import damage

FILE = b"{}" * 30
PARITY = small.protect(FILE)
HEADER = 8
COVERED = 20
"""Damaged bytes that every codeword of so small a file corrects."""


def syndromes(word: bytes, symbols: int, fcr: int = 0, generator: int = 2) -> list[int]:
    """Stands in for reedsolo's own, the same numbers: in Python they take most of the time."""
    assert (fcr, generator) == (0, 2)
    exponents = np.outer(np.arange(symbols), np.arange(len(word))[::-1]) % gf256.LONGEST
    column = np.frombuffer(bytes(word), np.uint8)[:, None]
    return [0, *combine_rows(POWERS[exponents], column)[:, 0].tolist()]


POWERS = np.array(gf256.EXP, np.uint8)
reedsolo.RSCodec(1)  # makes reedsolo's own tables
assert syndromes(FILE, 40) == reedsolo.rs_calc_syndromes(FILE, 40)
reedsolo.rs_calc_syndromes = syndromes


def damaged_headers(parity: bytes, choices: Choices) -> bytes:
    """The same damage in all three copies of the header, or in some: what is read of a parity."""
    middle = HEADER + (len(parity) - 3 * HEADER) // 2
    changed = bytearray(parity)
    header = damage(parity[:HEADER], choices)[:HEADER]
    copies = choices.integer(1, 7)
    for at, start in enumerate((0, middle, len(parity) - HEADER)):
        if copies >> at & 1:
            changed[start : start + len(header)] = header
    return bytes(changed[: len(changed) - choices.integer(0, 15)])


def test_one(choices: Choices) -> None:
    """Damage to the headers, which is read fast, and now and then to everything."""
    kind = choices.integer(0, 31)
    data, parity = FILE, PARITY
    if kind == 0:
        data = damage(FILE, choices)
    elif kind == 1:
        parity = damage(PARITY, choices)
    elif kind < 8:
        parity = choices.raw(1 << 9)
    else:
        parity = damaged_headers(PARITY, choices)
    with suppress(DataError):
        corrected = small.correct(data, parity)
        if kind == 0 and len(data) == len(FILE):
            assert sum(map(int.__ne__, data, FILE)) > COVERED or corrected == FILE
        return
    assert kind or len(data) != len(FILE), "so little damage is corrected"
