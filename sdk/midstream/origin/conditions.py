"""Which bytes a request means, by RFC 9110, sections 13 and 14. Knows nothing of files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Selection", "select"]

_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))[ \t]*", re.ASCII)
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is sent: a status, and bytes [start, stop) of the object."""

    status: int
    start: int
    stop: int


def select(method: str, headers: Mapping[str, str], *, size: int, etag: str) -> Selection:
    """The answer to a request for an object that is there.

    Args:
        method: GET or HEAD.
        headers: Of the request.
        size: Bytes of the object.
        etag: Its strong validator.
    """
    # RFC 9110 13.2.2: If-None-Match comes before Range and If-Range
    if _matches(headers.get("If-None-Match"), etag):
        return Selection(status=304, start=0, stop=0)
    whole = Selection(status=200, start=0, stop=size)
    asked = headers.get("Range")
    # 14.2: a range is for GET alone; 13.1.5: and for the version that If-Range names
    if method != "GET" or asked is None or headers.get("If-Range", etag) != etag:
        return whole
    match = _RANGE.fullmatch(asked)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        return whole  # 14.2: what makes no sense, and several ranges, may be ignored
    return _part(match, size)


def _part(match: re.Match[str], size: int) -> Selection:
    """The range that was asked for, or 416 where it begins behind the end."""
    if match[3]:
        start, stop = max(size - int(match[3]), 0), size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
    if start >= stop:
        return Selection(status=416, start=0, stop=0)
    return Selection(status=206, start=start, stop=stop)


def _matches(field: str | None, etag: str) -> bool:
    """Weak comparison with a list of tags, or `*` (RFC 9110 13.1.2)."""
    if field is None:
        return False
    return field.strip() == "*" or etag in _TAG.findall(field)
