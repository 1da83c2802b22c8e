"""A topology as what is new in it over its parent's. Knows nothing of weights.

The content is packed with the parent's before it, so that what they share is a reference
(spec/updates.md, "Topology").
"""

from collections.abc import Iterable, Sequence

import zstandard

from midstream.bitstream.tensor_table import check_filling, read_table
from midstream.bitstream.topology import Topology
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.wire import Reader, Writer

__all__ = ["DICTIONARY", "read_patch", "read_sources", "write_patch", "write_sources"]

DICTIONARY = 1 << 22
"""Bytes of the parent's content that are looked back to, its first ones."""
_WINDOW_BITS = 23
_LEVEL = 19

Sources = Sequence[int | None]


def write_patch(new: Topology, old: Topology, sources: Sources) -> bytes:
    """The bytes of a topology on its parent's, and of where its tensors come from."""
    filling = b"".join(map(bytes, new.filling()))
    content = write_sources(sources) + new.table + filling
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=_WINDOW_BITS, write_content_size=False
    )
    packer = zstandard.ZstdCompressor(dict_data=_dictionary(old), compression_params=parameters)
    out = Writer().varint(new.model_size).varint(len(new.tensors)).varint(len(content))
    return out.raw(packer.compress(content)).bytes()


def read_patch(
    data: bytes | memoryview, old: Topology, *, limits: Limits = LIMITS
) -> tuple[Topology, tuple[int | None, ...]]:
    """Parse what `write_patch` gives: the topology, and the source of each tensor.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    reader = Reader(data, "topology")
    model_size = reader.varint(limit=limits.model_size)
    count = reader.varint(limit=limits.tensors)
    size = reader.varint(limit=min(limits.topology_size, model_size + 128 * count))
    content = Reader(_unpack(bytes(reader.take(reader.remaining)), size, old), "topology")
    sources = read_sources(content, count, len(old.tensors))
    rest = content.take(content.remaining)
    tensors, taken = read_table(rest, count, model_size, limits)
    filling = rest[taken:]
    check_filling(len(filling), tensors, model_size)
    topology = Topology(
        model_size=model_size,
        tensors=tensors,
        filling=lambda: [filling],
        working_memory=2 * size + (1 << _WINDOW_BITS) + DICTIONARY + 1024 * count,
    )
    return topology, sources


def _dictionary(old: Topology) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(
        _first([old.table, *_bounded(old)]), dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


def _bounded(old: Topology) -> Iterable[bytes | memoryview]:
    """Pieces of the filling, no more than are looked back to."""
    left = DICTIONARY
    for piece in old.filling():
        yield piece[:left]
        left -= len(piece[:left])
        if not left:
            return


def _first(pieces: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(pieces)[:DICTIONARY]


def _unpack(frame: bytes, size: int, old: Topology) -> bytes:
    unpacker = zstandard.ZstdDecompressor(
        dict_data=_dictionary(old), max_window_size=1 << _WINDOW_BITS
    )
    try:
        claimed = zstandard.get_frame_parameters(frame).content_size
        if claimed not in (zstandard.CONTENTSIZE_UNKNOWN, size):
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"topology: zstd frame of {claimed}, not {size}"
            )
        content = unpacker.decompress(frame, max_output_size=max(size, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"topology: zstd says {error}") from None
    if len(content) != size:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"topology: does not unpack to {size} bytes")
    return content


def write_sources(sources: Sources) -> bytes:
    """0 for none, else one more than the zigzag distance from the one after the last."""
    out, expected = Writer(), 0
    for source in sources:
        if source is None:
            out.varint(0)
            continue
        distance = source - expected
        out.varint(1 + (2 * distance if distance >= 0 else -1 - 2 * distance))
        expected = source + 1
    return out.bytes()


def read_sources(reader: Reader, count: int, tensors: int) -> tuple[int | None, ...]:
    """Parse what `write_sources` gives.

    Raises:
        BitstreamError: It is malformed, or names a tensor that there is not.
    """
    sources: list[int | None] = []
    expected = 0
    for folded in reader.varints(count, limit=2 * LIMITS.tensors + 1):
        if not folded:
            sources.append(None)
            continue
        distance = folded - 1 >> 1 if folded & 1 else -(folded >> 1)
        source = expected + distance
        if not 0 <= source < tensors:
            raise BitstreamError(
                ErrorCode.BAD_FIELD, f"topology: a tensor from tensor {source} of {tensors}"
            )
        sources.append(source)
        expected = source + 1
    return tuple(sources)
