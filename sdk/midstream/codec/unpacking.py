"""Small zstd frames, unpacked at once. Knows nothing of what is in them.

To make an unpacker takes longer than to unpack a few kilobytes, so those that have done their
work are kept for the next frame; two threads never have the same.
"""

import zstandard

__all__ = ["unpack_small"]

_MOST = 1 << 18
"""Bytes of a small frame's content and window: what a kept unpacker may hold on to."""
_KEPT = 2
_unpackers: list[zstandard.ZstdDecompressor] = []


def unpack_small(frame: bytes | memoryview, size: int) -> bytes | None:
    """The `size` bytes of a frame; None where it is not small, malformed or of another size."""
    claimed = zstandard.get_frame_parameters(frame)
    if size > _MOST or claimed.window_size > _MOST:
        return None
    # what a frame claims to hold is reserved, whatever the most that is asked for
    if claimed.content_size not in (zstandard.CONTENTSIZE_UNKNOWN, size):
        return None
    try:
        unpacker = _unpackers.pop()
    except IndexError:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST)
    try:
        content = unpacker.decompress(frame, max_output_size=max(size, 1), allow_extra_data=False)
    except zstandard.ZstdError:
        return None
    if len(_unpackers) < _KEPT:
        _unpackers.append(unpacker)
    return content if len(content) == size else None
