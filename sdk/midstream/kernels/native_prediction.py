"""The functions of numpy_prediction in C, same results. Knows nothing of what is coded.

Arguments and results are described beside the NumPy twins.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.terms import Escapes, Stream, Terms

__all__ = ["decode_digits", "decode_levels", "predict"]

_Int = NDArray[np.int64]
_Array = NDArray[Any]
_Four: TypeAlias = tuple[_Array, _Array, _Array, _Array]
_Eight: TypeAlias = tuple[_Array, _Array, _Array, _Array, _Array, _Array, _Array, _Array]


def predict(levels: NDArray[np.int32], terms: Terms) -> _Int:
    """As numpy_prediction.predict; ValueError where terms are not those of the levels."""
    halves = np.empty(len(levels), np.int64)
    _native.predict(plain(levels, np.int32), *_terms(terms), halves)
    return halves


def decode_levels(
    stream: Stream,
    terms: Terms,
    values: NDArray[np.int8],
    low: NDArray[np.int32],
    shifts: NDArray[np.uint8],
    escapes: Escapes,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """As numpy_prediction.decode_levels; ValueError where arguments are out of range."""
    own = plain(values, np.int8), plain(low, np.int32), plain(shifts, np.uint8)
    return _decode(_native.decode_levels, stream, own, escapes, terms)


def decode_digits(
    stream: Stream,
    terms: Terms,
    symbols: NDArray[np.uint8],
    parents: NDArray[np.int32],
    escapes: Escapes,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """As numpy_prediction.decode_digits; ValueError where arguments are out of range."""
    own = plain(symbols, np.uint8), plain(parents, np.int32)
    return _decode(_native.decode_digits, stream, own, escapes, terms)


def _decode(
    function: Callable[..., None],
    stream: Stream,
    own: Sequence[_Array],
    escapes: Escapes,
    terms: Terms,
) -> tuple[NDArray[np.int32], _Int, NDArray[np.uint32]]:
    """What both kernels are called with, besides arrays of their own."""
    ends, left = stream.starts.astype(np.int64), stream.states.astype(np.uint32)
    levels = np.zeros(len(stream.rows), np.int32)
    values = plain(escapes.values, np.int64)
    function(*_stream(stream, ends, left), *own, values, escapes.starts, *_terms(terms), levels)
    return levels, ends, left


def _stream(stream: Stream, ends: _Int, left: NDArray[np.uint32]) -> _Eight:
    return (
        plain(stream.words, np.uint16),
        ends,
        left,
        plain(stream.counts, np.int64),
        plain(stream.lanes, np.int64),
        plain(stream.rows, np.uint16),
        plain(stream.frequencies, np.uint16),
        plain(stream.offsets, np.uint16),
    )


def _terms(terms: Terms) -> _Four:
    return (
        plain(terms.lengths, np.int32),
        plain(terms.counts, np.int32),
        plain(terms.distances, np.int32),
        plain(terms.gains, np.int64),
    )
