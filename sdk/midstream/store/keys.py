"""Key files: readable by their owner alone, whole or not there, never overwritten."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import nacl.utils

from midstream.errors import ErrorCode, MidstreamError, StoreError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.trust import keys

__all__ = ["Signer", "needs_passphrase"]


class Signer(keys.Signer):
    """A secret Ed25519 key that can be made, saved and loaded.

    Example::

        signer = Signer.generate()
        signer.save("release.key", passphrase="correct horse battery staple")
        signer = Signer.load("release.key", passphrase="correct horse battery staple")
    """

    @classmethod
    def generate(cls) -> Self:
        """A new key, from the operating system's randomness."""
        return cls(nacl.utils.random(32))

    @classmethod
    def load(
        cls, path: str | Path, *, passphrase: str | None = None, limits: Limits = LIMITS
    ) -> Self:
        """A key from its file.

        Args:
            path: The file.
            passphrase: What it was sealed with, if it was.
            limits: Bounds; `key_size` is the one used here.

        Raises:
            UsageError: There is no such file, or it is sealed and there is no passphrase.
            StoreError: It cannot be read.
            BitstreamError: It is not a key file, or damaged.
            LimitError: Unsealing it would cost too much.
            TrustError: The passphrase is wrong or the key is damaged.
        """
        path = Path(path)
        data = _read(path, limits)
        try:
            return cls.from_bytes(data, passphrase=passphrase, limits=limits)
        except MidstreamError as error:
            raise type(error)(error.code, f"{path}: {error.message}") from error

    def save(self, path: str | Path, *, passphrase: str | None = None) -> None:
        """Write a key file that only its owner may read (mode 0600).

        Args:
            path: The file; its folder is made where it is missing.
            passphrase: What seals it; None leaves the key readable for who reads the file.

        Raises:
            UsageError: There is a file already; a key is never overwritten.
            StoreError: It cannot be written.
        """
        path = Path(path)
        data = self.to_bytes(passphrase, random=nacl.utils.random)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            is_new = _write_new(path, data)
        except OSError as error:
            raise StoreError.of(error, f"{path}: cannot be written") from error
        if not is_new:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT, f"{path}: there is a file already, keys are not overwritten"
            )

    def replace(self, path: str | Path, *, passphrase: str | None) -> None:
        """Write this key anew over its own file; a crash leaves the old file or the new one.

        Args:
            path: The file; where it is a link, what it leads to is replaced.
            passphrase: What seals it; None leaves the key readable for who reads the file.

        Raises:
            StoreError: It cannot be written; the old file is there.
        """
        data = self.to_bytes(passphrase, random=nacl.utils.random)
        try:
            target = Path(path).resolve(strict=True)
            temporary = _write_beside(target, data)
            try:
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync(target.parent)
        except OSError as error:
            raise StoreError.of(error, f"{path}: cannot be written") from error


def needs_passphrase(path: str | Path) -> bool:
    """Whether a key file is sealed.

    Raises:
        UsageError: There is no such file.
        StoreError: It cannot be read.
    """
    return keys.is_sealed(_read(Path(path)))


def _read(path: Path, limits: Limits = LIMITS) -> bytes:
    """A key file's bytes, and at most one more than it may have."""
    try:
        with path.open("rb") as file:
            return file.read(limits.key_size + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(ErrorCode.BAD_KEY, f"{path}: no key file there") from error
    except OSError as error:
        raise StoreError.of(error, f"{path}: cannot be read") from error


def _write_new(path: Path, data: bytes) -> bool:
    """Write and sync a file, then link it to its name; say whether that was free."""
    temporary = _write_beside(path, data)
    try:
        path.hardlink_to(temporary)  # unlike a rename, it fails where there is a file
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            temporary.unlink()
    return True


def _write_beside(path: Path, data: bytes) -> Path:
    """Write and sync a file under another name in the same folder."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _sync(folder: Path) -> None:
    """Make the names in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
