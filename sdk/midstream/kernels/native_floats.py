"""The function of numpy_floats in C, same results. Knows nothing of tensors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.floats import Slice

__all__ = ["decode_by_eights", "decode_floats", "decode_plainly"]

_MEMORY = 24 * 1024 * 4
"""Bytes for tables: 24 rows of 1024 slots."""
_WIDEST = 2
"""All that there may be in a processor; what it has not is not used."""


def decode_floats(slices: Sequence[Slice], frequencies: NDArray[np.uint16]) -> list[int]:
    """As numpy_floats.decode_floats; ValueError where a slice and its layout do not fit."""
    return [_decode(piece, frequencies, wide=_WIDEST) for piece in slices]


def decode_by_eights(slices: Sequence[Slice], frequencies: NDArray[np.uint16]) -> list[int]:
    """The same as processors with AVX2 and without AVX-512 do it."""
    return [_decode(piece, frequencies, wide=1) for piece in slices]


def decode_plainly(slices: Sequence[Slice], frequencies: NDArray[np.uint16]) -> list[int]:
    """The same without instructions on many weights at once, as where there are none."""
    return [_decode(piece, frequencies, wide=0) for piece in slices]


def _decode(piece: Slice, frequencies: NDArray[np.uint16], *, wide: int) -> int:
    layout = piece.layout
    return _native.decode_floats(
        piece.payload,
        piece.quarters,
        piece.stops,
        piece.splits,
        piece.narrow,
        piece.wide,
        frequencies,
        layout.places,
        layout.moves,
        layout.widths,
        np.empty(_MEMORY + len(piece.quarters), np.uint8),
        piece.out,
        piece.at,
        piece.lanes,
        layout.bits,
        layout.mantissa,
        layout.trailing,
        layout.whole,
        wide,
    )
