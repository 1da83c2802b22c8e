"""Which weights of a lattice point have odd levels. Knows nothing of how points are coded.

The first-order Reed-Muller code of length 16 (spec/coding.md, "Lattice").
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CODEWORDS", "codewords_of", "coset_kinds", "distances"]

_BITS = 5
_PLACES = np.arange(16)
_FOUR = 4


def _codewords() -> NDArray[np.int8]:
    numbers = np.arange(1 << _BITS)[:, None]
    phases = np.zeros((len(numbers), len(_PLACES)), np.int8) + (numbers & 1)
    for bit in range(_BITS - 1):
        phases ^= numbers >> (bit + 1) & _PLACES >> bit & 1
    return phases.astype(np.int8)


CODEWORDS = _codewords()
"""(32, 16): whether the level of each weight is odd."""


def codewords_of(odd: NDArray[np.int8]) -> NDArray[np.uint8]:
    """The number of each column's codeword; (16, points)."""
    numbers: NDArray[np.uint8] = odd[0].astype(np.uint8)
    for bit in range(_BITS - 1):
        numbers |= (odd[0] ^ odd[1 << bit]).astype(np.uint8) << np.uint8(bit + 1)
    return numbers


def distances(odd: NDArray[np.int8]) -> NDArray[np.uint8]:
    """How far each codeword is from the parities of each point: (16, points) to (points, 32)."""
    # of signs that differ in d of sixteen places the product is 16 - 2 d; floats are exact here
    signs, words = (1 - 2 * one.astype(np.float32) for one in (odd, CODEWORDS))
    found: NDArray[np.uint8] = (8 - (signs.T @ words.T) / 2).astype(np.uint8)
    return found


def coset_kinds(far: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Which kind of coset parities are in, by how far codewords are from them; (points,).

    It is told by how near the nearest codewords are, and at four by how many these are.
    """
    nearest = far.min(axis=1, initial=len(_PLACES))
    few = (far == nearest[:, None]).sum(axis=1) < _FOUR
    found: NDArray[np.uint8] = nearest + ((nearest > _FOUR) | (nearest == _FOUR) & few)
    return found
