"""Updates, applied to an exact model. Written from updates.md."""

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import zstandard

from reference.bits import Reader, RefusedError, bounded, check
from reference.differences import bits_of, number, read_differences
from reference.grid import RANGES, bits_float, float_bits
from reference.heads import MODEL_LIMIT, TOPOLOGY_WINDOW, read_parameters, read_tensor
from reference.levels import no_mean, read_levels
from reference.tables import Tables
from reference.tensors import BITS, MANTISSA, Tensor, cut
from reference.values import read_raw

UPDATE, RAW, DIFFERENCES = 3, 3, 5
DICTIONARY = 4 << 20
Expect = Callable[[int, int], int]
"""From the place of a weight in its part, and its bits in the parent, to the bits expected."""


@dataclass
class Exact:
    """A model file and its tensors."""

    tensors: list[Tensor]
    table: bytes
    model: bytes

    @property
    def state_id(self) -> bytes:
        """What it is called."""
        return hashlib.sha256(self.table + self.model).digest()[:16]

    @property
    def content(self) -> bytes:
        """The tensor table, and what is between the holes."""
        out, end = self.table, 0
        for tensor in self.tensors:
            out += self.model[end : tensor.offset]
            end = tensor.offset + tensor.size
        return out + self.model[end:]


@dataclass
class Part:
    """Weights of one new tensor: where they are, and where in the parent."""

    tensor: Tensor
    home: Tensor
    places: Sequence[int]
    source: Tensor | None
    old_places: Sequence[int]
    expect: Expect | None = None


def block(tensor: Tensor, shape: Sequence[int], *, inside: bool) -> list[int]:
    """The weights of a tensor in a block of places from 0 on, or outside it."""
    found = []
    for i in range(tensor.weights):
        is_in = all(tensor.on(axis, i) < n for axis, n in enumerate(shape))
        if is_in == inside:
            found.append(i)
    return found


def parts_of(home: Tensor, source: Tensor | None) -> list[Part]:
    """What is kept of a tensor, and what is fresh."""
    every = range(home.weights)
    if source is None or source.shape == home.shape:
        return [Part(copy_of(home, home.shape), home, every, source, every)]
    check(home.dtype == source.dtype and home.dtype != 7, "another data type, or int4")
    check(len(home.shape) == len(source.shape), "another rank")
    shape = [min(a, b) for a, b in zip(home.shape, source.shape, strict=True)]
    kept, rest = block(home, shape, inside=True), block(home, shape, inside=False)
    old = block(source, shape, inside=True)
    found = [Part(copy_of(home, shape), home, kept, source, old)]
    if rest:
        vector = Tensor(0, home.dtype, None, None, [len(rest)])
        found.append(Part(vector, home, rest, None, []))
    return found


def copy_of(tensor: Tensor, shape: list[int]) -> Tensor:
    """A tensor of this shape, with no parameters yet."""
    return Tensor(0, tensor.dtype, tensor.row_axis, tensor.column_axis, shape)


