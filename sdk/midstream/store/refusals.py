"""What was refused, put down for people. Knows nothing of who refuses.

One line of JSON each, the newest last, a thousand at most; what is refused again and again is
one line that counts. The file is replaced whole, so a crash leaves the old one or the new one.
Nothing depends on it: a line that is damaged is left out, and told of.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.store.files import store_error, write_file
from midstream.store.sharing import taken
from midstream.types import printable

__all__ = ["FILE", "MOST", "Record", "Refusal", "RefusalLog", "of_provider", "of_store"]

MOST = 1000
"""Lines that a file has."""
_MAX_SIZE = 1 << 20
_MAX_TEXT = 400
_MAX_NUMBER = 1 << 63
"""Below it are all numbers of a line: no sum of them is too long to be written."""
FILE = "refused.jsonl"
"""Its name in a client's store, and beside a provider's keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing that was refused; a text is cut off after 400 characters."""

    at: str
    """When, ISO 8601; the last time of several."""
    network: str
    """The network that it was for."""
    release: int = 0
    """The release that it was for, or led to; 0 where that is not known."""
    what: str = ""
    """What it was: an update, a contribution, metadata."""
    unit: str = ""
    """Id of the unit, where it was one; of updates in a row, of the last."""
    provider: str = ""
    """Whose it was, as far as it says; nothing where it is the publisher's."""
    error: str
    """The name of the error's code."""
    message: str
    """Why."""
    times: int = 1
    """How often."""

    @classmethod
    def of(cls, error: MidstreamError, network: str, now: datetime, **more: Any) -> "Refusal":
        """The refusal that an error tells of.

        Args:
            error: Why.
            network: The network that it was for.
            now: The time, with its zone.
            more: Other fields.
        """
        made = cls(
            at=now.astimezone(UTC).isoformat(timespec="seconds"),
            network=network,
            error=error.code.name,
            message=error.message,
            **more,
        )
        return made.bounded()

    def bounded(self) -> "Refusal":
        """The same, with texts that a terminal may be given, and numbers that can be written."""
        texts: dict[str, Any] = {n: _shown(v) for n, v in asdict(self).items() if type(v) is str}
        release = self.release if 0 <= self.release < _MAX_NUMBER else 0
        return replace(self, **texts, release=release)

    def is_again(self, other: "Refusal") -> bool:
        """Whether it is the same as another, at another time."""
        return replace(self, at="", times=0) == replace(other, at="", times=0)


_TYPES = {one.name: one.type for one in fields(Refusal)}


class Record(NamedTuple):
    """What was read."""

    refusals: tuple[Refusal, ...]
    """The newest last."""
    damaged: int
    """Lines that could not be read."""


class RefusalLog:
    """Refusals in a file, which several processes may share.

    Args:
        path: The file; made with the first refusal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file."""

    def read(self) -> Record:
        """What is there; of a file that is too large its end.

        Raises:
            StoreError: The file cannot be read.
        """
        found = [_parsed(line) for line in self._tail().splitlines()]
        kept = tuple(one for one in found if one is not None)
        return Record(kept, len(found) - len(kept))

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Put down what was refused.

        Raises:
            StoreError: It cannot be written, or another process does not let go of the file.
        """
        lock = self.path.with_suffix(".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with taken(lock):
                kept: Sequence[Refusal] = self.read().refusals
                for one in refusals:
                    kept = _with(kept, one)
                write_file(self.path, _written(kept))
        except OSError as error:
            raise store_error(lock, error) from error

    def _tail(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _MAX_SIZE))
                return file.read(_MAX_SIZE)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise store_error(self.path, error) from error


def of_provider(folder: Path) -> RefusalLog:
    """What `contribute` put down beside a provider's keys.

    Raises:
        UsageError: NOT_FOUND where there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: no folder of a provider's keys")
    return RefusalLog(folder / FILE)


def of_store(folder: Path) -> RefusalLog:
    """What clients put down in their store.

    Raises:
        UsageError: NOT_FOUND where there is no store.
    """
    if not (folder / "metadata").is_dir():
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: no client's store")
    return RefusalLog(folder / FILE)


def _with(kept: Sequence[Refusal], new: Refusal) -> list[Refusal]:
    times = sum(one.times for one in kept if one.is_again(new))
    others = [one for one in kept if not one.is_again(new)]
    return [*others, replace(new, times=times + new.times)][-MOST:]


def _written(kept: Sequence[Refusal]) -> bytes:
    """Lines, without the oldest where all of them are too long."""
    lines = [json.dumps(asdict(one)).encode() + b"\n" for one in kept]
    size = sum(map(len, lines))
    while size > _MAX_SIZE:
        size -= len(lines.pop(0))
    return b"".join(lines)


def _parsed(line: bytes) -> Refusal | None:
    """None where it is damaged."""
    try:
        found = json.loads(line)
        made = Refusal(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    is_typed = all(type(getattr(made, name)) is kind for name, kind in _TYPES.items())
    is_whole = is_typed and 0 <= made.release < _MAX_NUMBER and 0 < made.times < _MAX_NUMBER
    return made.bounded() if is_whole else None


def _shown(text: str) -> str:
    """What a terminal may be given."""
    return printable(text[:_MAX_TEXT])
