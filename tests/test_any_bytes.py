"""Any bytes at all: a result, or one of our own errors, and no other exception.

Warnings are errors in these tests, so a number that overflows on the way is found, too.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import models
from midstream.bitstream import (
    Head,
    Record,
    Topology,
    Unit,
    UnitReader,
    read_unit,
    write_unit,
)
from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.errors import DataError
from midstream.formats import open_model
from midstream.trust import manifest
from midstream.types import UnitKind
from midstream.wire import Reader, Writer
from tensorfiles import bfloat16, normal, safetensors
from trusting import entry, release

WITH_NAN = normal(6, 8)
WITH_NAN[0, 0] = np.nan
INTEGERS = np.random.default_rng(1).integers(-100, 100, (9, 8))
MODEL = safetensors(
    {
        "a": normal(8, 9),
        "b": WITH_NAN,
        "c": INTEGERS.astype("i1"),
        "d": (INTEGERS + 100).astype("u1"),
        "e": normal(20).astype("<f2"),
        "f": bfloat16(normal(5, 4)),
    }
)
UNITS = [unit.data for unit in encode(MODEL, ladder="1b,3b,exact").units]
HEAD = bytes(read_unit(UNITS[0]).head)
TOPOLOGY = bytes(Reader(HEAD).blob(limit=len(HEAD)))
EXACT = entry(2, kind=UnitKind.EXACT, layer=1, parent=0, head_size=0)
MANIFEST = manifest.encode(replace(release(), units=(entry(), EXACT)))

quick = settings(
    deadline=timedelta(seconds=10),
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)


def feed(data: bytes) -> None:
    """In two pieces and an end."""
    reader = UnitReader()
    reader.feed(data[: len(data) // 2])
    reader.feed(data[len(data) // 2 :])
    reader.close()


READERS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "read_unit": (read_unit, UNITS[0]),
    "UnitReader": (feed, UNITS[1]),
    "Topology.read": (Topology.read, TOPOLOGY),
    "Head.read": (Head.read, HEAD),
    "rebuild": (lambda data: rebuild([data]), UNITS[0]),
    "open_model, safetensors": (open_model, MODEL),
    "open_model, TFLite": (open_model, models.mlp((4, 5, 4))),
    "manifest.decode": (manifest.decode, MANIFEST),
}


def survive(read: Callable[[Any], Any], data: Any) -> None:
    """A result, or an error about the data."""
    with suppress(DataError):
        read(data)


@pytest.mark.parametrize("name", READERS)
def test_what_was_made_is_read(name: str) -> None:
    read, data = READERS[name]
    read(data)


@pytest.mark.parametrize("name", READERS)
@quick
@given(data=st.binary(max_size=400))
@example(data=b"")
def test_any_bytes_are_survived(name: str, data: bytes) -> None:
    survive(READERS[name][0], data)


@pytest.mark.parametrize("name", READERS)
@quick
@given(data=st.data())
def test_any_bytes_after_a_good_beginning_are_survived(name: str, data: st.DataObject) -> None:
    read, good = READERS[name]
    kept = data.draw(st.integers(0, len(good)))
    survive(read, good[:kept] + data.draw(st.binary(max_size=60)))


@pytest.mark.parametrize("name", READERS)
def test_every_truncation_is_refused(name: str) -> None:
    read, good = READERS[name]
    for size in range(0, len(good), max(1, len(good) // 300)):
        with pytest.raises(DataError):
            read(good[:size])


@pytest.mark.parametrize("value", [0x00, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("name", READERS)
def test_every_byte_may_become_another(name: str, value: int) -> None:
    read, good = READERS[name]
    for place in range(0, len(good), max(1, len(good) // 200)):
        survive(read, good[:place] + bytes([value]) + good[place + 1 :])


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes changed, taken out or put in."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(result)))
        taken = draw(st.integers(0, 3))
        result[start : start + taken] = draw(st.binary(max_size=4))
    return bytes(result)


def rewrite(unit: Unit, records: list[Record], head: bytes | None = None) -> bytes:
    return write_unit(unit.kind, unit.layer, bytes(unit.head) if head is None else head, records)


@quick
@given(data=st.data(), index=st.integers(0, len(UNITS) - 1))
def test_a_stack_with_damage_anywhere_is_survived(data: st.DataObject, index: int) -> None:
    units = list(UNITS)
    units[index] = data.draw(damage(units[index]))
    survive(rebuild, units)


@quick
@given(data=st.data(), index=st.integers(0, len(UNITS) - 1))
def test_damage_inside_a_payload_is_survived(data: st.DataObject, index: int) -> None:
    unit = read_unit(UNITS[index])
    records = list(unit.records)
    place = data.draw(st.integers(0, len(records) - 1))
    old = records[place]
    payload = data.draw(damage(bytes(old.payload)))
    records[place] = Record(slice=old.slice, operation=old.operation, payload=payload)
    units = [*UNITS[:index], rewrite(unit, records), *UNITS[index + 1 :]]
    survive(rebuild, units)


@quick
@given(data=st.data())
def test_damage_inside_the_parameters_is_survived(data: st.DataObject) -> None:
    unit = read_unit(UNITS[0])
    parameters = data.draw(damage(HEAD[len(Writer().blob(TOPOLOGY)) :]))
    head = Writer().blob(TOPOLOGY).raw(parameters).bytes()
    units = [rewrite(unit, list(unit.records), head), *UNITS[1:]]
    survive(rebuild, units)


@quick
@given(data=st.data())
def test_damage_inside_the_tensor_table_is_survived(data: st.DataObject) -> None:
    reader = Reader(TOPOLOGY)
    size, tensors, content_size = (reader.varint(limit=1 << 20) for _ in range(3))
    frame = bytes(reader.take(reader.remaining))
    content = zstandard.ZstdDecompressor().decompress(frame, max_output_size=content_size)
    changed = data.draw(damage(content[:60])) + content[60:]
    out = Writer().varint(size).varint(tensors).varint(len(changed))
    packed = zstandard.ZstdCompressor(level=1).compress(changed)
    survive(Topology.read, out.raw(packed).bytes())


@quick
@given(numbers=st.lists(st.integers(0, 1 << 62), min_size=3, max_size=3))
def test_any_sizes_of_a_topology_are_survived(numbers: list[int]) -> None:
    out = Writer()
    for number in numbers:
        out.varint(number)
    survive(Topology.read, out.raw(zstandard.ZstdCompressor().compress(bytes(30))).bytes())
