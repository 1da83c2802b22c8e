"""Levels of slices to bytes and back, where they may be points of a lattice.

Knows nothing of steps and values. The codeword of a point, which says which of its levels are
odd, is sent first. Of its last weight half as many levels are open, since the sum of all is
known modulo four (spec/coding.md, "Lattice").
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels as level_coding
from midstream.codec import rans
from midstream.codec.expected_points import narrowed, numbers_of
from midstream.codec.lattice import BLOCK, blocks
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import count_levels as count_in_c
from midstream.kernels import pack_bits
from midstream.kernels import pack_levels as pack_in_c
from midstream.kernels.codewords import CODEWORDS, codewords_of

__all__ = ["cost", "decode", "encode_many"]

_CODEWORD_BITS = 5

_OCTAVE = 4  # quarter octaves
_LAST_PHASES = np.array([0, 2, 1, 2], np.int8)
"""Phase of the last weight's table, for each rest of its level modulo four."""

_MOVES = np.array([0, 1, -2, -1], np.int32)
"""What is added to four times the number of the last weight, for each rest; for rest 1 to minus
that."""

_Odd = NDArray[np.int8]
_Levels = NDArray[np.int32]


def encode_many(levels: Sequence[_Levels], contexts: Sequence[Context]) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        levels: Of each slice; points as `lattice.quantise` gives them where it has them.
        contexts: Of each slice.
    """
    if pack_in_c is not None:
        return [level_coding.packed(*pair) for pair in zip(levels, contexts, strict=True)]
    payloads = [b""] * len(levels)
    plain, others = _kinds(contexts)
    for at, (values, context) in enumerate(zip(levels, contexts, strict=True)):
        if context.lattice and context.terms is not None:
            payloads[at] = _encode_expected(values, context)
    for chosen, encode in ((plain, level_coding.encode_many), (others, _encode_points)):
        made = encode([levels[at] for at in chosen], [contexts[at] for at in chosen])
        for at, payload in zip(chosen, made, strict=True):
            payloads[at] = payload
    return payloads


def decode(payloads: Sequence[memoryview], contexts: Sequence[Context]) -> list[_Levels]:
    """The levels of several slices.

    Raises:
        BitstreamError: A payload did not come from an encoder, or bytes follow it.
    """
    odd = [
        _read_codewords(payload, blocks(len(context.width))) if context.lattice else None
        for payload, context in zip(payloads, contexts, strict=True)
    ]
    rests = [
        payload if known is None else payload[_codeword_bytes(known.shape[1]) :]
        for payload, known in zip(payloads, odd, strict=True)
    ]
    # side by side, but for the last levels of points that are not predicted
    levels, sizes = level_coding.decode_prefix(
        rests,
        [_own_context(*pair) for pair in zip(contexts, odd, strict=True)],
        odd=[None if c.terms is None else own for c, own in zip(contexts, odd, strict=True)],
    )
    rests = [rest[size:] for rest, size in zip(rests, sizes, strict=True)]
    unfinished = dict.fromkeys(_kinds(contexts)[1])
    level_coding.check_ends([rest for at, rest in enumerate(rests) if at not in unfinished])
    parts = [
        (rests[at], contexts[at], known, levels[at])
        for at, known in enumerate(odd)
        if known is not None and at in unfinished
    ]
    for at, found in zip(unfinished, _decode_last(parts), strict=True):
        levels[at] = found
    return levels


def _own_context(context: Context, odd: _Odd | None) -> Context:
    """How what is decoded first of a slice is distributed."""
    if odd is None:
        return context
    return _first_context(context, odd) if context.terms is None else narrowed(context)


def _kinds(contexts: Sequence[Context]) -> tuple[list[int], list[int]]:
    """Which are on the integers, and which on the lattice and not predicted."""
    plain = [at for at, context in enumerate(contexts) if not context.lattice]
    others = [at for at, c in enumerate(contexts) if c.lattice and c.terms is None]
    return plain, others


def cost(levels: _Levels, context: Context, *, halves: NDArray[np.int64] | None = None) -> float:
    """Bits that levels take by the tables, without what streams cost by themselves.

    Args:
        levels: (weights,)
        context: How they are coded.
        halves: (weights,) what is expected of each, in half steps, whatever the context says.
    """
    halves = context.halves(levels) if halves is None else halves
    if not context.lattice:
        return level_coding.cost(levels, context, halves=halves)
    if count_in_c is not None:
        return level_coding.bits_of(*level_coding.counted(levels, context, halves))
    others = _CODEWORD_BITS * blocks(len(levels))
    if halves is not None:
        numbers, phase = numbers_of(levels, halves)
        counts, bits = level_coding.count(numbers, _phased(context, phase))
        return level_coding.bits_of(counts, bits + others)
    odd, first, rests, last = _split(levels)
    one, bits = level_coding.count(first, _first_context(context, odd))
    other, more = level_coding.count(last, _last_context(context, rests))
    return level_coding.bits_of(one + other, bits + more + others)


def _phased(context: Context, phase: NDArray[np.int8]) -> Context:
    """How numbers are coded whose tables are known, of levels that are predicted."""
    return replace(narrowed(context), terms=None, phase=phase)


def _encode_expected(levels: _Levels, context: Context) -> bytes:
    halves = context.halves(levels)
    assert halves is not None, "nothing predicts these levels"
    numbers, phase = numbers_of(levels, halves)
    count = blocks(len(levels))
    odd = (levels[: BLOCK * count] & 1).astype(np.int8).reshape(BLOCK, count)
    lanes = rans.lanes_of(len(levels), context.terms)
    stream = level_coding.encode_many([numbers], [_phased(context, phase)], lanes=[lanes])[0]
    return _write_codewords(odd) + stream


def _encode_points(levels: Sequence[_Levels], contexts: Sequence[Context]) -> list[bytes]:
    parts = [_split(values) for values in levels]
    pairs = list(zip(contexts, parts, strict=True))
    firsts = level_coding.encode_many(
        [first for _, first, _, _ in parts], [_first_context(c, part[0]) for c, part in pairs]
    )
    lasts = level_coding.encode_many(
        [last for _, _, _, last in parts],
        [_last_context(c, part[2]) for c, part in pairs],
        lanes=_last_lanes([rests for _, _, rests, _ in parts]),
    )
    heads = [_write_codewords(part[0]) for part in parts]
    return [b"".join(payload) for payload in zip(heads, firsts, lasts, strict=True)]


def _write_codewords(odd: _Odd) -> bytes:
    numbers = codewords_of(odd).astype(np.uint64)
    return pack_bits(numbers, np.full(len(numbers), _CODEWORD_BITS))


def _read_codewords(payload: memoryview, count: int) -> _Odd:
    """Which levels of so many points are odd; (16, points)."""
    size = _codeword_bytes(count)
    if size > len(payload):
        raise BitstreamError(
            ErrorCode.BAD_LENGTH, f"lattice: {len(payload)} bytes, {size} for its codewords"
        )
    bits = np.unpackbits(np.frombuffer(payload[:size], np.uint8), bitorder="little")
    fields = bits[: _CODEWORD_BITS * count].reshape(count, _CODEWORD_BITS)
    numbers = np.packbits(fields, axis=1, bitorder="little")[:, 0]
    return np.ascontiguousarray(CODEWORDS[numbers].T)


def _codeword_bytes(count: int) -> int:
    return (_CODEWORD_BITS * count + 7) // 8


def _split(levels: _Levels) -> tuple[_Odd, _Levels, _Odd, _Levels]:
    """Which are odd, numbers for all weights but the last ones, what is known of those, theirs."""
    count = blocks(len(levels))
    inside = levels[: BLOCK * count].reshape(BLOCK, count)
    odd = (inside & 1).astype(np.int8)
    first = inside[:-1] + odd[:-1] >> 1
    rests = -inside[:-1].sum(axis=0, dtype=np.int32) & 3  # what overflows does not matter
    last = np.where(rests == 1, 1 - inside[-1], inside[-1] + (-rests & 3)) >> 2
    numbers = np.concatenate([first.ravel(), levels[BLOCK * count :] >> 1])
    return odd, numbers, rests.astype(np.int8), last


def _joined(odd: _Odd, numbers: _Levels, rests: _Odd, last: _Levels) -> _Levels:
    """What `_split` took apart."""
    # wider than these by one, so that nothing overflows
    if _reach(numbers) > MAX_LEVEL // 2 + 1 or _reach(last) > MAX_LEVEL // 4 + 1:
        raise _beyond()
    count = odd.shape[1]
    levels = np.empty(len(numbers) + count, np.int32)
    first, ends, over = np.split(levels, [(BLOCK - 1) * count, BLOCK * count])
    np.multiply(numbers[: len(first)], 2, out=first)
    rows = first.reshape(BLOCK - 1, count)
    rows -= odd[:-1]
    np.multiply(last, 4, out=ends)
    np.negative(ends, out=ends, where=rests == 1)
    ends += _MOVES[rests]
    np.multiply(numbers[len(first) :], 2, out=over)
    if _reach(levels) > MAX_LEVEL:
        raise _beyond()
    return levels


def _reach(values: _Levels) -> int:
    """How far they are from zero, at most."""
    return max(-int(values.min()), int(values.max())) if values.size else 0


def _beyond() -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_SYMBOL, f"lattice: a level is beyond {MAX_LEVEL}")


def _rests(odd: _Odd, numbers: _Levels) -> _Odd:
    """What is known of the last levels, modulo four."""
    count = odd.shape[1]
    first = numbers[: (BLOCK - 1) * count].reshape(BLOCK - 1, count)
    # what overflows does not matter; all of a codeword add up to a multiple of four
    total = first.sum(axis=0, dtype=np.int32).astype(np.int8)
    rests: _Odd = -odd[-1] - 2 * total & 3
    return rests


def _first_context(context: Context, odd: _Odd) -> Context:
    """How the numbers of all weights but the last of each point are distributed."""
    count = odd.shape[1]
    shape, width = (
        np.concatenate([values[: (BLOCK - 1) * count], values[BLOCK * count :]])
        for values in (context.shape, context.width)
    )
    phase = np.zeros(len(shape), np.int8)
    phase[: (BLOCK - 1) * count] = odd[:-1].ravel()
    return Context(shape=shape, width=_narrowed(width, 1), phase=phase)


def _last_context(context: Context, rests: _Odd) -> Context:
    """The same for the last weight of each point."""
    count = len(rests)
    kept = slice((BLOCK - 1) * count, BLOCK * count)
    return Context(
        shape=context.shape[kept],
        width=_narrowed(context.width[kept], 2),
        phase=_LAST_PHASES[rests],
    )


def _last_lanes(rests: Sequence[_Odd]) -> list[int]:
    return [level_coding.lanes_of_last(len(own)) for own in rests]


def _narrowed(width: NDArray[np.int16], octaves: int) -> NDArray[np.int16]:
    return width - np.int16(_OCTAVE * octaves)


def _decode_last(
    parts: Sequence[tuple[memoryview, Context, _Odd, _Levels]],
) -> list[_Levels]:
    """The levels of points, of which the last ones are left in the payloads."""
    known = [_rests(odd, numbers) for _, _, odd, numbers in parts]
    last = level_coding.decode(
        [payload for payload, _, _, _ in parts],
        [_last_context(part[1], rests) for part, rests in zip(parts, known, strict=True)],
        lanes=_last_lanes(known),
    )
    return [
        _joined(odd, numbers, rests, ends)
        for (_, _, odd, numbers), rests, ends in zip(parts, known, last, strict=True)
    ]
