"""The functions of numpy_refined_points in C, same results. Knows nothing of tensors."""

import numpy as np
from numpy.typing import NDArray

from midstream.kernels import _native
from midstream.kernels.native_kernels import plain
from midstream.kernels.terms import BROKEN, Decoded, Stream, Terms

__all__ = ["decode_codewords", "decode_refined_points", "refined_symbols"]

_Odd = NDArray[np.int8]
_NONE = np.zeros(0, np.int64)


def decode_codewords(
    data: memoryview, lanes: int, parities: _Odd, frequencies: NDArray[np.uint16]
) -> tuple[_Odd, int]:
    """As numpy_refined_points.decode_codewords; ValueError where arguments are out of range."""
    masks = _masks(parities)
    taken = _native.decode_codewords(data, lanes, plain(frequencies, np.uint16), masks)
    if taken < 0:
        return np.zeros_like(parities), BROKEN
    places = np.arange(len(parities), dtype=np.uint16)[:, None]
    return (masks >> places & np.uint16(1)).astype(np.int8), taken


def decode_refined_points(
    stream: Stream, parents: NDArray[np.int32], ratio: int, starts: NDArray[np.uint16]
) -> Decoded:
    """As numpy_refined_points.decode_refined_points; ValueError where arguments do not fit."""
    assert stream.odd is not None, "these are no points"
    terms = stream.terms or Terms.none(len(stream.rows))
    levels = np.zeros(len(stream.rows), np.int32)
    taken = _native.decode_refined_points(
        stream.data,
        stream.lanes,
        plain(stream.rows, np.uint16),
        _masks(stream.odd),
        plain(parents, np.int32),
        ratio,
        plain(starts, np.uint16),
        plain(terms.runs, np.int64),
        plain(terms.terms, np.int64),
        plain(terms.steps, np.int8),
        np.zeros(stream.odd.shape[1], np.uint8),
        levels,
    )
    return Decoded(levels=levels, taken=taken)


def refined_symbols(
    parents: NDArray[np.int32],
    children: NDArray[np.int32],
    halves: NDArray[np.int64] | None,
    tables: NDArray[np.uint16],
    ratio: int,
    *,
    family: int,
) -> NDArray[np.int32]:
    """As numpy_refined_points.refined_symbols; ValueError where a child is in no cell."""
    symbols = np.empty(len(parents), np.int32)
    _native.refined_symbols(
        plain(parents, np.int32),
        plain(children, np.int32),
        _NONE if halves is None else plain(halves, np.int64),
        plain(tables, np.uint16),
        ratio,
        family,
        symbols,
    )
    return symbols


def _masks(odd: _Odd) -> NDArray[np.uint16]:
    """A bit for each level of each point."""
    places = np.arange(len(odd), dtype=np.uint16)[:, None]
    found: NDArray[np.uint16] = (odd.astype(np.uint16) << places).sum(axis=0, dtype=np.uint16)
    return found
