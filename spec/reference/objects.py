"""The objects of a flatbuffer, back to their places. Knows nothing of tensors (objects.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from reference.bits import Reader, bounded, check

BYTES, VTABLE, ROOT = range(3)
TABLE, LIST, TEXT, RAW, SINGLES, DOUBLES, INTEGERS, INDICES = range(8)
ITEM_SIZES = [4, 4, 1, 1, 4, 8, 4, 4]
COUNTED, COUNTER, ITEMS = 9, 2, 255
MOST = 1 << 16
WORD_LIMIT = (1 << 32) - 1
NUMBER_LIMIT = (1 << 35) - 1
# parent, field, form of each kind from ROOT on
KINDS = [
    tuple(map(int, row.split()))
    for row in """0 0 0,2 1 1,3 255 0,4 1 2,2 2 1,6 255 0,7 0 1,8 255 0,9 0 6,9 3 2,9 4 0,12 0 4
12 1 4,12 2 4,12 3 5,9 6 0,17 0 6,17 1 6,17 2 1,20 255 0,21 3 0,22 0 3,21 5 0,24 0 3
9 7 6,7 1 6,7 2 6,7 3 1,29 255 0,30 1 7,30 2 7,30 4 0,30 5 3,30 8 6,30 12 0,7 4 2,2 3 2
2 4 1,39 255 0,40 0 3,2 5 6,2 6 1,43 255 0,44 0 2,2 7 1,46 255 0,47 0 1,48 255 0,49 0 2
47 1 1,51 255 0,52 0 2,47 2 2""".replace("\n", ",").split(",")
]


@dataclass
class Object:
    """One object; the bytes of references in `data` are put in later."""

    kind: int
    data: bytearray
    items: int = 0
    holed: bool = False
    vtable: "Object | None" = None
    fields: list[int] = field(default_factory=list)
    start: int = 0
    at: int = 0


def restore(data: bytes, holes: Sequence[tuple[int, int]], size: int) -> bytes:
    """What lies between holes, of (start, bytes) each, in a file of so many bytes."""
    reader = Reader(data)
    count, order = bounded(reader.varint(), MOST), reader.integer(1)
    kinds = reader.take(count)
    check(order < 2 and max(kinds, default=0) < ROOT + len(KINDS), "no such kind or order")
    patches = read_patches(reader)
    objects = read_objects(reader, kinds)
    reader.end()
    line = [objects[kind].pop(0) for kind in kinds]
    out = lay_out(line, holes, size)
    refer(line, out, patches, in_order=bool(order))
    return bytes(out)


def read_patches(reader: Reader) -> dict[int, int]:
    """References that are given, by their numbers, and where they lead."""
    count, number = bounded(reader.varint(), MOST), -1
    numbers = []
    for _ in range(count):
        number += 1 + bounded(reader.varint(), NUMBER_LIMIT)
        numbers.append(number)
    return {number: bounded(reader.varint(), WORD_LIMIT) for number in numbers}


def numbers(reader: Reader, count: int) -> list[int]:
    """So many varints."""
    return [bounded(reader.varint(), NUMBER_LIMIT) for _ in range(count)]


def read_objects(reader: Reader, kinds: bytes) -> dict[int, list[Object]]:
    """The objects of each kind."""
    sizes = [4 + 2 * bounded(reader.varint(), 255) for _ in range(kinds.count(VTABLE))]
    trims = [bounded(reader.varint(), 65535) for _ in sizes]
    vtables = []
    for size, trim in zip(sizes, trims, strict=True):
        data = bytearray(size.to_bytes(2, "little") + reader.take(size - 2))
        vtables.append(Object(VTABLE, data, half(data, 2) - trim))
        check(vtables[-1].items >= 4, "tables without room for their offset")
    found = {VTABLE: list(vtables)}
    raw = numbers(reader, kinds.count(BYTES))
    check(all(raw), "no bytes")
    found[BYTES] = [Object(BYTES, bytearray(reader.take(n))) for n in raw]
    for kind in range(ROOT, ROOT + len(KINDS)):
        found[kind] = read_kind(reader, kind, kinds.count(kind), vtables)
    return found


def half(data: bytes | bytearray, at: int) -> int:
    """A u16."""
    return int.from_bytes(data[at : at + 2], "little")


def place(vtable: Object, number: int) -> int:
    """Where a field is in tables of a vtable; 0 where they do not have it."""
    return half(vtable.data, 4 + 2 * number) if 4 + 2 * number < len(vtable.data) else 0


def read_kind(reader: Reader, kind: int, count: int, vtables: Sequence[Object]) -> list[Object]:
    """So many objects of a kind."""
    form = KINDS[kind - ROOT][2]
    if form == TABLE:
        return read_tables(reader, kind, count, vtables)
    if form == TEXT:
        texts = [read_text(reader) for _ in range(count)]
        return [Object(kind, word(len(t)) + t + b"\0", len(t)) for t in texts]
    counts = numbers(reader, count)
    if form == LIST:
        check(all(n < MOST << 4 for n in counts), "a list that is too long")
        return [Object(kind, word(n) + bytes(4 * n), n) for n in counts]
    made, last = [], 0
    for n in counts:
        made.append(Object(kind, word(n - 1) if n else word(0), max(n - 1, 0), holed=not n))
        if form < INTEGERS:
            made[-1].data += reader.take(ITEM_SIZES[form] * max(n - 1, 0))
        for _ in range(n - 1 if form >= INTEGERS else 0):
            folded = bounded(reader.varint(), NUMBER_LIMIT)
            value = (folded >> 1 ^ -(folded & 1)) + (last if form == INDICES else 0)
            last = value
            made[-1].data += word(value)
    return made


def word(value: int) -> bytearray:
    """Four bytes, modulo 2^32."""
    return bytearray((value & WORD_LIMIT).to_bytes(4, "little"))


def read_text(reader: Reader) -> bytes:
    """What stands before the next zero."""
    end = reader.data.find(b"\0", reader.at)
    check(end >= 0, "a text without an end")
    text = reader.take(end - reader.at)
    reader.take(1)
    return text


def read_tables(reader: Reader, kind: int, count: int, vtables: Sequence[Object]) -> list[Object]:
    """Tables, whose rows leave out the offset of the vtable and references."""
    own = [reader.varint() for _ in range(count)]
    check(all(index < len(vtables) for index in own), "no such vtable")
    made, counter = [], 0
    for index in own:
        table = Object(kind, bytearray(), vtable=vtables[index])
        table.fields = [place(vtables[index], f) for p, f, _ in KINDS if p == kind]
        there = [at for at in table.fields if at]
        counted = place(vtables[index], COUNTER) if kind == COUNTED else 0
        table.data = read_row(reader, there, counted, vtables[index].items)
        if counted:
            counter += int.from_bytes(table.data[counted : counted + 4], "little")
            table.data[counted : counted + 4] = word(counter)
        made.append(table)
    return made


def read_row(reader: Reader, there: Sequence[int], counted: int, extent: int) -> bytearray:
    """A table with zeros where references go."""
    edges = sorted([0, *there, *([counted] if counted else []), extent])
    check(all(b - a >= 4 for a, b in pairwise(edges)), "fields overlap")
    check(edges[-1] == extent, "a field beyond the end")
    row = bytearray(extent)
    skipped = {at + i for at in (0, *there) for i in range(4)}
    kept = [at for at in range(extent) if at not in skipped]
    for at, byte in zip(kept, reader.take(len(kept)), strict=True):
        row[at] = byte
    return row


def lay_out(line: Sequence[Object], holes: Sequence[tuple[int, int]], size: int) -> bytearray:
    """Give all objects their places, and put them there."""
    out, end, shift, left = bytearray(4) + b"TFL3", 8, 0, list(holes)
    for item in line:
        if item.holed:
            check(bool(left), "more holes than there are")
            start, length = left.pop(0)
            item.start = start - 4
            check(item.start >= end, "a hole before its place")
            check(length % ITEM_SIZES[KINDS[item.kind - ROOT][2]] == 0, "half an item")
            item.data = word(length // ITEM_SIZES[KINDS[item.kind - ROOT][2]])
        else:
            aligned = len(item.data) if item.kind == VTABLE else 0
            pad = 0 if item.kind == BYTES else -(end + aligned) % 4
            item.start, length = end + pad, 0
        end = item.start + len(item.data) + length
        check(item.holed or end <= (left[0][0] if left else size), "no room for an object")
        item.at = item.start - shift
        out += bytes(item.at - len(out)) + item.data
        shift += length
    check(not left and end == size, "the file is longer")
    return out


def sources(line: Sequence[Object], kind: int) -> Iterator[list[tuple[int, int]]]:
    """References to a kind: in the file, and between its holes; list by list."""
    parent, number, _ = KINDS[kind - ROOT]
    if kind == ROOT:
        yield [(0, 0)]
    index = [f for p, f, _ in KINDS if p == parent].index(number)
    for item in line:
        if item.kind != parent or kind == ROOT:
            continue
        if number == ITEMS:
            yield [(item.start + 4 + 4 * i, item.at + 4 + 4 * i) for i in range(item.items)]
        elif item.fields[index]:
            yield [(item.start + item.fields[index], item.at + item.fields[index])]


def refer(
    line: Sequence[Object], out: bytearray, patches: dict[int, int], *, in_order: bool
) -> None:
    """Put in all references."""
    number = 0
    for kind in range(ROOT, ROOT + len(KINDS)):
        targets = [item.start for item in line if item.kind == kind]
        for group in sources(line, kind):
            given = [patches.pop(number + i, None) for i in range(len(group))]
            number += len(group)
            pairs = list(zip(group, given, strict=True))
            for (start, at), way in pairs if in_order else pairs[::-1]:
                check(way is not None or bool(targets), "a reference to nothing")
                found = targets.pop(0) - start if way is None else way
                check(way is not None or 0 < found <= WORD_LIMIT, "a reference backwards")
                out[at : at + 4] = word(found)
        check(not targets, "an object that nothing refers to")
    check(not patches, "more references than there are")
    for item in line:
        if item.vtable is not None:
            out[item.at : item.at + 4] = word(item.start - item.vtable.start)
