"""Changes of units that keep what is around them whole, so that damage goes deep.

A fuzzer's bytes say which field is changed and how; lengths and counts are put right again.
"""

from collections.abc import Callable
from dataclasses import replace

import zstandard

from choices import Choices
from midstream.bitstream import Record, Unit, read_unit, write_unit
from midstream.wire import Reader, Writer

__all__ = ["damage", "damage_payload", "damage_record", "mutate", "mutate_deep"]

_LARGE = 1 << 30


def damage(data: bytes, choices: Choices) -> bytes:
    """Some bytes replaced, put in or taken out."""
    changed = bytearray(data)
    for _ in range(choices.integer(1, 3)):
        start = choices.integer(0, len(changed))
        taken = choices.integer(0, 4)
        changed[start : start + taken] = choices.raw(choices.integer(0, 4))
    return bytes(changed)


def mutate(data: bytes, choices: Choices) -> bytes:
    """A unit with one field changed."""
    unit = read_unit(data)
    chosen = choices.integer(0, len(_CHANGES) - 1)
    return _CHANGES[chosen](unit, data, choices)


def mutate_deep(data: bytes, choices: Choices, with_head: Callable[[], bytes]) -> bytes:
    """A unit with one field changed; a kind of unit knows how those of its head are."""
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: damage(data, choices),
        lambda: damage_payload(data, choices),
        lambda: damage_payload(data, choices),
        lambda: damage_record(data, choices),
        with_head,
        with_head,
    )
    return changes[choices.integer(0, len(changes) - 1)]()


def damage_payload(data: bytes, choices: Choices) -> bytes:
    """A unit with one record's payload changed."""
    return _payload(read_unit(data), data, choices)


def damage_record(data: bytes, choices: Choices) -> bytes:
    """A unit with a record of another slice or operation, or one more, or one less."""
    return _record(read_unit(data), data, choices)


def _anywhere(_: Unit, data: bytes, choices: Choices) -> bytes:
    return damage(data, choices)


def _payload(unit: Unit, data: bytes, choices: Choices) -> bytes:
    if not unit.records:
        return data
    records = list(unit.records)
    place = choices.integer(0, len(records) - 1)
    payload = damage(bytes(records[place].payload), choices)
    records[place] = replace(records[place], payload=payload)
    return _written(unit, records)


def _record(unit: Unit, data: bytes, choices: Choices) -> bytes:
    """A record of another slice or operation, or one more, or one less."""
    if not unit.records:
        return data
    records = list(unit.records)
    place = choices.integer(0, len(records) - 1)
    kinds = type(records[place].operation)
    other = Record(
        slice=choices.integer(0, len(records)),
        operation=kinds(choices.integer(0, len(kinds) - 1)),
        payload=records[place].payload,
    )
    taken = choices.integer(0, 1)
    records[place : place + taken] = [other] * choices.integer(0, 2)
    return _written(unit, sorted(records, key=lambda record: record.slice))


def _parameters(unit: Unit, data: bytes, choices: Choices) -> bytes:
    if not unit.head:
        return data
    reader = Reader(unit.head)
    topology = reader.blob(limit=_LARGE)
    rest = damage(bytes(reader.take(reader.remaining)), choices)
    return _written(unit, list(unit.records), Writer().blob(topology).raw(rest).bytes())


def _topology(unit: Unit, data: bytes, choices: Choices) -> bytes:
    """Numbers, tensor table, filling or objects of the topology; compression is whole."""
    if not unit.head:
        return data
    reader = Reader(unit.head)
    topology = Reader(reader.blob(limit=_LARGE))
    parameters = reader.take(reader.remaining)
    size, count, content_size = (topology.varint(limit=_LARGE) for _ in range(3))
    rest = bytes(topology.take(topology.remaining))
    has_objects = rest[:1] == b"\1"
    changed, grown = (
        _objects(rest, choices) if has_objects else _content(rest, content_size, choices)
    )
    size += choices.integer(-2, 2) * choices.integer(0, 1) + grown
    count += choices.integer(-1, 1) * choices.integer(0, 1)
    content_size += grown
    out = Writer().varint(max(size, 0)).varint(max(count, 0)).varint(max(content_size, 0))
    head = Writer().blob(out.raw(changed).bytes()).raw(parameters).bytes()
    return _written(unit, list(unit.records), head)


def _content(frame: bytes, size: int, choices: Choices) -> tuple[bytes, int]:
    """A frame of a content whose start is changed, and by how much that grew."""
    content = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size + 1)
    changed = damage(content[:128], choices) + content[128:]
    packer = zstandard.ZstdCompressor(level=1, write_content_size=False)
    return packer.compress(changed), len(changed) - len(content)


def _objects(data: bytes, choices: Choices) -> tuple[bytes, int]:
    """The same of columns, of which any part may change and which give as much as before."""
    reader = Reader(data[1:])
    size = reader.varint(limit=_LARGE)
    frame = bytes(reader.take(reader.remaining))
    columns = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size + 1)
    changed = damage(columns, choices)
    packer = zstandard.ZstdCompressor(level=1, write_content_size=False)
    out = Writer().raw(b"\1").varint(len(changed)).raw(packer.compress(changed))
    return out.bytes(), choices.integer(-1, 1) * choices.integer(0, 1)


def _written(unit: Unit, records: list[Record], head: bytes | None = None) -> bytes:
    return write_unit(unit.kind, unit.layer, bytes(unit.head) if head is None else head, records)


_CHANGES: tuple[Callable[[Unit, bytes, Choices], bytes], ...] = (
    _anywhere,
    _payload,
    _payload,
    _record,
    _parameters,
    _topology,
)