def get(model: bytes, tensor: Tensor, place: int) -> int:
    """The bits of a weight."""
    if tensor.dtype == 7:
        return model[tensor.offset + place // 2] >> 4 * (place % 2) & 15
    size = BITS[tensor.dtype] // 8
    at = tensor.offset + place * size
    return int.from_bytes(model[at : at + size], "little")


def put(model: bytearray, tensor: Tensor, place: int, bits: int) -> None:
    """Write the bits of a weight."""
    if tensor.dtype == 7:
        at, shift = tensor.offset + place // 2, 4 * (place % 2)
        model[at] = model[at] & 15 << 4 - shift | bits << shift
        return
    size = BITS[tensor.dtype] // 8
    at = tensor.offset + place * size
    model[at : at + size] = bits.to_bytes(size, "little")


def read_patch(reader: Reader, old: Exact) -> tuple[Exact, list[Tensor | None]]:
    """A new topology, its holes empty, and where each tensor comes from."""
    size, count = bounded(reader.varint(), MODEL_LIMIT), reader.varint()
    content = bounded(reader.varint(), MODEL_LIMIT)
    dictionary = zstandard.ZstdCompressionDict(
        old.content[:DICTIONARY], dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    unpacker = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=TOPOLOGY_WINDOW)
    try:
        data = unpacker.decompress(
            reader.rest(), max_output_size=max(content, 1), allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise RefusedError(f"zstd: {error}") from error
    check(len(data) == content, "not so much content")
    inner, sources, last = Reader(data), list[Tensor | None](), 0
    for _ in range(count):
        folded = inner.varint()
        source = last + ((folded - 1) >> 1 ^ -(folded - 1 & 1))
        check(not folded or 0 <= source < len(old.tensors), "no such source")
        sources.append(old.tensors[source] if folded else None)
        last = source + 1 if folded else last
    start, tensors, end = inner.at, list[Tensor](), 0
    for _ in range(count):
        tensors.append(read_tensor(inner, end))
        end = tensors[-1].offset + tensors[-1].size
        check(end <= size, "a tensor ends outside the model file")
    table, model = data[start : inner.at], b""
    for tensor in tensors:
        model += inner.take(tensor.offset - len(model)) + bytes(tensor.size)
    model += inner.take(size - len(model))
    inner.end()
    return Exact(tensors, table, model), sources


def read_reference(
    reader: Reader, tables: Tables, tensor: Tensor, *, may_decay: bool = True
) -> Expect:
    """What is expected of a part."""
    kind, rows = reader.integer(1), tensor.shape[0] if tensor.shape else 0
    if kind == 3 and may_decay:
        times, d = reader.integer(1), reader.svarint()
        check(tensor.is_float and times > 0 and abs(d) <= 1 << 39, "no such decay")
        rest = reader.at < len(reader.data)
        then = read_reference(reader, tables, tensor, may_decay=False) if rest else keep
        return lambda i, bits: then(i, decay(tensor.dtype, times, 1 + d * 2.0**-40, bits))
    check(kind <= 2, "no such reference")
    if kind == 0:
        value = reader.varint()
        check(tensor.is_float or not value & 1, "a sign of an integer's 0")
        return functools.partial(prune, tensor.dtype, value >> 1, value & 1)
    check(tensor.is_float == (kind == 1) and rows > 0, "not of this data type")
    columns = tensor.weights // rows
    if kind == 2:
        scales = read_lists_of(reader, tables, [rows])[0]
        check(all(0 <= 65536 + x <= 1 << 20 for x in scales), "a scale is out of range")
        return lambda i, bits: scale(tensor.dtype, 65536 + scales[i // columns], bits)
    product = read_product(reader, tables, tensor)

    def add(i: int, bits: int) -> int:
        value = bits_float(bits, tensor.dtype)
        if not math.isfinite(value):
            return bits
        return float_bits(value + product(i), tensor.dtype)

    return add


def read_product(reader: Reader, tables: Tables, tensor: Tensor) -> Callable[[int], float]:
    """What is added to each weight."""
    rows = tensor.shape[0]
    columns = tensor.weights // rows
    rank, shift = reader.integer(1), reader.svarint()
    check(1 <= rank <= 64 and abs(shift) <= 200, "no such rank or shift")
    check(rank * (rows + columns) <= tensor.weights, "too many factors")
    lists = read_lists_of(reader, tables, [rows] * rank + [columns] * rank)
    left, right = lists[:rank], lists[rank:]
    most = [max(abs(x) for column in side for x in column) for side in (left, right)]
    check(rank * most[0] * most[1] < 1 << 53, "a product is too large")

    def at(i: int) -> float:
        row, column = divmod(i, columns)
        return math.ldexp(sum(a[row] * b[column] for a, b in zip(left, right, strict=True)), -shift)

    return at


def read_lists_of(reader: Reader, tables: Tables, sizes: Sequence[int]) -> list[list[int]]:
    """Lists of integers, each of its own width, of shape 1."""
    widths = reader.take(len(sizes))
    check(max(widths) <= 136, "a width is out of range")
    contexts = [(1, w) for w, n in zip(widths, sizes, strict=True) for _ in range(n)]
    values = iter(read_levels(reader, tables, contexts, no_mean))
    return [list(itertools.islice(values, n)) for n in sizes]


def keep(_: int, bits: int) -> int:
    """What is there already."""
    return bits


def decay(dtype: int, times: int, factor: float, bits: int) -> int:
    """A factor again and again."""
    if math.isinf(bits_float(bits, dtype)) or math.isnan(bits_float(bits, dtype)):
        return bits
    for _ in range(times):
        bits = float_bits(bits_float(bits, dtype) * factor, dtype)
    return bits


def prune(dtype: int, threshold: int, signed: int, _: int, bits: int) -> int:
    """0, where the weight is small."""
    sign = 1 << BITS[dtype] - 1
    magnitude = bits & sign - 1 if dtype in MANTISSA else abs(number(bits, dtype))
    return bits & sign * signed if magnitude < threshold else bits


def scale(dtype: int, factor: int, bits: int) -> int:
    """An integer times a factor."""
    low, high = RANGES.get(dtype, (-(1 << 31), (1 << 31) - 1))
    value = number(bits, dtype) * factor + (1 << 15) >> 16
    return bits_of(min(max(value, low), high), dtype)


def apply_update(old: Exact, unit: bytes, tables: Tables) -> Exact:
    """The exact model that a unit makes of another."""
    reader = Reader(unit)
    check(reader.take(4) == b"MDU\0" and reader.integer(1) == UPDATE, "no update of version 0")
    check(reader.varint() <= 255, "layer 256")
    head = Reader(reader.take(reader.varint()))
    check(head.take(16) == old.state_id, "an update of another model")
    flags = head.integer(1)
    check(flags <= 1, "reserved flags")
    new, sources = Exact(old.tensors, old.table, old.model), list[Tensor | None](old.tensors)
    if flags:
        new, sources = read_patch(Reader(head.take(head.varint())), old)
    parts = [p for pair in zip(new.tensors, sources, strict=True) for p in parts_of(*pair)]
    listed = read_listed(head, tables, parts)
    model = bytearray(new.model)
    for part in parts:
        for i, place in enumerate(part.places):
            if part.source is not None:
                put(model, part.home, place, get(old.model, part.source, part.old_places[i]))
    apply_records(reader, tables, listed, old.model, model)
    return Exact(new.tensors, new.table, bytes(model))


def read_listed(head: Reader, tables: Tables, parts: Sequence[Part]) -> list[Part]:
    """The parts where anything is new, with what is expected of them and their parameters."""
    kept = [part for part in parts if part.source is not None]
    payload = Reader(head.take(head.varint()))
    packed = read_raw(payload, (len(kept) + 7) // 8, 1, tables, None) if kept else b""
    payload.end()
    flags = Reader(packed).bits([1] * len(kept))
    changed = {id(part) for part, flag in zip(kept, flags, strict=True) if flag}
    listed = [part for part in parts if part.source is None or id(part) in changed]
    at = -1
    for _ in range(bounded(head.varint(), len(listed))):
        at += 1 + head.varint()
        check(at < len(listed) and listed[at].source is not None, "a reference of nothing")
        payload = Reader(head.take(head.varint()))
        listed[at].expect = read_reference(payload, tables, listed[at].tensor)
        payload.end()
    read_parameters(head, [part.tensor for part in listed], tables)
    for tensor in (part.tensor for part in listed):
        check(not tensor.predictor and not tensor.lattice and tensor.tied is None, "not in updates")
        check(tensor.is_float or not (tensor.step or tensor.zero), "an integer's grid")
    return listed


def apply_records(
    reader: Reader, tables: Tables, listed: Sequence[Part], old: bytes, model: bytearray
) -> None:
    """Decode all slices into the model."""
    slices, owner = cut([part.tensor for part in listed]), {id(p.tensor): p for p in listed}
    records, last = dict[int, tuple[int, Reader]](), -1
    for _ in range(reader.varint()):
        index, operation = reader.varint(), reader.integer(1)
        check(last < index < len(slices), "slices out of order, or no such slice")
        records[index] = operation, Reader(reader.take(reader.varint()))
        last = index
    reader.end()
    for index, piece in enumerate(slices):
        parts = [(owner[id(tensor)], at) for tensor, at, _ in piece.weights]
        is_kept = all(part.source is not None for part, _ in parts)
        operation, payload = records.get(index, (-1, Reader(b"")))
        if operation == RAW:
            size = sum(((b - a) * BITS[t.dtype] + 7) // 8 for t, a, b in piece.pieces)
            data = read_raw(payload, size, max(1, BITS[piece.dtype] // 8), tables, piece)
            whole = Tensor(0, piece.dtype, None, None, [len(piece.weights)])
            found = [get(data, whole, i) for i in range(len(piece.weights))]
        else:
            check(is_kept and operation in (-1, DIFFERENCES), "no such operation here")
            check(operation < 0 or piece.coded, "differences of what is not coded")
            found = [expected(part, at, old) for part, at in parts]
            if operation == DIFFERENCES:
                found = read_differences(payload, tables, piece, found)
        payload.end()
        for (part, at), bits in zip(parts, found, strict=True):
            put(model, part.home, part.places[at], bits)


def expected(part: Part, at: int, old: bytes) -> int:
    """The bits that are expected of a weight."""
    assert part.source is not None, "asked of what is kept alone"
    bits = get(old, part.source, part.old_places[at])
    return bits if part.expect is None else part.expect(at, bits)
