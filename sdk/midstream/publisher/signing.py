"""The signed files of a repository's folder: opened, and written with parity and bundles.

Knows nothing of models or of how units came to be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from midstream import fec
from midstream.errors import ErrorCode, UsageError
from midstream.publisher.folder import RepositoryFolder, is_repository, no_repository
from midstream.store.files import read_file
from midstream.trust import bundle, layout, manifest
from midstream.trust.keys import KeyRing
from midstream.trust.repository import Repository

__all__ = ["METADATA_REPAIR", "SignedFolder"]

METADATA_REPAIR = 0.5
"""Parity bytes per byte of a signed file or hash page."""
_BUNDLED_BASE = 4 << 20
"""A base of at most so many bytes is in the bundle."""


class SignedFolder:
    """What is signed in a repository's folder.

    Args:
        folder: The folder.
        keys: The secret keys at hand.
        clock: The time that metadata is dated with.
    """

    def __init__(
        self, folder: RepositoryFolder, keys: KeyRing, clock: Callable[[], datetime]
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._clock = clock

    def open(self) -> Repository:
        """The repository that is in the folder, a new one where there is none.

        Raises:
            TrustError: Its metadata is not that of these keys, or has run out.
            LimitError: A file is too large.
            StoreError: A file cannot be read.
        """
        files = self._folder.metadata()
        if files:
            return Repository.open(files, self._keys, self._clock())
        return Repository.create(self._keys, self._clock())

    def check(self, name: str) -> None:
        """Refuse before any work is done what a release of a network could not be signed in.

        Raises:
            UsageError: It is no folder.
            TrustError: The repository's metadata is not that of these keys.
            StoreError: The folder cannot be read, or another publisher is at work.
        """
        path = self._folder.path
        if path.exists() and not path.is_dir():
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: it is no folder")
        if is_repository(path):
            with self._folder.locked():
                self.open().check_keys(name)
        elif self._folder.metadata():
            self.open()  # metadata without a root is refused, and no lock is made beside it

    @contextmanager
    def existing(self) -> Iterator[Repository]:
        """The repository that is in the folder, with other publishers kept out.

        Raises:
            UsageError: There is none.
            TrustError: Its metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be read, or another publisher is at work.
        """
        self._folder.expect()
        with self._folder.locked():
            repository = self.open()
            if not repository.networks:
                raise no_repository(self._folder.path)
            yield repository

    def write(
        self, signed: Mapping[str, bytes], repository: Repository, names: Sequence[str]
    ) -> None:
        """Write signed files in their order, and what clients read at once of networks.

        News are there before the timestamp, which has an origin send them to who listens.

        Raises:
            StoreError: They cannot be written.
        """
        before, after = _split(signed)
        self._folder.write(_with_parity(before))
        read = {name: repository.bundle_files(name) for name in names}
        for name, files in read.items():
            news = bundle.compress(bundle.encode(_news(files, name)))
            self._folder.write({layout.news_path(name): news})
        self._folder.write(_with_parity(after))
        for name, files in read.items():
            self._folder.write(self._bundle(name, files))

    def _bundle(self, name: str, files: dict[str, bytes]) -> Mapping[str, bytes]:
        """What a client needs first, in one file (spec/delivery.md, "Requests")."""
        base = manifest.decode(list(files.values())[-1]).base
        if base.size <= _BUNDLED_BASE:
            files[base.path] = read_file(self._folder.path / base.path)
        return _with_parity({layout.bundle_path(name): bundle.encode(files)})


def _split(signed: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What is written before the timestamp, and it with what comes after."""
    paths = list(signed)
    at = paths.index(layout.TIMESTAMP_PATH) if layout.TIMESTAMP_PATH in signed else len(paths)
    return {path: signed[path] for path in paths[:at]}, {path: signed[path] for path in paths[at:]}


def _news(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """What a release changes: all but the roots and targets."""
    changed = ("timestamp.json", ".snapshot.json", f".{name}.json", ".manifest")
    return {path: data for path, data in files.items() if path.endswith(changed)}


def _with_parity(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Each file after its parity, so that whoever sees a file finds its parity too."""
    result: dict[str, bytes] = {}
    for path, data in files.items():
        result[f"{path}.repair"] = fec.protect(data, repair=METADATA_REPAIR)
        result[path] = data
    return result
