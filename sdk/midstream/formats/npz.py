"""Holes of NumPy archives. Knows nothing of networks.

A member that is stored is a range of the file, so its array is a hole of it. A member that is
deflated is not: `stored` makes an archive of it whose members are.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.worth import apart, is_worth
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["is_npz", "locate", "settle", "stored"]

_LOCAL, _CENTRAL, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_DESCRIPTOR = b"PK\7\x08"
_LOCAL_SIZE, _CENTRAL_SIZE, _END_SIZE = 30, 46, 22
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_MOST_COMMENT = 0xFFFF
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '([<|][fiu]\d)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \}\s*"
)
_DTYPES = {
    b"<f4": DType.FLOAT32,
    b"<f2": DType.FLOAT16,
    b"<i4": DType.INT32,
    b"|i1": DType.INT8,
    b"|u1": DType.UINT8,
}
_MOST_HEADER = 1 << 16
_DOS_EPOCH = bytes([0, 0, 33, 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One file of an archive."""

    name: bytes
    method: int
    checksum: bytes
    size: int
    """Bytes of it, unpacked."""
    start: int
    """Where its content starts in the archive."""
    stop: int
    """One past its last byte."""
    entry: int
    """Where its entry in the directory is."""
    local: int
    """Where its own header is."""


def is_npz(data: bytes | memoryview) -> bool:
    """Whether it is an archive whose first member is an array."""
    if bytes(data[:4]) != _LOCAL:
        return False  # and of what would be its name nothing is copied
    name_size = int.from_bytes(data[26:28], "little")
    return bytes(data[_LOCAL_SIZE : _LOCAL_SIZE + name_size]).endswith(b".npy")


def locate(data: bytes | memoryview) -> tuple[Tensor, ...]:
    """Find the weights in stored members.

    Returns:
        Holes in order of their offsets; other data types and tiny arrays are topology.

    Raises:
        FormatError: The archive is damaged.
        LimitError: A count or size in it is over its limit.
    """
    members = [member for member in _members(data) if member.method == _STORED]
    return apart(_tensor(data, member) for member in members)


def stored(data: bytes) -> bytes:
    """The same archive where all its members are stored, else one with the same arrays that is.

    Members keep their order, names and bytes; what archives say besides (times, comments) goes.

    Raises:
        FormatError: The archive is damaged.
        LimitError: A count or size in it is over its limit.
    """
    members = _members(data)
    if all(member.method == _STORED for member in members):
        for member in members:
            _content(data, member)
        return data
    out = bytearray()
    directory = bytearray()
    for member in members:
        content = _content(data, member)
        directory += _central(member, len(out)) + member.name
        out += _LOCAL + _facts(member) + bytes(2) + member.name + content
    start = len(out)
    count = len(members).to_bytes(2, "little")
    place = len(directory).to_bytes(4, "little") + start.to_bytes(4, "little")
    return bytes(out + directory + _END + bytes(4) + count + count + place + bytes(2))


def settle(data: memoryview) -> None:
    """Write the checksums that members have now, after their weights were changed.

    What is no archive, or a damaged one, stays as it is.

    Args:
        data: The archive, writable.
    """
    try:
        members = [member for member in _members(data) if member.method == _STORED]
    except (FormatError, LimitError):
        return  # units may say that a file is anything
    if sum(member.size for member in members) > len(data):
        return  # members that overlap
    for member in members:
        checksum = zlib.crc32(data[member.start : member.stop]).to_bytes(4, "little")
        for place in _checksum_places(data, member):
            if data[place : place + 4] == member.checksum:
                data[place : place + 4] = checksum


def _checksum_places(data: memoryview, member: _Member) -> tuple[int, ...]:
    """Where the checksum of a member may stand: both headers, and what may follow its content."""
    after = member.stop + 4 * (data[member.stop : member.stop + 4] == _DESCRIPTOR)
    return member.entry + 16, member.local + 14, after


def _central(member: _Member, offset: int) -> bytes:
    version = (20).to_bytes(2, "little")
    return _CENTRAL + version + _facts(member) + bytes(12) + offset.to_bytes(4, "little")


def _facts(member: _Member) -> bytes:
    """What both headers of a stored member say, up to the size of its name."""
    size = member.size.to_bytes(4, "little")
    start = (20).to_bytes(2, "little") + bytes(2) + bytes(2) + _DOS_EPOCH + member.checksum
    return start + size + size + len(member.name).to_bytes(2, "little")


def _content(data: bytes, member: _Member) -> bytes:
    packed = data[member.start : member.stop]
    if member.method == _DEFLATED:
        packed = _inflate(packed, member.size)
    if zlib.crc32(packed) != int.from_bytes(member.checksum, "little"):
        raise _bad(ErrorCode.BAD_HASH, f"{member.name[:80]!r}: its checksum is another")
    return packed


