"""Levels of slices to bytes and back, where they may be points of the E8 lattice.

Knows nothing of steps and values. What eight weights of a point share is sent first: whether
they are whole or half. Of the last weight of a point only half a bit less is open, since the
sum of all is known modulo four (spec/coding.md, "Lattice").
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from midstream.codec import levels as level_coding
from midstream.codec import rans
from midstream.codec.lattice import BLOCK, blocks
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.tables import BINARY_TABLES, binary_family
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import decode_levels
from midstream.kernels.slots import Slots
from midstream.kernels.terms import LowBits

__all__ = ["binary_slots", "cost", "decode", "encode_many"]

_OCTAVE = 4  # quarter octaves
_LAST_PHASES = np.array([0, 2, 1, 2], np.int8)
"""Phase of the last weight's table, for each rest of its level modulo four."""

_MOVES = np.array([0, 1, -2, -1], np.int32)
"""What is added to four times the number of the last weight, for each rest; for rest 1 to minus
that."""

_NO_LOW_BITS = LowBits(data=memoryview(b""), shifts=np.zeros(0, np.uint8))

_Cosets = NDArray[np.int8]
_Levels = NDArray[np.int32]


def encode_many(levels: Sequence[_Levels], contexts: Sequence[Context]) -> list[bytes]:
    """The payloads of several slices, much faster than one by one.

    Args:
        levels: Of each slice; points as `lattice.quantise` gives them where it has them.
        contexts: Of each slice.
    """
    payloads = [b""] * len(levels)
    plain = [at for at, context in enumerate(contexts) if not context.lattice]
    others = [at for at, context in enumerate(contexts) if context.lattice]
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
    levels = [np.zeros(0, np.int32)] * len(payloads)
    plain = [at for at, context in enumerate(contexts) if not context.lattice]
    others = [at for at, context in enumerate(contexts) if context.lattice]
    for chosen, read in ((plain, level_coding.decode), (others, _decode_points)):
        if chosen:
            found = read([payloads[at] for at in chosen], [contexts[at] for at in chosen])
            for at, values in zip(chosen, found, strict=True):
                levels[at] = values
    return levels


def cost(levels: _Levels, context: Context) -> float:
    """Bits that levels take by the tables, without what streams cost by themselves."""
    if not context.lattice:
        return level_coding.cost(levels, context)
    odd, first, rests, last = _split(levels)
    bits = level_coding.cost(first, _first_context(context, odd))
    bits += level_coding.cost(last, _last_context(context, rests))
    return bits + float(_coset_bits(odd).min())


def _encode_points(levels: Sequence[_Levels], contexts: Sequence[Context]) -> list[bytes]:
    parts = [_split(values) for values in levels]
    tables = [int(_coset_bits(odd).argmin()) for odd, _, _, _ in parts]
    cosets = rans.encode(
        binary_family(),
        [np.full(len(part[0]), table, np.int64) for part, table in zip(parts, tables, strict=True)],
        [part[0].astype(np.int64) for part in parts],
    )
    pairs = list(zip(contexts, parts, strict=True))
    firsts = level_coding.encode_many(
        [first for _, first, _, _ in parts], [_first_context(c, part[0]) for c, part in pairs]
    )
    lasts = level_coding.encode_many(
        [last for _, _, _, last in parts], [_last_context(c, part[2]) for c, part in pairs]
    )
    heads = [bytes([table]) for table in tables]
    return [b"".join(payload) for payload in zip(heads, cosets, firsts, lasts, strict=True)]


def _split(levels: _Levels) -> tuple[_Cosets, _Levels, _Cosets, _Levels]:
    """Cosets, numbers for all weights but the last ones, what is known of those, theirs."""
    count = blocks(len(levels))
    inside = levels[: BLOCK * count].reshape(BLOCK, count)
    odd = inside[0] & 1
    first = inside[:-1] + odd >> 1
    rests = -inside[:-1].sum(axis=0, dtype=np.int32) & 3  # what overflows does not matter
    last = np.where(rests == 1, 1 - inside[-1], inside[-1] + (-rests & 3)) >> 2
    numbers = np.concatenate([first.ravel(), levels[BLOCK * count :] >> 1])
    return odd.astype(np.int8), numbers, rests.astype(np.int8), last


