"""The functions of numpy_prediction in C, same results. Knows nothing of what is coded.

Arguments and results are described beside the NumPy twins.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native, numpy_prediction
from midstream.kernels.native_kernels import plain
from midstream.kernels.slots import Slots
from midstream.kernels.terms import Decoded, LowBits, Stream, Terms

__all__ = ["decode_digits", "decode_levels", "fold_widths", "predict", "table_rows"]

_Int = NDArray[np.int64]
_Array = NDArray[Any]

_WIDEST = 2
"""Of one, eight or sixteen lanes that are stepped at a time, where the processor can."""


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """As numpy_prediction.predict; ValueError where terms are not those of the levels."""
    halves = np.empty(len(levels), np.int64)
    _native.predict(plain(levels, np.int32), *_terms(terms), halves)
    return halves


def fold_widths(
    widths: NDArray[np.int16], *, widest: int, unshifted: int, most: int
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """As numpy_prediction.fold_widths."""
    folded, shifts = np.empty(len(widths), np.int16), np.empty(len(widths), np.uint8)
    _native.fold_widths(plain(widths, np.int16), widest, unshifted, most, folded, shifts)
    return folded, shifts


def table_rows(
    shapes: NDArray[np.int8],
    widths: NDArray[np.int16],
    phases: NDArray[np.int8] | None,
    *,
    last_width: int,
    each_width: int,
    each_shape: int,
    each_phase: int,
) -> NDArray[np.uint16]:
    """As numpy_prediction.table_rows; ValueError where arrays are of several sizes."""
    rows = np.empty(len(widths), np.uint16)
    own = np.zeros(0, np.int8) if phases is None else plain(phases, np.int8)
    _native.table_rows(
        plain(shapes, np.int8),
        plain(widths, np.int16),
        own,
        last_width,
        each_width,
        each_shape,
        each_phase,
        rows,
    )
    return rows


def decode_levels(
    streams: Sequence[Stream], low: Sequence[LowBits], slots: Slots, *, next_phase: int
) -> list[Decoded]:
    """As numpy_prediction.decode_levels; ValueError where arguments are out of range."""
    return [_levels(*pair, slots, next_phase) for pair in zip(streams, low, strict=True)]


def _levels(stream: Stream, low: LowBits, slots: Slots, next_phase: int) -> Decoded:
    if stream.odd is not None:
        return numpy_prediction.decode_levels([stream], [low], slots, next_phase=next_phase)[0]
    levels = np.zeros(len(stream.rows), np.int32)
    taken = _native.decode_levels(
        stream.data,
        stream.lanes,
        stream.rows,
        slots.packed,
        next_phase,
        _WIDEST,
        low.data,
        low.shifts,
        plain(stream.escapes, np.int64),
        *_terms(stream.terms or Terms.none(len(levels))),
        levels,
    )
    return Decoded(levels=levels, taken=taken)


def decode_digits(
    streams: Sequence[Stream],
    parents: Sequence[NDArray[np.int32]],
    starts: NDArray[np.uint16],
) -> list[Decoded]:
    """As numpy_prediction.decode_digits; ValueError where arguments are out of range."""
    return [_digits(*pair, starts) for pair in zip(streams, parents, strict=True)]


def _digits(stream: Stream, parents: NDArray[np.int32], starts: NDArray[np.uint16]) -> Decoded:
    levels = np.zeros(len(stream.rows), np.int32)
    taken = _native.decode_digits(
        stream.data,
        stream.lanes,
        stream.rows,
        plain(starts, np.uint16),
        plain(parents, np.int32),
        plain(stream.escapes, np.int64),
        *_terms(stream.terms or Terms.none(len(levels))),
        levels,
    )
    return Decoded(levels=levels, taken=taken)


def _terms(terms: Terms) -> tuple[_Array, _Array, _Array]:
    return plain(terms.runs, np.int64), plain(terms.terms, np.int64), plain(terms.steps, np.int8)
