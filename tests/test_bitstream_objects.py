"""Topologies of TFLite files by their objects: what comes back, and what is refused."""

import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream import kernels
from midstream.bitstream import Topology, filling, restoring, tensor_table
from midstream.bitstream.objects import columns_of
from midstream.bitstream.restoring import open_content, pack_objects
from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError
from midstream.formats import open_model
from midstream.kernels import numpy_objects
from midstream.limits import LIMITS
from midstream.wire import Writer
from models import mlp

MODELS = Path(__file__).parent.parent / "examples/abr_client/models"
NETWORK = (MODELS / "abr-1.tflite").read_bytes()
OTHER = (MODELS / "abr-2.tflite").read_bytes()


FINDERS = [find for find in (tensor_table._find_holes, kernels.read_holes) if find is not None]


def cut(model: bytes) -> Topology:
    return Topology.cut(model, open_model(model).tensors)


def packed(model: bytes) -> bytes | None:
    """The objects of a file, where they are sent."""
    topology = cut(model)
    return pack_objects(topology.model, topology.tensors, topology.table, topology.filling())


def between(topology: Topology) -> bytes:
    return b"".join(map(bytes, topology.filling()))


def plain(topology: Topology) -> bytes:
    content = topology.table + between(topology)
    return filling.pack([content], len(content))


@pytest.mark.parametrize("model", [NETWORK, OTHER], ids=["abr-1", "abr-2"])
def test_a_network_comes_back_from_fewer_bytes(model: bytes) -> None:
    topology = cut(model)
    written = topology.write()
    assert Topology.read(written).blank() == topology.blank()
    assert len(written) < 0.8 * len(plain(topology))


def test_a_file_of_another_format_is_left_to_zstd() -> None:
    assert columns_of(memoryview(b"no flatbuffer"), np.zeros((0, 2), np.int64)) is None


def test_a_file_that_is_laid_out_otherwise_is_left_to_zstd() -> None:
    """Its vtables stand after their tables, wherever there is room."""
    assert packed(mlp()) is None
    assert Topology.read(cut(mlp()).write()).blank() == cut(mlp()).blank()


def shared_text() -> bytes:
    """The network, its description and the name of its graph in one place."""
    model = bytearray(NETWORK)
    u16 = lambda at: struct.unpack_from("<H", model, at)[0]  # noqa: E731
    u32 = lambda at: struct.unpack_from("<I", model, at)[0]  # noqa: E731

    def field(table: int, number: int) -> int:
        vtable = table - struct.unpack_from("<i", model, table)[0]
        return table + u16(vtable + 4 + 2 * number)

    root = u32(0)
    graphs = field(root, 2) + u32(field(root, 2))
    graph = graphs + 4 + u32(graphs + 4)
    description, name = field(root, 3), field(graph, 4)
    target = name + u32(name)
    struct.pack_into("<I", model, description, target - description)
    return bytes(model)


def test_references_that_share_what_they_lead_to_come_back() -> None:
    model = shared_text()
    assert model != NETWORK
    assert packed(model) is not None
    assert Topology.read(cut(model).write()).blank() == cut(model).blank()


def test_bytes_after_the_objects_come_back() -> None:
    model = NETWORK + b"metadata that some tool has put here" * 3
    assert packed(model) is not None
    assert Topology.read(cut(model).write()).blank() == cut(model).blank()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_comes_back_or_is_left_to_zstd(data: st.DataObject) -> None:
    topology = cut(NETWORK)
    model = bytearray(NETWORK)
    ends = [t.end for t in topology.tensors]
    outside = [*range(80), *range(max(ends), len(model))]
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.sampled_from(outside))] = data.draw(st.integers(0, 255))
    damaged = Topology.cut(bytes(model), topology.tensors)
    assert Topology.read(damaged.write()).blank() == damaged.blank()


def test_a_counter_among_references_is_left_to_zstd() -> None:
    topology, model = cut(NETWORK), bytearray(NETWORK)
    model[83340] = 9  # a field's place in a vtable at the end
    damaged = Topology.cut(bytes(model), topology.tensors)
    assert Topology.read(damaged.write()).blank() == damaged.blank()


