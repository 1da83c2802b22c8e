"""The file without its weights: exact layout, limits, and what is refused."""

from dataclasses import replace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from midstream.bitstream import Topology, filling, tensor_table
from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError
from midstream.limits import LIMITS
from midstream.types import DType, Tensor
from midstream.wire import Writer

FILE = b"head" + bytes(range(1, 13)) + b"mid" + b"\xab\xcd" + b"end"
HOLES = (
    Tensor(name="w", dtype=DType.FLOAT32, shape=(3, 1), offset=4, row_axis=0, column_axis=1),
    Tensor(name="v", dtype=DType.INT4, shape=(2, 2), offset=19),
)
FIRST = "04 01 10 02 03 01"
SECOND = "03 07 ff 02 02 02"


def topology(size: int, tensors: int, content: bytes, claimed: int | None = None) -> bytes:
    """A topology whose content is what it is."""
    out = Writer().varint(size).varint(tensors)
    out.varint(len(content) if claimed is None else claimed)
    return out.raw(zstandard.ZstdCompressor(write_content_size=False).compress(content)).bytes()


def content(*entries: str, filling: bytes = b"headmidend") -> bytes:
    return b"".join(map(bytes.fromhex, entries)) + filling


def code_of(data: bytes) -> ErrorCode:
    with pytest.raises(MidstreamError) as caught:
        Topology.read(data)
    return caught.value.code


def test_the_holes_are_cut_out() -> None:
    cut = Topology.cut(FILE, HOLES)
    assert (cut.model_size, cut.tensors) == (24, HOLES)
    assert list(cut.filling()) == [b"head", b"mid", b"end"]


def test_the_blank_file_has_zeros_in_its_holes() -> None:
    assert Topology.cut(FILE, HOLES).blank() == b"head" + bytes(12) + b"mid" + bytes(2) + b"end"


def test_a_file_without_holes_is_all_filling() -> None:
    cut = Topology.read(Topology.cut(FILE, ()).write())
    assert (cut.tensors, cut.blank()) == ((), FILE)


def test_a_file_may_be_all_hole() -> None:
    hole = Tensor(name="w", dtype=DType.INT8, shape=(24,), offset=0)
    assert Topology.read(Topology.cut(FILE, (hole,)).write()).blank() == bytes(24)


def test_an_empty_file_has_a_topology_too() -> None:
    assert Topology.read(Topology.cut(b"", ()).write()).blank() == b""


def test_the_table_and_the_filling_have_these_bytes() -> None:
    written = Topology.cut(FILE, HOLES).write()
    packed = content(FIRST, SECOND)
    assert written[:3] == bytes([24, 2, len(packed)])
    assert zstandard.ZstdDecompressor().decompress(written[3:], max_output_size=99) == packed


def test_a_topology_comes_back() -> None:
    read = Topology.read(Topology.cut(FILE, HOLES).write())
    assert [replace(t, name="") for t in read.tensors] == [replace(t, name="") for t in HOLES]
    assert read.blank() == Topology.cut(FILE, HOLES).blank()


def test_small_vectors_leave_what_is_before_them_as_it_was_to_the_byte() -> None:
    names = ",".join(f"blocks.{n}.weight" for n in range(40)).encode()
    hole = Tensor(name="w", dtype=DType.INT8, shape=(64,), offset=len(names))
    one, other = (
        Topology.cut(names + bytes(64) + vector, (hole,)).write()
        for vector in (bytes(range(40)), bytes(range(90, 130)))
    )
    same = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
    assert len(one) - same <= 40 + 3


BAD = {
    "nothing": (b"", ErrorCode.BAD_LENGTH),
    "no frame": (b"\x18\x00\x18", ErrorCode.BAD_FIELD),
    "no zstd frame": (b"\x18\x00\x04abcd", ErrorCode.BAD_FIELD),
    "a file over its limit": (Writer().varint((2 << 30) + 1).bytes(), ErrorCode.OVER_LIMIT),
    "too many tensors": (Writer().varint(1).varint(65537).bytes(), ErrorCode.OVER_LIMIT),
    "content larger than the file": (topology(24, 0, b"", 25), ErrorCode.OVER_LIMIT),
    "less content than it says": (topology(24, 0, b"x" * 20, 24), ErrorCode.BAD_LENGTH),
    "more content than it says": (topology(24, 0, b"x" * 25, 24), ErrorCode.BAD_LENGTH),
    "bytes after the frame": (topology(24, 0, b"x" * 24) + b"\0", ErrorCode.TRAILING_BYTES),
    "a table that ends early": (topology(24, 2, content(FIRST, filling=b"")), ErrorCode.BAD_LENGTH),
    "an unknown data type": (topology(24, 1, content("00 08 ff 00")), ErrorCode.BAD_FIELD),
    "data type 0": (topology(24, 1, content("00 00 ff 00")), ErrorCode.BAD_FIELD),
    "nine axes": (topology(24, 1, content("00 05 ff 09" + "01" * 9)), ErrorCode.OVER_LIMIT),
    "a huge dimension": (topology(24, 1, content("00 05 ff 01 8180808008")), ErrorCode.OVER_LIMIT),
    "a row axis it has not": (topology(24, 1, content("00 05 f1 01 01")), ErrorCode.BAD_FIELD),
    "a column axis it has not": (topology(24, 1, content("00 05 1f 01 01")), ErrorCode.BAD_FIELD),
    "a gap over the file": (topology(24, 1, content("8180808008 05 ff 00")), ErrorCode.OVER_LIMIT),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD)
