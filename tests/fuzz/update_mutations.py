"""Changes of updates and contributions that keep lengths and parents whole, so that damage goes
deep.

A fuzzer's bytes say which field is changed and how.
"""

from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from choices import Choices
from midstream.bitstream import Topology, read_unit, write_unit
from midstream.bitstream.update import STATE_ID_SIZE
from midstream.wire import Reader, Writer
from mutations import damage, damage_payload, damage_record, mutate_deep

__all__ = ["mutate_contribution", "mutate_update"]

_LARGE = 1 << 30
_HASH_SIZE = 32


@dataclass
class _Head:
    """The fields of an update's head."""

    parent: bytes
    flags: int
    patch: bytes | None
    changed: bytes
    references: list[tuple[int, bytes]]
    parameters: bytes

    @classmethod
    def read(cls, data: memoryview) -> "_Head":
        reader = Reader(data)
        parent, flags = bytes(reader.take(STATE_ID_SIZE)), reader.u8()
        patch = bytes(reader.blob(limit=_LARGE)) if flags & 1 else None
        changed = bytes(reader.blob(limit=_LARGE))
        references = [
            (reader.varint(limit=_LARGE), bytes(reader.blob(limit=_LARGE)))
            for _ in range(reader.varint(limit=_LARGE))
        ]
        parameters = bytes(reader.take(reader.remaining))
        return cls(parent, flags, patch, changed, references, parameters)

    def write(self) -> bytes:
        out = Writer().raw(self.parent).u8(self.flags)
        if self.patch is not None:
            out.blob(self.patch)
        out.blob(self.changed).varint(len(self.references))
        for gap, payload in self.references:
            out.varint(gap).blob(payload)
        return out.raw(self.parameters).bytes()


def mutate_update(data: bytes, old: Topology, choices: Choices) -> bytes:
    """An update with one field changed; its parent has this topology."""
    return mutate_deep(data, choices, lambda: _with_head(data, old, choices))


def _with_head(data: bytes, old: Topology, choices: Choices) -> bytes:
    unit = read_unit(data)
    head = _Head.read(unit.head)
    _HEAD_CHANGES[choices.integer(0, len(_HEAD_CHANGES) - 1)](head, old, choices)
    return write_unit(unit.kind, unit.layer, head.write(), list(unit.records))


def _changed(head: _Head, _: Topology, choices: Choices) -> None:
    head.changed = damage(head.changed, choices)


def _parameters(head: _Head, _: Topology, choices: Choices) -> None:
    head.parameters = damage(head.parameters, choices)


def _reference(head: _Head, _: Topology, choices: Choices) -> None:
    """Another reference, one in the place of another, or none."""
    place = choices.integer(0, len(head.references))
    kept = head.references[place][1] if place < len(head.references) else b""
    made = damage(kept, choices) if choices.integer(0, 1) else choices.raw(choices.integer(0, 12))
    taken = choices.integer(0, 1)
    head.references[place : place + taken] = [(choices.integer(0, 3), made)]


def _patch(head: _Head, old: Topology, choices: Choices) -> None:
    """Sources, tensor table or filling of a topology, under compression that is whole."""
    head.flags |= 1
    size, count, content = _unpacked(head.patch, old)
    changed = damage(content[:128], choices) + content[128:]
    size += choices.integer(-2, 2) + len(changed) - len(content)
    count += choices.integer(-1, 1)
    out = Writer().varint(max(size, 0)).varint(max(count, 0)).varint(len(changed))
    packer = zstandard.ZstdCompressor(level=1, write_content_size=False)
    head.patch = out.raw(packer.compress(changed)).bytes()


def _unpacked(patch: bytes | None, old: Topology) -> tuple[int, int, bytes]:
    """Model size, number of tensors and content; where there is no patch, of the same topology."""
    known = old.table + b"".join(map(bytes, old.filling()))
    if patch is None:
        return old.model_size, len(old.tensors), bytes([1]) * len(old.tensors) + known
    reader = Reader(patch)
    size, count, content = (reader.varint(limit=_LARGE) for _ in range(3))
    dictionary = zstandard.ZstdCompressionDict(known, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    unpacker = zstandard.ZstdDecompressor(dict_data=dictionary)
    frame = bytes(reader.take(reader.remaining))
    return size, count, unpacker.decompress(frame, max_output_size=content + 1)


_HEAD_CHANGES: tuple[Callable[[_Head, Topology, Choices], None], ...] = (
    _changed,
    _parameters,
    _reference,
    _patch,
)


def mutate_contribution(data: bytes, choices: Choices) -> bytes:
    """A contribution with one field changed, but not its parent."""
    chosen = choices.integer(0, 3)
    if chosen < 2:
        return damage_payload(data, choices)
    if chosen == 2:
        return damage_record(data, choices)
    unit = read_unit(data)
    parent, rest = bytes(unit.head[:_HASH_SIZE]), bytes(unit.head[_HASH_SIZE:])
    return write_unit(unit.kind, unit.layer, parent + damage(rest, choices), list(unit.records))