def refusal(data: bytes, size: int, limits=LIMITS) -> ErrorCode:
    topology = cut(NETWORK)
    with pytest.raises(MidstreamError) as caught:
        open_content(data, size, len(topology.tensors), len(NETWORK), limits)
    return caught.value.code


def test_sizes_beyond_a_mebibyte_are_refused() -> None:
    """[OBJ-1]"""
    data = packed(NETWORK)
    assert data is not None
    size = len(cut(NETWORK).table) + len(between(cut(NETWORK)))
    assert refusal(data, (1 << 20) + 1) is ErrorCode.OVER_LIMIT
    huge = Writer().raw(b"\1").varint((1 << 20) + 1).raw(data[3:]).bytes()
    assert refusal(huge, size) is ErrorCode.OVER_LIMIT


@pytest.mark.parametrize("change", [-1, 1])
def test_a_content_of_another_length_is_refused(change: int) -> None:
    """[OBJ-1]"""
    data = packed(NETWORK)
    assert data is not None
    size = len(cut(NETWORK).table) + len(between(cut(NETWORK)))
    assert refusal(data, size + change) is ErrorCode.BAD_FIELD


def test_a_table_that_is_malformed_is_refused_as_in_other_contents() -> None:
    """[BIT-9]"""
    content = bytes.fromhex("00 05 ff 02 03 00") + bytes(9)
    data = Writer().raw(b"\1").varint(len(content)).raw(filling.pack([content], len(content)))
    with pytest.raises(BitstreamError, match="has no weights"):
        open_content(data.bytes(), 15, 1, 24, LIMITS)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 1 << 16), byte=st.integers(0, 255), find=st.sampled_from(FINDERS))
def test_holes_of_a_damaged_table_are_those_of_its_tensors(at: int, byte: int, find) -> None:
    topology = cut(NETWORK)
    count, size = len(topology.tensors), len(NETWORK)
    table = bytearray(topology.table)
    table[at % len(table)] = byte
    data = memoryview(table + bytes(9))
    found = find(data, count, size)
    try:
        tensors, stop = tensor_table.read_table(data, count, size, LIMITS)
    except MidstreamError:  # of axes, maybe, which holes do not have
        assert found is None or found[0].sum(axis=1).max() <= size
    else:
        assert found is not None
        assert found[0].tolist() == [[t.offset, t.length] for t in tensors]
        assert found[1] == stop


def empty_buffers(count: int) -> tuple[bytes, int]:
    """A topology of a model with so many, and bytes of its content and columns: small objects."""
    kinds = bytes([1, 2, 39, 1]) + bytes([40]) * count
    columns = Writer().varint(len(kinds)).raw(b"\0" + kinds + bytes([0, 5, 0, 0, 0]))
    columns.raw(bytes.fromhex("0800 0000 0000 0000 0000 0400") + bytes.fromhex("0400"))
    content = columns.raw(b"\0").varint(count).raw(b"\1" * count).bytes()
    size = 8 + 2 + 14 + 8 + 4 + 4 * count + 4 + 4 * count
    out = Writer().varint(size).varint(0).varint(size).raw(b"\1").varint(len(content))
    return out.raw(filling.pack([content], len(content))).bytes(), size + len(content)


@pytest.mark.parametrize("restore", [numpy_objects.restore_objects, kernels.restore_objects])
def test_restoring_takes_no_more_memory_than_is_announced(restore, monkeypatch) -> None:
    monkeypatch.setattr(restoring, "restore_objects", restore)
    data, both = empty_buffers(60_000)
    Topology.read(data)
    tracemalloc.start()
    topology = Topology.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= topology.working_memory <= 34 * both


def test_a_limit_on_topologies_holds_for_objects() -> None:
    with pytest.raises(LimitError):
        Topology.read(cut(NETWORK).write(), limits=replace(LIMITS, topology_size=500))