def test_a_bad_topology_is_refused(data: bytes, code: ErrorCode) -> None:
    """[BIT-2]"""
    assert code_of(data) is code


def test_a_tensor_without_weights_is_refused() -> None:
    """[BIT-9]"""
    data = topology(24, 1, content("00 05 ff 02 03 00", filling=b"x" * 24))
    assert code_of(data) is ErrorCode.BAD_FIELD


def test_a_tensor_that_ends_outside_the_file_is_refused() -> None:
    """[BIT-9]"""
    data = topology(24, 1, content("14 05 ff 01 05", filling=b"x" * 20))
    assert code_of(data) is ErrorCode.BAD_OFFSET


@pytest.mark.parametrize("size", [9, 11])
def test_a_filling_of_another_length_is_refused(size: int) -> None:
    """[BIT-9]"""
    data = topology(24, 2, content(FIRST, SECOND, filling=b"x" * size))
    assert code_of(data) is ErrorCode.BAD_LENGTH


def test_a_frame_that_says_another_size_is_refused_before_it_is_unpacked() -> None:
    """[BIT-2]"""
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(b"x" * 23)
    assert code_of(b"\x18\x00\x18" + frame) is ErrorCode.BAD_LENGTH


def test_a_frame_with_a_larger_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=25, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    size = 1 << 20
    frame = packer.compress(bytes(size)) + packer.flush()
    data = Writer().varint(size).varint(0).varint(size).raw(frame).bytes()
    assert code_of(data) is ErrorCode.BAD_FIELD


def test_a_limit_of_the_caller_holds() -> None:
    """[BIT-2]"""
    data = Topology.cut(FILE, HOLES).write()
    for limits in (
        replace(LIMITS, model_size=23),
        replace(LIMITS, tensors=1),
        replace(LIMITS, topology_size=21),
        replace(LIMITS, dimensions=1),
    ):
        with pytest.raises(LimitError):
            Topology.read(data, limits=limits)


@pytest.mark.parametrize("size", range(20))
def test_a_truncated_topology_is_refused(size: int) -> None:
    with pytest.raises(BitstreamError):
        Topology.read(Topology.cut(FILE, HOLES).write()[:size])


@st.composite
def models(draw: st.DrawFn) -> tuple[bytes, list[Tensor]]:
    """A file and tensors in it, in order, none overlapping."""
    holes: list[Tensor] = []
    end = 0
    for index in range(draw(st.integers(0, 5))):
        shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
        axes = st.none() if not shape else st.none() | st.integers(0, len(shape) - 1)
        hole = Tensor(
            name=f"tensor {index}",
            dtype=draw(st.sampled_from(DType)),
            shape=shape,
            offset=end + draw(st.integers(0, 9)),
            row_axis=draw(axes),
            column_axis=draw(axes),
        )
        holes.append(hole)
        end = hole.end
    size = end + draw(st.integers(0, 9))
    return draw(st.binary(min_size=size, max_size=size)), holes


@given(models())
def test_what_is_outside_the_holes_comes_back(model: tuple[bytes, list[Tensor]]) -> None:
    """[BIT-9]"""
    data, holes = model
    read = Topology.read(Topology.cut(data, holes).write())
    assert list(read.tensors) == holes
    rebuilt = read.blank()
    for hole in holes:
        assert rebuilt[hole.offset : hole.end] == bytes(hole.length)
        rebuilt[hole.offset : hole.end] = data[hole.offset : hole.end]
    assert rebuilt == data


def outcome(data: bytes) -> object:
    """What is read of some bytes, or what is said against them."""
    try:
        read = Topology.read(data)
    except MidstreamError as error:
        return error.code, str(error)
    return read.tensors, read.blank()


@given(
    st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 9, 15, 0x10, 0x7F, 0x80, 0xFF]), max_size=16),
    st.integers(0, 4),
)
def test_all_tensors_at_once_are_read_as_one_by_one(table: list[int], count: int) -> None:
    data = topology(24, count, bytes(table) + b"x" * 8)
    found = outcome(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensor_table, "read_entries", lambda *_: None)
        patch.setattr(filling, "unpack_small", lambda *_: None)
        assert outcome(data) == found
