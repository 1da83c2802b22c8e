"""Lossy updates, applied to units. Written from updates.md."""

import hashlib
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import zstandard

from reference.bits import Reader, RefusedError, bounded, check
from reference.differences import bits_of, number, read_integers, read_selection
from reference.grid import step_of
from reference.heads import TOPOLOGY_WINDOW
from reference.tables import Tables
from reference.tensors import Slice, Tensor
from reference.units import BASE, DIGITS, ENHANCEMENT, LEVELS, POINTS, REPEATS, Decoder
from reference.updates import DICTIONARY, read_product

LOSSY_UPDATE, MOVES, INT32 = 5, 6, 4
GIVEN, KEPT, MOVED = range(3)
UNIT_LIMIT = 1 << 30


@dataclass
class Outline:
    """A unit without the payloads of its records."""

    kind: int
    layer: int
    head: bytes
    records: list[tuple[int, int, int]]  # slice, operation, way


@dataclass
class Known:
    """The levels of one weight in the parent: of the base and after each digit."""

    tensor: Tensor
    at: int
    levels: list[int]
    added: float | None = None


def varint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def outline_of(unit: bytes) -> tuple[Outline, list[bytes]]:
    """A unit as a lossy update would tell it, all levels moved; and its payloads."""
    reader = Reader(unit)
    reader.take(4)
    kind, layer = reader.integer(1), reader.varint()
    head, records, payloads = reader.take(reader.varint()), [], []
    for _ in range(reader.varint()):
        index, operation = reader.varint(), reader.integer(1)
        records.append((index, operation, MOVED if operation in (LEVELS, DIGITS) else GIVEN))
        payloads.append(reader.take(reader.varint()))
    return Outline(kind, layer, head, records), payloads


def content_of(units: Sequence[Outline], tensors: int) -> bytes:
    """The content of a head that tells these units, each tensor from itself."""
    out = varint(len(units))
    for unit in units:
        out += bytes([unit.kind]) + varint(unit.layer) + varint(len(unit.head)) + unit.head
        out += varint(len(unit.records))
        last = 0
        for index, operation, way in unit.records:
            out += varint(index - last) + bytes([operation | way << 4])
            last = index
    return out + bytes([1]) * tensors + bytes(1)


def read_outline(reader: Reader, place: int) -> Outline:
    """A unit without payloads."""
    kind, layer = reader.integer(1), reader.varint()
    check(kind == (ENHANCEMENT if place else BASE) and layer <= 255, "no such unit there")
    head, records, index = reader.take(reader.varint()), list[tuple[int, int, int]](), 0
    check(bool(head) == (not place), "a head, or none")
    for _ in range(reader.varint()):
        index += reader.varint()
        value = reader.integer(1)
        operation, way = value & 15, value >> 4
        is_known = operation in (*range(5), REPEATS, POINTS)
        check(is_known and way <= MOVED, "no such operation or way")
        check(way != MOVED or operation in (LEVELS, DIGITS), "no levels to move")
        records.append((index, operation, way))
    return Outline(kind, layer, head, records)