def _inflate(packed: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise _bad(ErrorCode.BAD_HEADER, f"zlib says {error}") from None
    if len(content) != size or not unpacker.eof:
        raise _bad(ErrorCode.BAD_LENGTH, f"a member does not unpack to {size} bytes")
    return content


def _members(data: bytes | memoryview) -> list[_Member]:
    """All members, in order of the directory; together no larger than a model may be."""
    tail = bytes(data[max(len(data) - _END_SIZE - _MOST_COMMENT, 0) :])
    place = tail.rfind(_END)
    if place < 0 or place + _END_SIZE > len(tail):
        raise _bad(ErrorCode.TRUNCATED, "no end of its directory")
    end = tail[place:]
    count, first = _number(end, 10, 2), _number(end, 16, 4)
    if count > LIMITS.tensors:
        raise LimitError(ErrorCode.OVER_LIMIT, f"npz: {count} members, at most {LIMITS.tensors}")
    members = list(_directory(data, first, count))
    if (total := sum(member.size for member in members)) > LIMITS.model_size:
        raise LimitError(ErrorCode.OVER_LIMIT, f"npz: {total} bytes, at most {LIMITS.model_size}")
    return members


def _directory(data: bytes | memoryview, place: int, count: int) -> Iterator[_Member]:
    for _ in range(count):
        entry = bytes(data[place : place + _CENTRAL_SIZE])
        if entry[:4] != _CENTRAL or len(entry) < _CENTRAL_SIZE:
            raise _bad(ErrorCode.BAD_OFFSET, f"no entry of its directory at {place}")
        name_size = _number(entry, 28, 2)
        name = bytes(data[place + _CENTRAL_SIZE : place + _CENTRAL_SIZE + name_size])
        yield _member(data, entry, name, place)
        place += _CENTRAL_SIZE + name_size + _number(entry, 30, 2) + _number(entry, 32, 2)


def _member(data: bytes | memoryview, entry: bytes, name: bytes, place: int) -> _Member:
    method, packed, size = _number(entry, 10, 2), _number(entry, 20, 4), _number(entry, 24, 4)
    local = _number(entry, 42, 4)
    header = bytes(data[local : local + _LOCAL_SIZE])
    start = local + _LOCAL_SIZE + _number(header, 26, 2) + _number(header, 28, 2)
    if header[:4] != _LOCAL or start + packed > len(data):
        raise _bad(ErrorCode.BAD_OFFSET, f"{name[:80]!r}: {packed} bytes at {start}")
    if method not in (_STORED, _DEFLATED) or entry[8] & _ENCRYPTED:
        raise _bad(ErrorCode.BAD_HEADER, f"{name[:80]!r}: neither stored nor deflated")
    if method == _STORED and packed != size:
        raise _bad(ErrorCode.BAD_LENGTH, f"{name[:80]!r}: {packed} bytes stored of {size}")
    return _Member(
        name=name,
        method=method,
        checksum=entry[16:20],
        size=size,
        start=start,
        stop=start + packed,
        entry=place,
        local=local,
    )


def _tensor(data: bytes | memoryview, member: _Member) -> Tensor | None:
    """The hole that an array is, or None where it is topology."""
    start = bytes(data[member.start : min(member.stop, member.start + 12)])
    width = 2 if start[6:7] == b"\1" else 4
    size = _number(start, 8, width)
    if start[:6] != _MAGIC or size > _MOST_HEADER:
        return None
    first = member.start + 8 + width
    found = _HEADER.fullmatch(bytes(data[first : min(first + size, member.stop)]))
    if not found or found[1] not in _DTYPES:
        return None
    dtype, shape = _DTYPES[found[1]], _shape(found[3])
    if len(shape) > LIMITS.dimensions or any(not 0 < d <= LIMITS.model_size for d in shape):
        return None
    return _hole(member, dtype, shape, first + size, is_reversed=found[2] == b"True")


def _hole(
    member: _Member, dtype: DType, shape: tuple[int, ...], offset: int, *, is_reversed: bool
) -> Tensor | None:
    row, column = (0, 1) if len(shape) > 1 else (None, None)
    if is_reversed and row is not None and column is not None:
        last = len(shape) - 1
        row, column = last - row, last - column
    tensor = Tensor(
        name=member.name.decode("utf-8", "replace")[: LIMITS.tensor_name].removesuffix(".npy"),
        dtype=dtype,
        shape=shape[::-1] if is_reversed else shape,
        offset=offset,
        row_axis=row,
        column_axis=column,
    )
    return tensor if is_worth(tensor) and tensor.end == member.stop else None


def _shape(text: bytes) -> tuple[int, ...]:
    return tuple(int(number[:16]) for number in re.findall(rb"\d+", text))


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


def _bad(code: ErrorCode, problem: str) -> FormatError:
    return FormatError(code, f"npz: {problem}")
