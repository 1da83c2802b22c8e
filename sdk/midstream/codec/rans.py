"""Symbols of a slice to states and words, and back. Knows nothing of what symbols mean.

A stream is the final states of its lanes, then its words; how many words there are shows
when they are decoded (spec/coding.md, "Entropy coder").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec.parameters import MAX_LEVEL
from midstream.codec.tables import Family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import STATE_START, rans_decode, rans_encode
from midstream.kernels.terms import BEYOND, BROKEN, Decoded, Stream, Terms

__all__ = ["check", "decode", "encode", "encode_entries", "lanes_of", "stream"]

_LANE_SYMBOLS = 2048
_LANES = 32
_LONG = 1 << 13
"""Symbols of a stream that is encoded by itself."""
_NO_ESCAPES = np.zeros(0, np.int64)

_Int = NDArray[np.int64]
_Tables = NDArray[np.signedinteger[Any]]


def lanes_of(symbols: int, terms: Terms | None = None) -> int:
    """Lanes of a stream: one for each 2048 symbols, a power of two, 1 to 32; 0 if empty.

    Never more than the least distance from a symbol to one that predicts it.
    """
    if not symbols:
        return 0
    lanes = min(max(1 << (symbols // _LANE_SYMBOLS).bit_length() >> 1, 1), _LANES)
    nearest = terms.nearest if terms else None
    return lanes if nearest is None else min(lanes, 1 << nearest.bit_length() >> 1)


def encode(
    family: Family,
    tables: Sequence[_Tables],
    symbols: Sequence[_Int],
    lanes: Sequence[int] | None = None,
) -> list[bytes]:
    """Encode several streams side by side.

    Args:
        family: Where the tables are.
        tables: For each stream, the table of each symbol.
        symbols: For each stream, its symbols.
        lanes: For each stream, its lanes; as many as its symbols allow where None.
    """
    entries = [family.firsts[t] + s for t, s in zip(tables, symbols, strict=True)]
    return encode_entries(family, entries, lanes)


def encode_entries(
    family: Family, entries: Sequence[_Tables], lanes: Sequence[int] | None = None
) -> list[bytes]:
    """The same, of symbols that are known by their places among all of the family."""
    results = [b""] * len(entries)
    short = [place for place, part in enumerate(entries) if 0 < len(part) <= _LONG]
    long = [[place] for place, part in enumerate(entries) if len(part) > _LONG]
    for streams in [short, *long] if short else long:
        own = _own_lanes(lanes, np.array([len(entries[s]) for s in streams], np.int64), streams)
        made = _encode_some(family, [entries[s] for s in streams], own)
        for stream, data in zip(streams, made, strict=True):
            results[stream] = data
    return results


def _encode_some(family: Family, entries: Sequence[_Tables], lanes: _Int) -> list[bytes]:
    """Streams none of which is empty; a single one is not copied."""
    narrow = [part.astype(np.int32, copy=False) for part in entries]
    symbols = narrow[0] if len(narrow) == 1 else np.concatenate(narrow)
    counts = np.array([len(part) for part in entries], np.int64)
    states, words, taken = rans_encode(symbols, family.frequencies, family.starts, counts, lanes)
    state_parts = np.split(states.astype("<u4", copy=False), np.cumsum(lanes)[:-1])
    word_parts = np.split(words.astype("<u2", copy=False), np.cumsum(taken)[:-1])
    pairs = zip(state_parts, word_parts, strict=True)
    return [state.tobytes() + word.tobytes() for state, word in pairs]


def decode(
    family: Family,
    payloads: Sequence[memoryview],
    tables: Sequence[_Tables],
    lanes: Sequence[int] | None = None,
) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Decode several streams side by side.

    Args:
        family: Where the tables are.
        payloads: Each starts with a stream; more may follow it.
        tables: For each stream, the table of each symbol.
        lanes: For each stream, its lanes; as many as its symbols allow where None.

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
    counts = np.array([len(tables[s]) for s in streams], np.int64)
    own = _own_lanes(lanes, counts, streams)
    states, words, starts = _read([payloads[s] for s in streams], own)
    rows, used = _compact(family, np.concatenate([tables[s] for s in streams]))
    lookup = family.lookup(used)
    found, ends, left = rans_decode(words, starts[:-1], states, counts, own, rows, *lookup)
    taken = _sizes(starts, ends, left, own)
    for stream, part, size in zip(
        streams, np.split(found, np.cumsum(counts)[:-1]), taken, strict=True
    ):
        symbols[stream], sizes[stream] = part, size
    return symbols, sizes


def _own_lanes(lanes: Sequence[int] | None, counts: _Int, streams: Sequence[int]) -> _Int:
    chosen = (
        [lanes_of(n) for n in counts.tolist()] if lanes is None else [lanes[s] for s in streams]
    )
    return np.array(chosen, np.int64)


def stream(
    data: memoryview,
    rows: NDArray[np.uint16],
    terms: Terms | None = None,
    escapes: NDArray[np.int64] | None = None,
    odd: NDArray[np.int8] | None = None,
    lanes: int | None = None,
) -> Stream:
    """The symbols of one slice, at least one.

    Args:
        data: Starts with their stream; more may follow it.
        rows: (symbols,) the first of the tables that each may have.
        terms: What predicts them.
        escapes: What escapes stand for, in order.
        odd: Of points, whether each level is; (16, points).
        lanes: How many there are; as many as symbols and terms allow where None.

    Raises:
        BitstreamError: The stream ends before its states do.
    """
    lanes = lanes_of(len(rows), terms) if lanes is None else lanes
    if len(data) < 4 * lanes:
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"stream: {len(data)} bytes, {4 * lanes} for its states"
        )
    known = _NO_ESCAPES if escapes is None else escapes
    return Stream(data=data, lanes=lanes, rows=rows, terms=terms, escapes=known, odd=odd)


def check(decoded: Decoded, what: str) -> None:
    """Make sure that a slice came from an encoder.

    Raises:
        BitstreamError: It did not.
    """
    if decoded.taken == BROKEN:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"{what}: its symbols do not add up")
    if decoded.taken == BEYOND:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"{what}: a level is beyond {MAX_LEVEL}")


def _read(
    payloads: Sequence[memoryview], lanes: _Int
) -> tuple[NDArray[np.uint32], NDArray[np.uint16], _Int]:
    """States and words of all streams, and where each stream's words start; then their end."""
    states: list[NDArray[np.uint32]] = []
    words: list[NDArray[np.uint16]] = []
    for payload, lane in zip(payloads, lanes.tolist(), strict=True):
        if len(payload) < 4 * lane:
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"stream: {len(payload)} bytes, {4 * lane} for its states"
            )
        states.append(np.frombuffer(payload, "<u4", lane))
        if states[-1].min(initial=STATE_START) < STATE_START:
            raise BitstreamError(ErrorCode.BAD_SYMBOL, "stream: a state is below its bound")
        words.append(np.frombuffer(payload, "<u2", (len(payload) - 4 * lane) // 2, 4 * lane))
    starts = np.cumsum([0, *(len(part) for part in words)])
    return np.concatenate(states), np.concatenate([*words, np.zeros(1, np.uint16)]), starts


def _compact(family: Family, tables: _Tables) -> tuple[NDArray[np.uint16], _Int]:
    """The table of each symbol as its place among those in use, and those in use."""
    used: _Int = np.flatnonzero(np.bincount(tables, minlength=len(family.sizes)))
    row_of = np.zeros(len(family.sizes), np.uint16)
    row_of[used] = np.arange(len(used), dtype=np.uint16)
    return row_of[tables], used


def _sizes(starts: _Int, ends: _Int, left: NDArray[np.uint32], lanes: _Int) -> list[int]:
    """The bytes that each stream took.

    Args:
        starts: (streams + 1,) as `_read` gives them.
        ends: (streams,) index past the last word that each took.
        left: States that are left.
        lanes: (streams,)

    Raises:
        BitstreamError: A stream ends early or did not come from an encoder.
    """
    bad = np.logical_or.reduceat(left != STATE_START, np.cumsum(lanes) - lanes)
    bad |= ends > starts[1:]
    if bad.any():
        raise BitstreamError(
            ErrorCode.BAD_SYMBOL,
            f"stream {int(np.argmax(bad))} of {len(lanes)}: its symbols do not add up",
        )
    sizes: list[int] = (4 * lanes + 2 * (ends - starts[:-1])).tolist()
    return sizes
