"""Symbols of a slice to states and words, and back. Knows nothing of what symbols mean.

A stream is the final states of its lanes, then its words; how many words there are shows
when they are decoded (spec/coding.md, "Entropy coder").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.codec.tables import Family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import STATE_START, rans_decode, rans_encode

__all__ = ["decode", "encode", "lanes_of"]

_LANE_SYMBOLS = 2048
_LANES = 32

_Int = NDArray[np.int64]


def lanes_of(symbols: int) -> int:
    """Lanes of a stream: one for each 2048 symbols, a power of two, 1 to 32; 0 if empty."""
    if not symbols:
        return 0
    return min(max(1 << (symbols // _LANE_SYMBOLS).bit_length() >> 1, 1), _LANES)


def encode(family: Family, tables: Sequence[_Int], symbols: Sequence[_Int]) -> list[bytes]:
    """Encode several streams side by side.

    Args:
        family: Where the tables are.
        tables: For each stream, the table of each symbol.
        symbols: For each stream, its symbols.
    """
    streams = [place for place, part in enumerate(symbols) if len(part)]
    results = [b""] * len(symbols)
    if not streams:
        return results
    entries = np.concatenate([family.firsts[tables[s]] + symbols[s] for s in streams])
    counts = np.array([len(symbols[s]) for s in streams], np.int64)
    lanes = np.array([lanes_of(len(symbols[s])) for s in streams], np.int64)
    states, words, taken = rans_encode(
        family.frequencies[entries], family.starts[entries], counts, lanes
    )
    state_parts = np.split(states.astype("<u4"), np.cumsum(lanes)[:-1])
    word_parts = np.split(words.astype("<u2"), np.cumsum(taken)[:-1])
    for stream, state, word in zip(streams, state_parts, word_parts, strict=True):
        results[stream] = state.tobytes() + word.tobytes()
    return results


def decode(
    family: Family, payloads: Sequence[memoryview], tables: Sequence[_Int]
) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Decode several streams side by side.

    Args:
        family: Where the tables are.
        payloads: Each starts with a stream; more may follow it.
        tables: For each stream, the table of each symbol.

    Returns:
        The symbols of each stream, and the bytes it took.

    Raises:
        BitstreamError: A stream ends early or did not come from an encoder.
    """
    streams = [place for place, part in enumerate(tables) if len(part)]
    symbols = [np.zeros(0, np.uint8)] * len(tables)
    sizes = [0] * len(tables)
    if not streams:
        return symbols, sizes
    lanes = np.array([lanes_of(len(tables[s])) for s in streams], np.int64)
    states, words, starts = _read([payloads[s] for s in streams], lanes)
    counts = np.array([len(tables[s]) for s in streams], np.int64)
    rows, used = _compact(family, np.concatenate([tables[s] for s in streams]))
    lookup = family.lookup(used)
    found, ends, left = rans_decode(words, starts[:-1], states, counts, lanes, rows, *lookup)
    _check(ends > starts[1:], left != STATE_START, lanes)
    for stream, part in zip(streams, np.split(found, np.cumsum(counts)[:-1]), strict=True):
        symbols[stream] = part
    for stream, lane, start, end in zip(streams, lanes, starts[:-1], ends, strict=True):
        sizes[stream] = int(4 * lane + 2 * (end - start))
    return symbols, sizes


def _read(
    payloads: Sequence[memoryview], lanes: _Int
) -> tuple[NDArray[np.uint32], NDArray[np.uint16], _Int]:
    """States and words of all streams, and where each stream's words start."""
    states: list[NDArray[np.uint32]] = []
    words: list[NDArray[np.uint16]] = []
    for payload, lane in zip(payloads, lanes.tolist(), strict=True):
        if len(payload) < 4 * lane:
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"stream: {len(payload)} bytes, {4 * lane} for its states"
            )
        states.append(np.frombuffer(payload, "<u4", lane))
        words.append(np.frombuffer(payload, "<u2", (len(payload) - 4 * lane) // 2, 4 * lane))
    starts = np.cumsum([0, *(len(part) for part in words)])
    return np.concatenate(states), np.concatenate([*words, np.zeros(1, np.uint16)]), starts


def _compact(family: Family, tables: _Int) -> tuple[_Int, _Int]:
    """The table of each symbol as its place among those in use, and those in use."""
    used = np.flatnonzero(np.bincount(tables, minlength=len(family.sizes)))
    row_of = np.zeros(len(family.sizes), np.int64)
    row_of[used] = np.arange(len(used))
    return row_of[tables], used


def _check(short: NDArray[np.bool_], bad: NDArray[np.bool_], lanes: _Int) -> None:
    bad_streams = np.logical_or.reduceat(bad, np.cumsum(lanes) - lanes) | short
    if bad_streams.any():
        raise BitstreamError(
            ErrorCode.BAD_SYMBOL,
            f"stream {int(np.argmax(bad_streams))} of {len(lanes)}: its symbols do not add up",
        )
