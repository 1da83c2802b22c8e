"""What lies between the holes of a model file, a piece at a time. Knows nothing of tensors.

A filling may be as large as the model file, so neither side ever holds it whole beside it:
the encoder has views of the model file, the decoder unpacks again what it needs, or keeps
what is no larger than the window that this would take.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import zstandard

from midstream.codec.unpacking import unpack_small
from midstream.errors import BitstreamError, ErrorCode

__all__ = ["Content", "pack", "pack_fields"]

_LEVEL = 19
_LESS = ((1 << 12, 15), (1 << 17, 17))
"""Levels of contents of at most so many bytes: they take half the time of level 19, and 0.05 % more
bytes."""
_LONG_ENOUGH = 96
"""Bytes of a match that nothing better is looked for: the level's 256 take up to 1.5 times as long
and save 0.1 %."""
_QUICK_LEVEL, _QUICK_SIZE = 15, 1 << 17
"""Where little repeats at a distance this takes a third of the time, and 0.3 % more bytes."""
_MOST_ALONE = 1 << 12
"""Bytes from the first hole on that get a block of their own: with files that begin with what
names their tensors these are small vectors, which are new in each release. What is before them
is packed to the same bytes then, of which an update says nothing."""
_MOST_WINDOW = 1 << 23
_FIRST = 2
"""Pieces before the first hole: the tensor table, and what the file begins with."""
_PIECE = 1 << 16
_CHECKSUM = 4


def pack(pieces: Iterable[bytes | memoryview], size: int) -> bytes:
    """One zstd frame of pieces that are `size` bytes together.

    Args:
        pieces: The tensor table, then what lies between holes, in order.
        size: Bytes of all.
    """
    level = next((level for most, level in _LESS if size <= most), _LEVEL)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=size, target_length=_LONG_ENOUGH, write_content_size=False
    )
    return _packed(pieces, size, parameters)


def pack_fields(fields: bytes) -> bytes:
    """One zstd frame of fields of which those of a kind stand together."""
    if len(fields) > _QUICK_SIZE:
        return pack([fields], len(fields))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _QUICK_LEVEL, source_size=len(fields), write_content_size=False
    )
    return _packed([fields], len(fields), parameters)


def _packed(
    pieces: Iterable[bytes | memoryview],
    size: int,
    parameters: zstandard.ZstdCompressionParameters,
) -> bytes:
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
    left, packed = iter(pieces), []
    for piece in islice(left, _FIRST):
        packed.append(packer.compress(piece))
        size -= len(piece)
    if 0 < size <= _MOST_ALONE:
        packed.append(packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    return b"".join([*packed, *map(packer.compress, left), packer.flush()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a topology: one zstd frame, looked at but not unpacked."""

    frame: bytes | memoryview
    """Nothing follows it."""
    size: int
    """Bytes that it unpacks to."""
    whole: bytes | None = field(init=False, repr=False, compare=False)
    """All of it, where it is small and whole; None where it is unpacked piece by piece."""

    def __post_init__(self) -> None:
        try:
            claimed = zstandard.get_frame_parameters(self.frame).content_size
        except zstandard.ZstdError as error:
            raise _bad(error) from None
        if claimed not in (zstandard.CONTENTSIZE_UNKNOWN, self.size):
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"topology: zstd frame of {claimed}, not {self.size}"
            )
        if (end := _end_of_frame(self.frame)) != len(self.frame):
            code = ErrorCode.TRAILING_BYTES if end < len(self.frame) else ErrorCode.BAD_LENGTH
            raise BitstreamError(code, f"topology: zstd frame of {end} bytes in {len(self.frame)}")
        # a malformed one is unpacked piece by piece as well, to say what is wrong with it
        whole = unpack_small(self.frame, self.size) if self.size <= self.window else None
        object.__setattr__(self, "whole", whole)

    @property
    def window(self) -> int:
        """Bytes of memory that unpacking takes."""
        return min(zstandard.get_frame_parameters(self.frame).window_size, _MOST_WINDOW)

    @property
    def memory(self) -> int:
        """Bytes of memory that unpacking takes at most."""
        return self.window

    def first(self, size: int) -> bytes:
        """The first `size` bytes or more, fewer where there are no more.

        Raises:
            BitstreamError: The frame is malformed.
        """
        if self.whole is not None:
            return self.whole
        pieces, taken = [], 0
        for piece in self.pieces():
            pieces.append(piece)
            taken += len(piece)
            if taken >= size:
                break
        return b"".join(pieces)

    def pieces(self, skip: int = 0) -> Iterator[bytes | memoryview]:
        """All bytes but the first `skip`, in pieces of bounded size.

        Raises:
            BitstreamError: The frame is malformed, or does not unpack to `size` bytes.
        """
        if self.whole is not None:
            yield memoryview(self.whole)[skip:]
            return
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
        taken = 0
        try:
            with unpacker.stream_reader(self.frame, read_size=_PIECE) as reader:
                while taken <= self.size and (piece := reader.read(_PIECE)):
                    taken += len(piece)
                    if taken > skip:
                        yield piece[max(len(piece) - (taken - skip), 0) :]
        except zstandard.ZstdError as error:
            raise _bad(error) from None
        if taken != self.size:
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"topology: does not unpack to {self.size} bytes"
            )


def _end_of_frame(frame: bytes | memoryview) -> int:
    """Where the frame that starts here ends, by its block headers (RFC 8878, 3.1.1)."""
    end = zstandard.frame_header_size(frame)
    is_last = False
    while not is_last:
        header = int.from_bytes(frame[end : end + 3], "little")
        is_last = bool(header & 1) or end + 3 > len(frame)
        kind, size = header >> 1 & 3, header >> 3
        end += 3 + (1 if kind == 1 else size)  # of a run only one byte is there
    has_checksum = zstandard.get_frame_parameters(frame).has_checksum
    return end + (_CHECKSUM if has_checksum else 0)


def _bad(error: zstandard.ZstdError) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"topology: zstd says {error}")
