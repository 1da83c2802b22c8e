"""A folder whose disk fails at the n-th change to it. Knows nothing of what is kept there.

Every call that changes something below the folder is a step. The steps before the n-th are
done as ever; from the n-th on the disk fails in one way. A run without a fault counts them.
"""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["Fault", "Faults", "Killed"]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OF_HANDLES = ("write", "pwrite", "fsync", "ftruncate", "fchmod", "posix_fallocate")
_OF_PATHS = ("mkdir", "unlink", "remove", "replace", "symlink", "truncate", "utime", "chmod")
_GROWING = {"open", "write", "pwrite", "mkdir", "symlink", "fsync", "posix_fallocate"}


class Killed(BaseException):
    """The process ended here: no handler of an error may take it for one."""


class Fault(Enum):
    """What the disk does at the n-th step."""

    KILL = auto()
    """The process ends before it."""
    TEAR = auto()
    """The process ends in it: half of a write is there; what was not synced is cut in half."""
    SIGKILL = auto()
    """The process is ended by the system, for tests that run in one of their own."""
    FULL = auto()
    """The disk is full: half of that write fits, nothing more grows."""
    READ_ONLY = auto()
    """The disk is read-only from then on."""
    DENIED = auto()
    """Names can no longer be made or changed; what is open stays open."""
    BAD_SECTOR = auto()
    """That step alone fails."""


class Faults:
    """Counts the steps below a folder, and fails at one of them.

    Args:
        folder: The folder.
        step: The step at which the disk fails, from 0; None for never.
        fault: How.
    """

    def __init__(self, folder: Path, step: int | None = None, fault: Fault = Fault.KILL) -> None:
        self.folder = str(folder)
        self.step = step
        self.fault = fault
        self.names: list[str] = []
        """What was done at each step."""
        self._synced: set[int] = set()

    @contextmanager
    def installed(self) -> Iterator["Faults"]:
        """Have every change of this process go through it."""
        with mock.patch.multiple(
            os,
            open=self._opening(os.open),
            **{name: self._of_handle(name, getattr(os, name)) for name in _OF_HANDLES},
            **{name: self._of_path(name, getattr(os, name)) for name in _OF_PATHS},
        ):
            opened = self._opening_file(io.open)
            with mock.patch.object(io, "open", opened), mock.patch.object(builtins, "open", opened):
                yield self

    @property
    def happened(self) -> bool:
        """Whether the run came as far as the step."""
        return self.step is not None and len(self.names) > self.step

    def _is_here(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fsdecode(path).startswith(self.folder)

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def run(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if not flags & _WRITING or not self._is_here(path):
                return real(path, flags, *rest, **named)
            half = lambda: os.close(real(path, flags, *rest, **named))  # noqa: E731
            return self._do("open", lambda: real(path, flags, *rest, **named), half)

        return run

    def _opening_file(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            is_ours = set(mode) & set("wax+") and "opener" not in named and self._is_here(path)
            if not is_ours:
                return real(path, mode, *rest, **named)
            half = lambda: real(path, mode, *rest, **named).close()  # noqa: E731
            return self._do("open", lambda: real(path, mode, *rest, **named), half)

        return run

    def _of_handle(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(handle: int, *rest: Any) -> Any:
            if not os.path.realpath(f"/proc/self/fd/{handle}").startswith(self.folder):
                return real(handle, *rest)
            inode = os.fstat(handle).st_ino
            if name == "fsync":  # which takes its time, and no power fails here
                return self._do(name, lambda: self._synced.add(inode))
            if name in ("write", "pwrite"):
                self._synced.discard(inode)
                half = lambda: real(handle, rest[0][: len(rest[0]) // 2], *rest[1:])  # noqa: E731
                return self._do(name, lambda: real(handle, *rest), half)
            return self._do(name, lambda: real(handle, *rest))

        return run

    def _of_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(path: Any, *rest: Any, **named: Any) -> Any:
            if not self._is_here(rest[0] if name in ("replace", "symlink") else path):
                return real(path, *rest, **named)

            def half() -> None:
                if name == "replace" and Path(path).stat().st_ino not in self._synced:
                    # a power failure keeps the new name and loses what it is the name of
                    with io.FileIO(path, "r+") as file:
                        file.truncate(Path(path).stat().st_size // 2)
                real(path, *rest, **named)

            return self._do(name, lambda: real(path, *rest, **named), half)

        return run

    def _do(
        self, name: str, whole: Callable[[], Any], half: Callable[[], Any] | None = None
    ) -> Any:
        """One step: `half` is what is left of it where it is torn."""
        number = len(self.names)
        self.names.append(name)
        if self.step is None or number < self.step:
            return whole()
        is_first = number == self.step
        match self.fault:
            case Fault.SIGKILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.TEAR if is_first:
                (half or whole)()
                raise Killed
            case Fault.KILL | Fault.TEAR:
                raise Killed
            case Fault.FULL if name in _GROWING:
                if is_first and half is not None and name != "open":
                    return half()
                raise _error(errno.ENOSPC)
            case Fault.READ_ONLY if name != "fsync":
                raise _error(errno.EROFS)
            case Fault.DENIED if name == "open" or name in _OF_PATHS:
                raise _error(errno.EACCES)
            case Fault.BAD_SECTOR if is_first:
                raise _error(errno.EIO)
        return whole()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
