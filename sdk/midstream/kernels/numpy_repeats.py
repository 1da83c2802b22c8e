"""The search for runs of values that are those of an earlier place. Knows nothing of what they are.

(spec/coding.md, "Repeats".)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.numpy_runs import ALTERNATING, MIRRORED, NEGATIVE, Bits

__all__ = ["SHORTEST", "find_runs"]

SHORTEST = 8
"""Values of a run, at least: a shorter one saves little."""
_FIRST_LOOK = 64
_KINDS = (0, MIRRORED, ALTERNATING, MIRRORED | ALTERNATING)

_Int = NDArray[np.int64]


def find_runs(bits: Bits) -> NDArray[np.int64]:
    """Runs of eight values or more, in order, none over another.

    The source of each starts at the last place before it with the magnitude of its first value.

    Args:
        bits: Of floats of two or four bytes; (weights,).

    Returns:
        As copy_runs takes them; (runs, 4).
    """
    top = bits.dtype.type(1 << 8 * bits.itemsize - 1)
    before = _before(bits & ~top)
    places = np.flatnonzero(before >= 0)
    kinds = {kind: set(_starts(bits, places, before, kind).tolist()) for kind in _KINDS}
    runs: list[tuple[int, int, int, int]] = []
    end = 0
    for start in sorted(set.union(*kinds.values())):
        if start < end:
            continue
        source = int(before[start])
        longest, kind = max(
            (_length(bits, start, source, kind), kind)
            for kind, starts in kinds.items()
            if start in starts
        )
        sign = NEGATIVE if bits[start] != bits[source] else 0
        runs.append((start, source, longest, kind | sign))
        end = start + longest
    return np.array(runs, np.int64).reshape(-1, 4)


def _before(magnitudes: Bits) -> _Int:
    """The last place before each one that has its magnitude; -1 for none."""
    order = np.argsort(magnitudes, kind="stable")
    same = magnitudes[order[1:]] == magnitudes[order[:-1]]
    before = np.full(len(magnitudes), -1)
    before[order[1:][same]] = order[:-1][same]
    return before


def _starts(bits: Bits, places: _Int, before: _Int, kind: int) -> _Int:
    """Those places that a run of the shortest length starts at."""
    way = -1 if kind & MIRRORED else 1
    least = SHORTEST - 1 if kind & MIRRORED else 0
    places = places[(places + SHORTEST <= len(bits)) & (before[places] >= least)]
    flips = bits[places] ^ bits[before[places]]
    for step in range(1, SHORTEST):
        flips = flips ^ _change(bits, kind)
        fits = bits[places + step] == bits[before[places] + way * step] ^ flips
        places, flips = places[fits], flips[fits]
    return places


def _length(bits: Bits, start: int, source: int, kind: int) -> int:
    """Values from a start on that are those from its source on."""
    old = bits[source::-1] if kind & MIRRORED else bits[source:]
    most = min(len(bits) - start, len(old))
    flip, change = bits[start] ^ bits[source], _change(bits, kind)
    look = min(_FIRST_LOOK, most)
    while True:
        flips = np.full(look, flip)
        flips[1::2] ^= change
        differs = np.flatnonzero(bits[start : start + look] != old[:look] ^ flips)
        if len(differs) or look == most:
            return int(differs[0]) if len(differs) else most
        look = min(2 * look, most)


def _change(bits: Bits, kind: int) -> np.unsignedinteger[Any]:
    """By what the flips of values next to each other differ."""
    alternates = int(kind & ALTERNATING > 0)
    return bits.dtype.type(alternates << 8 * bits.itemsize - 1)
