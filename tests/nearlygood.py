"""Bytes that are nearly right, for tests that any bytes are read or refused.

Bytes by chance alone are refused by their first fields, and what is read of good ones is never
looked at.
"""

from hypothesis import strategies as st


def nearly(good: bytes) -> st.SearchStrategy[bytes]:
    """The very bytes, or some that differ in a few places, end early or go on."""
    places = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))
    return st.builds(
        _changed,
        st.just(good),
        st.lists(places, max_size=3),
        st.just(len(good)) | st.integers(0, len(good)),
        st.just(b"") | st.binary(max_size=8),
    )


def _changed(good: bytes, places: list[tuple[int, int]], kept: int, more: bytes) -> bytes:
    changed = bytearray(good)
    for place, byte in places:
        changed[place] = byte
    return bytes(changed[:kept]) + more
