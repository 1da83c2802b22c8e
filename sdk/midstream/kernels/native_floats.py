"""The function of numpy_floats in C, same results. Knows nothing of tensors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.floats import Slice
from midstream.kernels.native_kernels import plain

__all__ = ["decode_floats"]

_MEMORY = 24 * 1024 * 4
"""Bytes for tables: 24 rows of 1024 slots."""


def decode_floats(slices: Sequence[Slice], frequencies: NDArray[np.uint16]) -> list[int]:
    """As numpy_floats.decode_floats; ValueError where a slice and its layout do not fit."""
    tables = plain(frequencies, np.uint16)
    return [_decode(piece, tables) for piece in slices]


def _decode(piece: Slice, frequencies: NDArray[np.uint16]) -> int:
    layout = piece.layout
    return _native.decode_floats(
        piece.payload,
        plain(piece.quarters, np.int16),
        plain(piece.stops, np.int64),
        plain(piece.splits, np.int16),
        plain(piece.narrow, np.int16),
        plain(piece.wide, np.int16),
        frequencies,
        plain(layout.places, np.int16),
        plain(layout.moves, np.int16),
        plain(layout.widths, np.uint8),
        np.empty(_MEMORY + len(piece.quarters), np.uint8),
        piece.out,
        piece.at,
        piece.lanes,
        layout.bits,
        layout.mantissa,
        layout.trailing,
        layout.whole,
    )
