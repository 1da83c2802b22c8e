"""Bytes as they are: the escape where coding does not pay. Knows nothing of levels.

A payload is one byte that says how, and the content (spec/coding.md, "Raw").
"""

import lzma
from enum import IntEnum

import numpy as np
import zstandard

from midstream.codec.unpacking import unpack_small
from midstream.errors import BitstreamError, ErrorCode

__all__ = ["PROMISING", "decode", "encode", "estimate"]

PROMISING = 1.02
"""An estimate within this of what is there already may turn out shorter."""
_LEVEL = 19
_FEW, _LEVEL_OF_FEW = 1 << 10, 15
"""Bytes that take half the time so, and hardly more."""
_QUICK_LEVEL = 3
_PART = 1 << 14
"""Bytes that tell what a thorough search finds in the rest."""
_MAX_WINDOW = 1 << 27
_DICTIONARY = 1 << 18
"""Bytes that LZMA2 looks back: those of a slice."""
_SLOWER = 1.1
"""LZMA2 unpacks ten to thirty times as slowly as zstd: it must save this much."""


class _Method(IntEnum):
    """How the content is kept; the numbers are those of the bitstream."""

    STORED = 0
    ZSTD = 1
    SHUFFLED = 2
    """zstd, after all first bytes of the elements, then all second ones, and so on."""
    LZMA = 4
    """LZMA2, for values that repeat in no order."""


def encode(
    data: bytes | bytearray | memoryview, itemsize: int, *, may_be_slow: bool = True
) -> bytes:
    """The shortest payload of some bytes, whose elements are `itemsize` bytes each.

    Args:
        data: The bytes.
        itemsize: Bytes of an element.
        may_be_slow: Whether it may take long to unpack where that saves much.
    """
    content = bytes(data)
    level = _LEVEL if len(content) > _FEW else _LEVEL_OF_FEW
    packer = zstandard.ZstdCompressor(level=level, write_content_size=False)
    payloads = {
        _Method.STORED: content,
        _Method.ZSTD: packer.compress(content),
        _Method.SHUFFLED: packer.compress(_shuffle(content, itemsize)),
    }
    method = min(payloads, key=lambda method: len(payloads[method]))
    if not may_be_slow:
        return bytes([method]) + payloads[method]
    packed = lzma.compress(content, format=lzma.FORMAT_RAW, filters=[_filter(itemsize)])
    if len(packed) * _SLOWER < len(payloads[method]):
        return bytes([_Method.LZMA]) + packed
    return bytes([method]) + payloads[method]


def _filter(itemsize: int) -> dict[str, int]:
    """LZMA2 that tells the bytes of an element apart; a decoder needs but the dictionary."""
    low = itemsize.bit_length() - 1
    literal = {"lc": 0 if low else 3, "lp": low, "pb": low}
    return {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": _DICTIONARY, **literal}


def estimate(data: bytes, itemsize: int) -> float:
    """About how long the payload would be: the less of two guesses.

    One is a quick look at all of it, which sees what repeats from afar; the other is a thorough
    one at the middle.
    """
    start = max(len(data) - _PART, 0) // 2 // itemsize * itemsize
    part = data[start : start + _PART]
    packer = zstandard.ZstdCompressor(level=_QUICK_LEVEL)
    quick = min(len(packer.compress(content)) for content in (data, _shuffle(data, itemsize)))
    return min(quick, len(encode(part, itemsize)) * len(data) / max(len(part), 1))


def decode(payload: bytes | memoryview, length: int, itemsize: int) -> bytes:
    """The bytes of a payload; never more memory than `length` and a bounded window.

    Raises:
        BitstreamError: It does not hold exactly `length` bytes.
    """
    if not len(payload):
        raise BitstreamError(ErrorCode.BAD_LENGTH, "raw: no bytes at all")
    method, content = payload[0], bytes(payload[1:])
    if method not in _Method.__members__.values():
        raise BitstreamError(ErrorCode.BAD_FIELD, f"raw: method {method} is unknown")
    if method == _Method.LZMA:
        content = _unpack(content, length)
    elif method != _Method.STORED:
        content = _decompress(content, length)
    if len(content) != length:
        raise BitstreamError(ErrorCode.BAD_LENGTH, f"raw: {len(content)} bytes, not {length}")
    return _unshuffle(content, itemsize) if method == _Method.SHUFFLED else content


def _unpack(content: bytes, length: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": _DICTIONARY}]
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=filters)
    try:
        # room for one byte more, so that too many are noticed
        data = unpacker.decompress(content, max_length=length + 1)
    except lzma.LZMAError as error:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"raw: LZMA2 says {error}") from None
    if not unpacker.eof or unpacker.unused_data:
        raise BitstreamError(ErrorCode.BAD_FIELD, "raw: LZMA2 does not end where the payload does")
    return data


def _decompress(frame: bytes, length: int) -> bytes:
    try:
        if (content := unpack_small(frame, length)) is not None:
            return content
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size not in (zstandard.CONTENTSIZE_UNKNOWN, length):
            raise BitstreamError(
                ErrorCode.BAD_LENGTH, f"raw: zstd frame of {parameters.content_size}, not {length}"
            )
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        # a frame that gives more than there is room for is an error of zstd's
        return unpacker.decompress(frame, max_output_size=max(length, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(ErrorCode.BAD_FIELD, f"raw: zstd says {error}") from None


def _shuffle(data: bytes, itemsize: int) -> bytes:
    whole = len(data) // itemsize * itemsize
    body = np.frombuffer(data, np.uint8, whole).reshape(-1, itemsize)
    return body.T.tobytes() + data[whole:]


def _unshuffle(data: bytes, itemsize: int) -> bytes:
    whole = len(data) // itemsize * itemsize
    body = np.frombuffer(data, np.uint8, whole).reshape(itemsize, -1)
    return body.T.tobytes() + data[whole:]
