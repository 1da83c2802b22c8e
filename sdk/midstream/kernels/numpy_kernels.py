"""Entropy coding and bit packing in NumPy. Knows nothing of what the symbols mean.

rANS here has 32-bit states, a lower bound of 2**16 and 16-bit words. Symbol i of a slice
belongs to lane i % lanes; the lanes of one slice share one stream of words.
(spec/coding.md, "Entropy coder" and "Bits".)
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from midstream.kernels.lanes import lane_order, make_plan, spread
from midstream.kernels.slots import SYMBOL_BITS, TOTAL_BITS, Lookup
from midstream.kernels.stepping import STATE_START, Stepper, make_stepper, split

__all__ = [
    "ALPHABET_LIMIT",
    "STATE_START",
    "pack_bits",
    "rans_decode",
    "rans_encode",
    "read_varints",
    "unpack_bits",
    "write_varints",
]

ALPHABET_LIMIT = 128
"""Symbols of one table, at most."""

_MASK = (1 << TOTAL_BITS) - 1
_WORD_BITS = 16
_VARINT_BYTES = 5

_Int = NDArray[np.int64]


def blank(size: int) -> bytearray:
    """So many zeros, for a whole model file."""
    return bytearray(size)


def rans_encode(
    symbols: NDArray[np.int32],
    frequencies: NDArray[np.uint16],
    starts: NDArray[np.uint16],
    counts: _Int,
    lanes: _Int,
) -> tuple[NDArray[np.uint32], NDArray[np.uint16], _Int]:
    """Encode slices of symbols, each with its own lanes and words.

    Args:
        symbols: Place of each among all symbols of all tables; slice after slice.
        frequencies: Of all symbols of all tables, 1 to 2**12.
        starts: Of the same, the sum of the frequencies before them in their table.
        counts: (slices,) symbols of each slice.
        lanes: (slices,) lanes of each slice, at least 1.

    Returns:
        The final states (lanes of all slices,), the words in the order in which a decoder
        reads them, slice after slice, and the number of words of each slice (slices,).
    """
    plan = make_plan(counts, lanes)
    # a filler of full frequency leaves a state as it is
    frequency = spread(plan, frequencies[symbols].astype(np.int64), 1 << TOTAL_BITS)
    start = spread(plan, starts[symbols].astype(np.int64), 0)
    words = np.zeros(plan.places[-1], np.uint16)
    full = np.zeros(plan.places[-1], np.bool_)
    states = np.full(plan.edges[-1], STATE_START, np.int64)
    for step in range(len(plan.active) - 1, -1, -1):
        here = slice(plan.places[step], plan.places[step + 1])
        state = states[: plan.active[step]]
        f = frequency[here]
        over = np.greater_equal(state, f << (32 - TOTAL_BITS), out=full[here])
        words[here] = state & 0xFFFF
        state >>= np.where(over, _WORD_BITS, 0)
        quotient = state // f
        state += start[here] + quotient * ((1 << TOTAL_BITS) - f)
    emitted = full[plan.index]
    ends = np.cumsum(np.concatenate([[0], emitted]))[np.cumsum(counts)]
    result = np.empty(len(states), np.uint32)
    result[lane_order(plan, lanes)] = states
    return result, words[plan.index][emitted], np.diff(ends, prepend=0)


def rans_decode(
    words: NDArray[np.uint16],
    starts: _Int,
    states: NDArray[np.uint32],
    counts: _Int,
    lanes: _Int,
    tables: NDArray[np.uint16],
    frequencies: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    names: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], _Int, NDArray[np.uint32]]:
    """Decode slices of symbols; what is wrong with the words shows in the result.

    Args:
        words: Words of all slices; not empty.
        starts: (slices,) index of the first word of each slice.
        states: (lanes of all slices,) final states of the encoder, slice after slice.
        counts: (slices,) symbols of each slice.
        lanes: (slices,) lanes of each slice, at least 1.
        tables: (symbols,) table of each symbol, as a row of the next three.
        frequencies: (rows, 2**12) for each slot of a table, that of the symbol there.
        offsets: (rows, 2**12) how far the slot is from the first one of that symbol.
        names: (rows, 2**12) the symbol.

    Returns:
        The symbols, the index one past the last word that each slice took (a damaged one
        may say more than there are), and the states that are left: STATE_START in every
        lane where the words were whole.
    """
    lookup = _lookup(frequencies, offsets, names)
    symbols = np.empty(len(tables), np.uint8)
    ends, left = np.empty(len(counts), np.int64), np.empty(len(states), np.uint32)
    owner, holder = (np.repeat(np.arange(len(counts)), sizes) for sizes in (counts, lanes))
    for chosen in split(counts, lanes):
        own, held = np.isin(owner, chosen), np.isin(holder, chosen)
        stepper = make_stepper(
            words, starts[chosen], states[held], counts[chosen], lanes[chosen], lookup
        )
        symbols[own] = _find_symbols(stepper, tables[own], len(names))
        ends[chosen], left[held] = stepper.finish()
    return symbols, ends, left


def _lookup(
    frequencies: NDArray[np.uint16], offsets: NDArray[np.uint16], names: NDArray[np.uint8]
) -> Lookup:
    """The tables of `rans_decode`, and one after them that leaves a state as it is."""
    sizes = len(names) + 1, 1 << SYMBOL_BITS
    found = Lookup(
        names=np.append(names, np.zeros(_MASK + 1, np.uint8)),
        frequencies=np.zeros(sizes, np.int64),
        starts=np.zeros(sizes, np.int64),
        values=np.zeros(0, np.int8),
    )
    found.frequencies[-1, 0] = _MASK + 1
    rows = np.arange(len(names))[:, None]
    found.frequencies[rows, names] = frequencies
    found.starts[rows, names] = np.arange(_MASK + 1) - offsets
    return replace(found, frequencies=found.frequencies.ravel(), starts=found.starts.ravel())


def _find_symbols(stepper: Stepper, tables: NDArray[np.uint16], filler: int) -> NDArray[np.uint8]:
    """The symbols of slices in their tables; the filler's is where a lane has none."""
    plan = stepper.plan
    entries = spread(plan, tables.astype(np.int64), filler)
    changes = np.flatnonzero(np.diff(plan.active, prepend=-1, append=-1))
    for first, last in pairwise(changes):
        here = entries[plan.places[first] : plan.places[last]]
        stepper.advance(here.reshape(-1, int(plan.active[first])))
    entries &= (1 << SYMBOL_BITS) - 1
    return entries[plan.index].astype(np.uint8)