def _joined(odd: _Cosets, numbers: _Levels, rests: _Cosets, last: _Levels) -> _Levels:
    """What `_split` took apart."""
    # wider than these by one, so that nothing overflows
    if _reach(numbers) > MAX_LEVEL // 2 + 1 or _reach(last) > MAX_LEVEL // 4 + 1:
        raise _beyond()
    count = len(odd)
    levels = np.empty(len(numbers) + count, np.int32)
    first, ends, over = np.split(levels, [(BLOCK - 1) * count, BLOCK * count])
    np.multiply(numbers[: len(first)], 2, out=first)
    rows = first.reshape(BLOCK - 1, count)
    rows -= odd
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


def _rests(odd: _Cosets, numbers: _Levels) -> _Cosets:
    """What is known of the last levels, modulo four."""
    count = len(odd)
    first = numbers[: (BLOCK - 1) * count].reshape(BLOCK - 1, count)
    # what overflows does not matter
    total = first.sum(axis=0, dtype=np.int32).astype(np.int8)
    rests: _Cosets = (BLOCK - 1) * odd - 2 * total & 3
    return rests


def _first_context(context: Context, odd: _Cosets) -> Context:
    """How the numbers of all weights but the last of each point are distributed."""
    count = len(odd)
    shape, width = (
        np.concatenate([values[: (BLOCK - 1) * count], values[BLOCK * count :]])
        for values in (context.shape, context.width)
    )
    phase = np.zeros(len(shape), np.int8)
    phase[: (BLOCK - 1) * count] = np.tile(odd, BLOCK - 1)
    return Context(shape=shape, width=_narrowed(width, 1), phase=phase)


def _last_context(context: Context, rests: _Cosets) -> Context:
    """The same for the last weight of each point."""
    count = len(rests)
    kept = slice((BLOCK - 1) * count, BLOCK * count)
    return Context(
        shape=context.shape[kept],
        width=_narrowed(context.width[kept], 2),
        phase=_LAST_PHASES[rests],
    )


def _narrowed(width: NDArray[np.int16], octaves: int) -> NDArray[np.int16]:
    return width - np.int16(_OCTAVE * octaves)


def _coset_bits(odd: _Cosets) -> NDArray[np.float64]:
    """Bits of all cosets with each binary table."""
    family = binary_family()
    ones = int(odd.sum())
    bits: NDArray[np.float64] = family.bits.reshape(BINARY_TABLES, 2) @ [len(odd) - ones, ones]
    return bits


def _decode_points(payloads: Sequence[memoryview], contexts: Sequence[Context]) -> list[_Levels]:
    odd, rests = _decode_cosets(payloads, [blocks(len(context.width)) for context in contexts])
    pairs = list(zip(contexts, odd, strict=True))
    numbers, sizes = level_coding.decode_prefix(rests, [_first_context(*pair) for pair in pairs])
    rests = [payload[size:] for payload, size in zip(rests, sizes, strict=True)]
    known = [_rests(*pair) for pair in zip(odd, numbers, strict=True)]
    lasts = [_last_context(*pair) for pair in zip(contexts, known, strict=True)]
    last = level_coding.decode(rests, lasts)
    return [_joined(*parts) for parts in zip(odd, numbers, known, last, strict=True)]


def _decode_cosets(
    payloads: Sequence[memoryview], counts: Sequence[int]
) -> tuple[list[_Cosets], list[memoryview]]:
    """The cosets of so many points of each slice, and what follows them."""
    tables = [_read_table(payload) for payload in payloads]
    odd, rests = [np.zeros(0, np.int8)] * len(payloads), [payload[1:] for payload in payloads]
    chosen = [at for at, count in enumerate(counts) if count]
    streams = [rans.stream(rests[at], np.full(counts[at], tables[at], np.uint16)) for at in chosen]
    found = decode_levels(streams, [_NO_LOW_BITS] * len(chosen), binary_slots(), next_phase=0)
    for at, decoded in zip(chosen, found, strict=True):
        rans.check(decoded, f"lattice: slice {at} of {len(payloads)}")
        odd[at], rests[at] = decoded.levels.astype(np.int8), rests[at][decoded.taken :]
    return odd, rests


@cache
def binary_slots() -> Slots:
    """All binary tables; their symbols stand for themselves."""
    family = binary_family()
    values = np.tile(np.arange(2, dtype=np.int8), BINARY_TABLES)
    return Slots(frequencies=family.frequencies, starts=family.starts, values=values)


def _read_table(payload: memoryview) -> int:
    if not len(payload):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "lattice: no bytes at all")
    if payload[0] >= BINARY_TABLES:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"lattice: binary table {payload[0]}")
    return payload[0]
