"""Weights as their differences to a reference, and back. Knows nothing of where that is from.

A float is so many ordinals from its reference; how many that is likely to be, the sigma of the
differences and the size of the reference say. Where the reference is no larger than the
differences are, the weight is coded without it. An integer's difference is taken as it is
(spec/updates.md, "Differences").
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.codec import histograms, levels, storage, values
from midstream.codec.cells import ordinals_of
from midstream.codec.parameters import MAX_LEVEL, Context
from midstream.codec.sections import Sections
from midstream.codec.selections import Selection, read, write
from midstream.codec.sigmas import Sigmas
from midstream.errors import BitstreamError, ErrorCode
from midstream.kernels import write_varints
from midstream.types import DType

__all__ = ["decode", "encode", "same"]

_WIDTH_OF_SIGMA_ONE = 12
_NEAR = 4
"""Quarter octaves of sigma that a reference is above the octave it starts in, at least."""
_WIDEST = 1 << 10
_TABLES_SHIFT = 2

_Int = NDArray[np.int64]
_Flags = NDArray[np.bool_]
_Stored = NDArray[np.generic]


def same(one: _Stored, other: _Stored) -> _Flags:
    """Where two storage arrays of one dtype hold the same bits."""
    equal: _Flags = _bits(one) == _bits(other)
    return equal


def _is_something(stored: _Stored, dtype: DType) -> _Flags:
    """Where a weight is neither 0 nor -0.0."""
    mask = (1 << dtype.bits - 1) - 1 if dtype.is_float else -1
    found: _Flags = (_bits(stored).astype(np.int64) & mask) != 0
    return found


def _bits(stored: _Stored) -> NDArray[np.unsignedinteger[Any]]:
    return stored.view(f"u{stored.itemsize}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """How the chosen weights of a slice are coded, as both sides know it."""

    reference: _Stored  # (weights,)
    small: _Flags  # (weights,) whether the reference is too small to be of use
    sigmas: Sigmas
    """Of the values of the small ones."""
    context: Context
    """Of the differences of the others."""

    @classmethod
    def of(cls, reference: _Stored, sigmas: Sigmas, chosen: _Flags, dtype: DType) -> "_Plan":
        runs = np.diff(sigmas.stops, prepend=0)
        shape = np.repeat(sigmas.shapes, runs)[chosen].astype(np.int8)
        quarters = sigmas.quarters[chosen].astype(np.int64)
        own = reference[chosen]
        octave = _octaves(own, dtype)
        small = 4 * octave < quarters + _NEAR if dtype.is_float else np.zeros(len(own), np.bool_)
        width = quarters + _WIDTH_OF_SIGMA_ONE - 4 * (octave - _mantissa(dtype))
        width = np.clip(width, -_WIDEST, _WIDEST).astype(np.int16)
        return cls(
            reference=own,
            small=small,
            sigmas=_of_values(np.maximum(quarters, 4 * octave)[small], shape[small]),
            context=Context(shape=shape[~small], width=width[~small]),
        )


def _mantissa(dtype: DType) -> int:
    return storage.MANTISSA_BITS[dtype] if dtype.is_float else 0


def _octaves(reference: _Stored, dtype: DType) -> _Int:
    """The exponent of each float, that of the least normal number where less; 0 of integers."""
    if not dtype.is_float:
        return np.zeros(len(reference), np.int64)
    mantissa = storage.MANTISSA_BITS[dtype]
    magnitude = _bits(reference).astype(np.int64) & (1 << dtype.bits - 1) - 1
    bias = (1 << dtype.bits - 2 - mantissa) - 1
    octaves: _Int = np.maximum(magnitude >> mantissa, 1) - bias
    return octaves


def _of_values(quarters: _Int, shapes: NDArray[np.int8]) -> Sigmas:
    """Sigmas of values about zero, each weight a run where shapes differ."""
    edges = np.flatnonzero(np.diff(shapes)) + 1
    stops = np.append(edges, len(shapes)).astype(np.int64)
    low = int(quarters.min(initial=0))
    return Sigmas(
        quarters=quarters.astype(np.int16),
        stops=stops,
        shapes=shapes[stops - 1].astype(np.int16) if len(shapes) else np.zeros(1, np.int16),
        origins=np.full(len(stops), low, np.int16),
    )


def encode(new: _Stored, reference: _Stored, sigmas: Sigmas, dtype: DType) -> bytes:
    """The shortest payload of a slice.

    Args:
        new: (weights,) storage array.
        reference: (weights,) the same of what it differs from.
        sigmas: How wide the differences spread.
        dtype: Of both.
    """
    changed = ~same(new, reference)
    nonzero = _is_something(reference, dtype)
    choices = {Selection.ALL: np.ones_like(changed)}
    if not (changed & ~nonzero).any() and not nonzero.all():
        choices[Selection.NONZERO] = nonzero
    if 2 * int(changed.sum()) < len(changed):
        choices |= {Selection.MASK: changed, Selection.GAPS: changed}
    coded = (_encode(new, reference, sigmas, dtype, how, chosen) for how, chosen in choices.items())
    return min(coded, key=len)


def _encode(
    new: _Stored,
    reference: _Stored,
    sigmas: Sigmas,
    dtype: DType,
    selection: Selection,
    chosen: _Flags,
) -> bytes:
    plan = _Plan.of(reference, sigmas, chosen, dtype)
    named = write(selection, chosen)
    if dtype.is_float:
        return bytes([selection]) + named + _floats(new[chosen], plan, dtype)
    has_tables, coded = _integers(new[chosen], plan)
    return bytes([selection | has_tables << _TABLES_SHIFT]) + named + coded


def _floats(new: _Stored, plan: _Plan, dtype: DType) -> bytes:
    """What is small, what is too far away, and the differences of the rest."""
    near = ~plan.small
    distance = ordinals_of(new[near], dtype) - ordinals_of(plan.reference[near], dtype)
    outside = np.abs(distance) > MAX_LEVEL
    parts = [
        _write_small(new[plan.small], plan.sigmas, dtype),
        _write_exceptions(outside, new[near]),
        levels.encode(np.where(outside, 0, distance).astype(np.int32), plan.context),
    ]
    return b"".join(parts)


def _integers(new: _Stored, plan: _Plan) -> tuple[bool, bytes]:
    """Whether tables are sent, and the bytes of the differences."""
    distance = new.astype(np.int64) - plan.reference.astype(np.int64)
    fixed = levels.encode(distance.astype(np.int32), plan.context)
    own = histograms.write(distance, plan.context.width)
    return len(own) < len(fixed), min(fixed, own, key=len)


def _write_small(stored: _Stored, sigmas: Sigmas, dtype: DType) -> bytes:
    """A length and a payload of values; nothing but a 0 where there are none."""
    payload = values.encode_many([stored], [sigmas], [dtype])[0] if len(stored) else b""
    return write_varints(np.array([len(payload)], np.uint64)) + payload


def _write_exceptions(outside: _Flags, stored: _Stored) -> bytes:
    where = np.flatnonzero(outside)
    numbers = np.array([len(where), *np.diff(where, prepend=-1) - 1], np.uint64)
    return write_varints(numbers) + stored[where].tobytes()


def decode(payload: memoryview, reference: _Stored, sigmas: Sigmas, dtype: DType) -> _Stored:
    """The storage array of a slice.

    Args:
        payload: As `encode` gives it.
        reference: (weights,) storage array of what it differs from.
        sigmas: How wide the differences spread.
        dtype: Of both.

    Raises:
        BitstreamError: The payload did not come from an encoder, or bytes follow it.
    """
    reader = Sections(payload, "differences")
    head = int(reader.take(1)[0])
    has_tables = bool(head >> _TABLES_SHIFT)
    if head >> _TABLES_SHIFT > 1 or (has_tables and dtype.is_float):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"differences: a head of {head:#04x}")
    chosen = read(reader, Selection(head & 3), _is_something(reference, dtype))
    plan = _Plan.of(reference, sigmas, chosen, dtype)
    result = reference.copy()
    if dtype.is_float:
        result[chosen] = _read_floats(reader, plan, dtype)
    else:
        result[chosen] = _read_integers(reader, plan, dtype, has_tables=has_tables)
    return result


def _read_floats(reader: Sections, plan: _Plan, dtype: DType) -> _Stored:
    own = plan.reference.copy()
    own[plan.small] = _read_small(reader, plan.sigmas, dtype)
    near = np.flatnonzero(~plan.small)
    where, exceptions = _read_exceptions(reader, len(near), own.dtype)
    distance = levels.decode([reader.payload], [plan.context])[0]
    found = _moved(plan.reference[near], distance, dtype)
    found[where] = exceptions
    own[near] = found
    return own


def _read_integers(reader: Sections, plan: _Plan, dtype: DType, *, has_tables: bool) -> _Stored:
    if not has_tables:
        distance = levels.decode([reader.payload], [plan.context])[0].astype(np.int64)
    else:
        distance = histograms.read(reader, plan.context.width)
        reader.end()
    numbers = plan.reference.astype(np.int64) + distance
    low, high = storage.integer_range(dtype)
    _check_range(numbers, low, high, dtype)
    return numbers.astype(storage.ELEMENT[dtype])


def _read_small(reader: Sections, sigmas: Sigmas, dtype: DType) -> _Stored:
    payload = memoryview(reader.take(int(reader.varints(1)[0])).tobytes())
    if not len(sigmas.quarters):
        if len(payload):
            raise BitstreamError(ErrorCode.TRAILING_BYTES, "differences: values of no weights")
        return np.zeros(0, storage.ELEMENT[dtype])
    return values.decode(payload, sigmas, dtype)


def _read_exceptions(
    reader: Sections, weights: int, element: np.dtype[np.generic]
) -> tuple[_Int, _Stored]:
    count = int(reader.varints(1)[0])
    if count > weights:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"differences: {count} exceptions of {weights} weights"
        )
    where: _Int = np.cumsum(reader.varints(count) + 1) - 1
    if count and not 0 <= where[-1] < weights:
        raise BitstreamError(
            ErrorCode.BAD_FIELD, f"differences: an exception at {where[-1]} of {weights} weights"
        )
    return where, reader.take(count * element.itemsize).view(element)


def _moved(reference: _Stored, distance: NDArray[np.int32], dtype: DType) -> _Stored:
    """The floats that are so many ordinals from their references."""
    ordinals = ordinals_of(reference, dtype) + distance
    half = 1 << dtype.bits - 1
    _check_range(ordinals, -half, half - 1, dtype)
    bits = np.where(ordinals < 0, half - 1 - ordinals, ordinals)
    return bits.astype(storage.bits_dtype(dtype)).view(storage.ELEMENT[dtype])


def _check_range(numbers: _Int, low: int, high: int, dtype: DType) -> None:
    if len(numbers) and not low <= int(numbers.min()) <= int(numbers.max()) <= high:
        raise BitstreamError(ErrorCode.BAD_SYMBOL, f"differences: beyond all of {dtype.name}")