def pack_bits(values: NDArray[np.uint64], widths: _Int) -> bytes:
    """Write values of given widths one after the other, least significant bit first.

    Args:
        values: Each less than two to the power of its width.
        widths: Bits of each value, 0 to 57.

    Returns:
        The bits, filled up with zeros to whole bytes.
    """
    ends = np.cumsum(widths)
    total = int(ends[-1]) if len(ends) else 0
    words = np.zeros(total // 64 + 2, "<u8")
    keep = widths > 0
    values, starts = values[keep], (ends - widths)[keep]
    if not len(values):
        return b""
    word, shift = starts >> 6, (starts & 63).astype(np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    words[word[first]] = np.bitwise_or.reduceat(values << shift, first)
    # only the last value that starts in a word can reach into the next one; no shift by
    # 64, which is undefined: by 1, and then by up to 63
    last = np.append(first[1:], len(word)) - 1
    words[word[last] + 1] |= (values[last] >> np.uint64(1)) >> (np.uint64(63) - shift[last])
    return words.tobytes()[: (total + 7) // 8]


def unpack_bits(data: NDArray[np.uint8], widths: _Int) -> NDArray[np.uint64]:
    """Read values that `pack_bits` wrote.

    Args:
        data: At least as many bytes as the widths add up to.
        widths: Bits of each value, 0 to 57.

    Returns:
        The values (values,).
    """
    ends = np.cumsum(widths)
    total = int(ends[-1]) if len(ends) else 0
    words = np.zeros(total // 64 + 2, "<u8")
    words.view(np.uint8)[: (total + 7) // 8] = data[: (total + 7) // 8]
    starts = ends - widths
    word, shift = starts >> 6, (starts & 63).astype(np.uint64)
    high = (words[word + 1] << np.uint64(1)) << (np.uint64(63) - shift)
    mask = (np.uint64(1) << widths.astype(np.uint64)) - np.uint64(1)
    values: NDArray[np.uint64] = ((words[word] >> shift) | high) & mask
    return values


def write_varints(values: NDArray[np.uint64]) -> bytes:
    """Unsigned LEB128, each value less than 2**35."""
    groups = values[:, None] >> np.arange(0, 7 * _VARINT_BYTES, 7, dtype=np.uint64)
    more = groups[:, 1:] > 0
    digits = (groups & np.uint64(0x7F)).astype(np.uint8)
    digits[:, :-1] |= more.astype(np.uint8) << 7
    used = np.concatenate([np.ones((len(values), 1), np.bool_), more], axis=1)
    return bytes(digits[used])


def read_varints(data: NDArray[np.uint8], count: int) -> tuple[NDArray[np.uint64], int] | None:
    """Read what `write_varints` wrote.

    Args:
        data: The varints and whatever follows.
        count: How many there are.

    Returns:
        The values and the number of bytes they took; None where they end early, are longer
        than 5 bytes or not in their shortest form.
    """
    data = data[: count * _VARINT_BYTES]
    ends = np.flatnonzero(data < 0x80)[:count] + 1
    if len(ends) < count:
        return None
    if not count:
        return np.zeros(0, np.uint64), 0
    sizes = np.diff(ends, prepend=0)
    if sizes.max() > _VARINT_BYTES or np.any((data[ends - 1] == 0) & (sizes > 1)):
        return None
    size = int(ends[-1])
    place = np.arange(size) - np.repeat(ends - sizes, sizes)
    parts = (data[:size] & np.uint8(0x7F)).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, ends - sizes), size