def read_content(
    head: Reader, before: Sequence[Outline], tensors: int
) -> tuple[list[Outline], Reader]:
    """The new units, and a reader of the sources."""
    size = bounded(head.varint(), UNIT_LIMIT)
    dictionary = zstandard.ZstdCompressionDict(
        content_of(before, tensors)[:DICTIONARY], dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    unpacker = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=TOPOLOGY_WINDOW)
    try:
        data = unpacker.decompress(
            head.rest(), max_output_size=max(size, 1), allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise RefusedError(f"zstd: {error}") from error
    check(len(data) == size, "not so much content")
    reader = Reader(data)
    units = [read_outline(reader, place) for place in range(reader.varint())]
    check(len(units) > 0, "no units")
    return units, reader


def known_weights(decoder: Decoder) -> dict[tuple[int, int], Known]:
    """The levels of each weight of a stack that has any."""
    place = {id(tensor): i for i, tensor in enumerate(decoder.tensors)}
    found = {}
    for piece in decoder.slices:
        if piece.state not in (LEVELS, DIGITS) or piece.pieces[0][0].lattice:
            continue
        climb = [piece.spread(step) for step in piece.climb]
        for i, (tensor, at, _) in enumerate(piece.every):
            levels = [step[i] for step in climb]
            found[place[id(tensor)], at] = Known(tensor, at, levels)
    return found


def size_of(tensor: Tensor, at: int, digits: int) -> float:
    """The step of a weight after so many digits."""
    return step_of(tensor, at, digits) if tensor.is_float else float(3 ** (tensor.step - digits))


def base_step(tensor: Tensor, at: int) -> int:
    """Step index or trit exponent of a weight."""
    return tensor.step_index(at) if tensor.is_float else tensor.step


def expect(tensor: Tensor, at: int, digits: int, known: Known | None) -> list[int]:
    """What is expected of the levels of a weight, of the base and after each digit."""
    if known is None:
        return [0] * (digits + 1)
    had = len(known.levels) - 1
    own = min(had, digits)
    value = known.levels[own] * size_of(known.tensor, known.at, own) + known.tensor.zero
    value += known.added or 0.0
    top = round((value - tensor.zero) / size_of(tensor, at, digits))
    out = [min(max(top, -(1 << 29)), 1 << 29)]
    same = base_step(tensor, at) == base_step(known.tensor, known.at)
    same = same and tensor.zero == known.tensor.zero and known.added is None
    for t in range(digits - 1, -1, -1):
        out.append(known.levels[t] if same and t <= had else (out[-1] + 1) // 3)
    return out[::-1]


def read_near(
    reader: Reader, tables: Tables, expected: Sequence[int], widths: Sequence[int]
) -> list[int]:
    """Levels by their differences from those expected."""
    payload = Reader(reader.take(reader.varint()))
    if not payload.data:
        return list(expected)
    head, out = payload.integer(1), list(expected)
    check(head < 8, "no such head")
    sides = [-1 if x < 0 else 1 for x in expected]
    bits = [bits_of(abs(x), INT32) for x in expected]
    selected = read_selection(payload, head, bits, INT32)
    sigmas = [(1, widths[i] - 12) for i in selected]
    old = [bits[i] for i in selected]
    found = read_integers(payload, tables, INT32, old, sigmas, head >> 2)
    payload.end()
    for i, moved in zip(selected, found, strict=True):
        out[i] = number(moved, INT32) * sides[i]
    check(all(abs(x) <= 1 << 30 for x in out), "a level is too far from zero")
    return out


def read_moves(
    reader: Reader, tables: Tables, piece: Slice, digits: int, known: Sequence[Known | None]
) -> list[list[int]]:
    """The levels of a slice, of the base and after each digit."""
    added = (634 * digits + 50) // 100
    expected, widths = list[list[int]](), list[int]()
    for (tensor, at, _), there in zip(piece.weights, known, strict=True):
        expected.append(expect(tensor, at, digits, there))
        is_finer = base_step(tensor, at) < tensor.step
        own = 2 * (2 * min(abs(expected[-1][-1]), 7) + is_finer)
        widths.append(tensor.sigma_width(at) + added if there is None else own)
    columns = [list(column) for column in zip(*expected, strict=True)]
    found = [read_near(reader, tables, columns[-1], widths)]
    for t in range(digits - 1, -1, -1):
        finer = zip(found[-1], columns[t + 1], columns[t], strict=True)
        rows = [(e, 0) if x == y else ((x + 1) // 3, 8) for x, y, e in finer]
        found.append(read_near(reader, tables, [e for e, _ in rows], [w for _, w in rows]))
    return found[::-1]


def apply_lossy_update(units: Sequence[bytes], update: bytes, tables: bytes) -> Decoder:
    """The decoder of the new units, as far as they lead."""
    old = Decoder(tables)
    for unit in units:
        old.apply(unit)
    reader = Reader(update)
    check(reader.take(4) == b"MDU\0" and reader.integer(1) == LOSSY_UPDATE, "no lossy update")
    check(reader.varint() <= 255, "layer 256")
    head = Reader(reader.take(reader.varint()))
    check(head.take(16) == hashlib.sha256(b"".join(units)).digest()[:16], "of other units")
    before = [outline_of(unit) for unit in units]
    outlines, rest = read_content(head, [outline for outline, _ in before], len(old.tensors))
    new = Decoder(tables)
    new.start(outlines[0].head)
    sources = read_sources(rest, len(new.tensors), old.tensors)
    products = read_products(rest, new)
    known = match(new, old, sources, products)
    fill(new, outlines, read_records(reader), kept_of(before), known)
    layers = [outline.layer for outline in outlines]
    check(all(a < b for a, b in itertools.pairwise(layers)), "layers must rise")
    new.layer = layers[-1]
    return new


Payloads = dict[tuple[int, int, int], deque[bytes]]
Matched = dict[int, list[Known | None]]


def read_sources(reader: Reader, count: int, old: Sequence[Tensor]) -> list[int | None]:
    """The parent's tensor that each comes from."""
    sources, last = list[int | None](), 0
    for _ in range(count):
        folded = reader.varint()
        source = last + ((folded - 1) >> 1 ^ -(folded - 1 & 1))
        check(not folded or 0 <= source < len(old), "no such source")
        sources.append(source if folded else None)
        last = source + 1 if folded else last
    return sources


def read_products(reader: Reader, new: Decoder) -> dict[int, Callable[[int], float]]:
    """By tensor, what is added to each of its weights."""
    products, last = dict[int, Callable[[int], float]](), -1
    for _ in range(reader.varint()):
        last += 1 + reader.varint()
        check(last < len(new.tensors), "no such tensor")
        tensor, payload = new.tensors[last], Reader(reader.take(reader.varint()))
        check(payload.integer(1) == 1 and tensor.is_float and len(tensor.shape) > 0, "no such sum")
        products[last] = read_product(payload, new.tables, tensor)
        payload.end()
    reader.end()
    return products


def kept_of(before: Sequence[tuple[Outline, list[bytes]]]) -> Payloads:
    """The payloads of the parent, by unit, slice and operation."""
    kept: Payloads = defaultdict(deque)
    for at, (outline, payloads) in enumerate(before):
        for (index, operation, _), payload in zip(outline.records, payloads, strict=True):
            kept[at, index, operation].append(payload)
    return kept


def match(
    new: Decoder,
    old: Decoder,
    sources: Sequence[int | None],
    products: dict[int, Callable[[int], float]],
) -> Matched:
    """For each slice, what is known of its weights."""
    for i in products:
        source = sources[i]
        is_like = source is not None and old.tensors[source].shape == new.tensors[i].shape
        check(is_like, "a sum with nothing")
    for tensor, source in zip(new.tensors, sources, strict=True):
        if source is None:
            continue
        other = old.tensors[source]
        is_like = (tensor.dtype, len(tensor.shape)) == (other.dtype, len(other.shape))
        check(is_like and (tensor.shape == other.shape or tensor.dtype != 7), "no such source")
    known, place = known_weights(old), {id(tensor): i for i, tensor in enumerate(new.tensors)}
    found: Matched = {}
    for index, piece in enumerate(new.slices):
        found[index] = []
        for tensor, at, _ in piece.weights:
            source, product = sources[place[id(tensor)]], products.get(place[id(tensor)])
            there = None if source is None else place_in(tensor, at, old.tensors[source])
            is_there = source is not None and there is not None
            near = known.get((source or 0, there or 0)) if is_there else None
            if near is not None and product is not None:
                near = replace(near, added=product(at))
            found[index].append(near)
    return found


def place_in(tensor: Tensor, at: int, other: Tensor) -> int | None:
    """The weight at the same place of another tensor, where there is one."""
    places = [tensor.on(axis, at) for axis in range(len(tensor.shape))]
    if any(x >= n for x, n in zip(places, other.shape, strict=True)):
        return None
    return sum(x * n for x, n in zip(places, other.strides, strict=True))


def read_records(reader: Reader) -> dict[int, deque[tuple[int, bytes]]]:
    """The records of the update, by slice."""
    records, last = defaultdict[int, deque[tuple[int, bytes]]](deque), 0
    for _ in range(reader.varint()):
        index, operation = reader.varint(), reader.integer(1)
        check(index >= last, "slices out of order")
        last = index
        records[index].append((operation, reader.take(reader.varint())))
    reader.end()
    return records


def fill(
    new: Decoder,
    outlines: Sequence[Outline],
    records: dict[int, deque[tuple[int, bytes]]],
    kept: Payloads,
    known: Matched,
) -> None:
    """Apply all records of the new units."""
    places = defaultdict[int, list[tuple[int, int, int]]](list)
    for at, outline in enumerate(outlines):
        for index, operation, way in outline.records:
            places[index].append((at, operation, way))
    check(max([*places, *records], default=0) < len(new.slices), "no such slice")
    for index, piece in enumerate(new.slices):
        if any(way == MOVED for _, _, way in places[index]):
            is_climb = [op for _, op, _ in places[index]] == [LEVELS] + [DIGITS] * (
                len(places[index]) - 1
            )
            check(is_climb and all(way == MOVED for _, _, way in places[index]), "not all moved")
            check(piece.coded and not piece.pieces[0][0].lattice, "nothing that can be moved")
            check([op for op, _ in records[index]] == [MOVES], "no moves")
            move(new.tables, piece, len(places[index]) - 1, records[index][0][1], known[index])
            continue
        for at, operation, way in places[index]:
            if way == KEPT:
                there = kept[at, index, operation]
            else:
                left = records[index]
                check(len(left) > 0 and left[0][0] == operation, "other records")
                there = deque([left.popleft()[1]])
            check(len(there) > 0, "nothing to keep")
            payload = Reader(there.popleft())
            new.operate(piece, operation, payload)
            payload.end()
        check(not records[index], "records of nothing")
    check(all(piece.state is not None for piece in new.slices), "a slice without a first record")


def move(
    tables: Tables, piece: Slice, digits: int, payload: bytes, known: Sequence[Known | None]
) -> None:
    """Give a slice its levels."""
    reader = Reader(payload)
    reader.take(digits)
    piece.climb = read_moves(reader, tables, piece, digits, known)
    reader.end()
    for parents, children in itertools.pairwise(piece.climb):
        is_near = all(abs(y - 3 * x) <= 1 << 30 for x, y in zip(parents, children, strict=True))
        check(is_near, "a digit is too far from zero")
    most = min((t.step for t, _, _ in piece.pieces), default=0)
    check(piece.is_float or digits <= most, "more digits than trits")
    piece.levels, piece.digits = piece.climb[-1], digits
    piece.state = DIGITS if digits else LEVELS
