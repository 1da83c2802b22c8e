"""The functions of numpy_prediction in C, same results. Knows nothing of what is coded.

Arguments and results are described beside the NumPy twins.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.slots import Slots
from midstream.kernels.terms import Escapes, LowBits, Stream, Terms

__all__ = ["decode_digits", "decode_levels", "predict", "table_rows"]

_Int = NDArray[np.int64]
_Array = NDArray[Any]
_Three: TypeAlias = tuple[_Array, _Array, _Array]
_Found: TypeAlias = tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """As numpy_prediction.predict; ValueError where terms are not those of the levels."""
    halves = np.empty(len(levels), np.int64)
    _native.predict(plain(levels, np.int32), *_terms(terms), halves)
    return halves


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
    stream: Stream,
    slots: Slots,
    terms: Terms,
    low: LowBits,
    escapes: Escapes,
    *,
    next_phase: int,
) -> _Found:
    """As numpy_prediction.decode_levels; ValueError where arguments are out of range."""
    found = _results(stream)
    levels, ends, left = found
    _native.decode_levels(
        *_stream(stream, ends, left),
        *slots.packed,
        next_phase,
        plain(low.data, np.uint8),
        plain(low.sizes, np.int64),
        plain(low.shifts, np.uint8),
        plain(escapes.values, np.int64),
        escapes.starts,
        *_terms(terms),
        levels,
    )
    return found


def decode_digits(
    stream: Stream,
    starts: NDArray[np.uint16],
    terms: Terms,
    parents: NDArray[np.int32],
    escapes: Escapes,
) -> _Found:
    """As numpy_prediction.decode_digits; ValueError where arguments are out of range."""
    found = _results(stream)
    levels, ends, left = found
    _native.decode_digits(
        *_stream(stream, ends, left),
        plain(starts, np.uint16),
        plain(parents, np.int32),
        plain(escapes.values, np.int64),
        escapes.starts,
        *_terms(terms),
        levels,
    )
    return found


def _results(stream: Stream) -> _Found:
    """Room for levels, and the first words and states, which become the last ones."""
    levels = np.zeros(len(stream.rows), np.int32)
    return levels, stream.starts.astype(np.int64), stream.states.astype(np.uint32)


def _stream(
    stream: Stream, ends: _Int, left: NDArray[np.uint32]
) -> tuple[_Array, _Array, _Array, _Array, _Array, _Array]:
    return (
        plain(stream.words, np.uint16),
        ends,
        left,
        plain(stream.counts, np.int64),
        plain(stream.lanes, np.int64),
        plain(stream.rows, np.uint16),
    )


def _terms(terms: Terms) -> _Three:
    return plain(terms.runs, np.int64), plain(terms.terms, np.int64), plain(terms.steps, np.int8)
