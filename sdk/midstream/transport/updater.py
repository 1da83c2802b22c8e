"""TUF's client workflow over any way to fetch a file. Synchronous: it is run in a worker thread.

It lives on this floor because the library it drives writes to disk and reads the clock. What
it does beyond the library is in spec/trust.md, [TRU-1] to [TRU-11].
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuf.api.metadata import DelegatedRole, Metadata, TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from midstream.errors import (
    DataError,
    ErrorCode,
    LimitError,
    MidstreamError,
    StoreError,
    TransportError,
    TrustError,
)
from midstream.limits import LIMITS, Limits
from midstream.transport.fetching import Fetch, Fetcher, translated
from midstream.trust import layout, manifest
from midstream.trust.manifest import Manifest

__all__ = ["TrustedClient", "over"]

_FINGERPRINT_SIZE = 32
_MOST_NAMES = 8
_CHECK_SIZE = 32
_REMEMBERED = 8
"""Manifests that stay parsed: the last two of a few networks."""


class TrustedClient:
    """Takes manifests from a repository that is known by its first root alone.

    One at a time may use a folder. Nothing that was not verified is returned or kept.

    Args:
        metadata_dir: Where trusted metadata is kept; a root of its own gets a folder of its own.
        root: The pinned root, `1.root.json`, which came out of band.
        fetch: How files are got.
        limits: Bounds; `metadata_size` and `manifest_size` are used here.
        is_lasting: Whether the folder outlives the process, so that it must survive a crash.
        units_here: How many units of a release are here; asked in this thread.
    """

    def __init__(
        self,
        metadata_dir: Path,
        root: bytes,
        fetch: Fetch,
        *,
        limits: Limits = LIMITS,
        is_lasting: bool = True,
        units_here: Callable[[Manifest], int] = lambda _: 0,
    ) -> None:
        self._root = root
        self._folder = Path(metadata_dir) / hashlib.sha256(root).hexdigest()[:32]
        self._fetch = fetch
        self._limits = limits
        self._is_lasting = is_lasting
        self._units_here = units_here
        self.next_root: str | None = None
        """Path of the root after the newest one, once a look has ended there."""
        self.requests: list[str] = []
        """Paths that were asked of `fetch`, in order."""

    def refresh(
        self, name: str, *, bundle: Mapping[str, bytes] | None = None, newer_root: bool = True
    ) -> Manifest:
        """The manifest of the newest release.

        Args:
            name: The network.
            bundle: Files that are at hand already, unverified; what is missing of them is
                fetched, and everything is where they turn out damaged or stale.
            newer_root: Whether to ask for a root newer than those at hand. Without it the
                first start saves a round trip; ask soon after.

        Raises:
            TrustError: A signature, hash, version or expiry is wrong, or there is no such
                network; nothing of it was taken over.
            BitstreamError: The manifest is malformed.
            LimitError: Something is too large.
            TransportError: A file could not be fetched.
            StoreError: The folder cannot be written.
        """
        if not layout.is_name(name):
            raise TrustError(ErrorCode.UNKNOWN_ROLE, f"{name[:80]!r} is no name of a network")
        if not self._root:
            # the library would take an empty root for none, and trust what is on disk instead
            raise TrustError(ErrorCode.BAD_METADATA, "the pinned root is empty")
        if bundle:
            try:
                return self._update(name, Fetcher(self.fetch, bundle, newer_root=newer_root))
            except (DataError, TransportError) as error:
                if not _is_of_bundle(error):
                    raise
        return self._update(name, Fetcher(self.fetch, {}, newer_root=newer_root or bool(bundle)))

    def trusted(self, name: str) -> Manifest | None:
        """The manifest that was verified last, without asking anybody; None before the first."""
        stored = self._read_trusted(name) if layout.is_name(name) else None
        return stored[1] if stored else None

    def before(self, name: str) -> Manifest | None:
        """The manifest that was trusted before that one, under the same keys; None without one.

        Of several, the last of which no fewer units had come than of those before it.
        """
        if not layout.is_name(name):
            return None
        last, before = self._read_trusted(name), self._read_record(self._before_path(name))
        return before[1] if last and before and last[0] == before[0] else None

    def fetch(self, path: str, max_length: int) -> bytes:
        """Ask for a file and note it down; what comes back is not verified."""
        self.requests.append(path)
        return self._fetch(path, max_length)

    def _update(self, name: str, fetcher: Fetcher) -> Manifest:
        with translated(name):
            updater = self._refreshed(fetcher)
            self.next_root = fetcher.next_root
            role = self._delegation(name)
            release, target = self._newest(updater, name)
            data = self._target(updater, target, f"{name}.manifest", self._limits.manifest_size)
            return self._accept(name, release, role, data)

    def _refreshed(self, fetcher: Fetcher) -> Updater:
        """The library, after [TRU-3] to [TRU-6]."""
        self._folder.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            str(self._folder),
            layout.METADATA,
            target_base_url=layout.TARGETS,
            fetcher=fetcher,
            config=self._config(),
            bootstrap=self._root,
        )
        updater.refresh()
        return updater

    def _config(self) -> UpdaterConfig:
        size = self._limits.metadata_size
        return UpdaterConfig(
            root_max_length=size, snapshot_max_length=size, targets_max_length=size
        )

    def _read_verified(self, role: str) -> Any:
        """What a role says, from where the library keeps it after it verified it."""
        return Metadata[Any].from_bytes((self._folder / f"{role}.json").read_bytes()).signed

    def _delegation(self, name: str) -> DelegatedRole:
        """[TRU-6] A network is a role that targets delegates to."""
        delegations = self._read_verified("targets").delegations
        role = (delegations.roles or {}).get(name) if delegations else None
        if role is None:
            raise TrustError(
                ErrorCode.UNKNOWN_ROLE,
                f"{name}: the repository has no such network; it has {_names(delegations)}",
            )
        assert isinstance(role, DelegatedRole), "the library parsed it"
        return role

    def _newest(self, updater: Updater, name: str) -> tuple[int, TargetFile]:
        """[TRU-7] The highest number that the network's role lists, under its own path alone."""
        # release 0 does not exist: looking for it makes the library load and verify the role
        updater.get_targetinfo(layout.target_path(name, 0))
        listed = [layout.release_of(path, name) for path in self._read_verified(name).targets]
        newest = max((release for release in listed if release is not None), default=0)
        target = updater.get_targetinfo(layout.target_path(name, newest)) if newest else None
        if target is None:
            raise TrustError(ErrorCode.NOT_FOUND, f"{name}: no release is signed for")
        return newest, target

    def _target(self, updater: Updater, target: TargetFile, file: str, limit: int) -> bytes:
        """[TRU-8] A target's bytes, of the length and hash that are signed for."""
        if target.length > limit:
            raise over(target, limit)
        path = str(self._folder / file)
        if updater.find_cached_target(target, path) is None:
            updater.download_target(target, path)
        data = Path(path).read_bytes()
        target.verify_length_and_hashes(data)  # what is used is what was checked
        return data

    def _accept(self, name: str, release: int, role: DelegatedRole, data: bytes) -> Manifest:
        """[TRU-9] to [TRU-11]: it is what its path says, and no older than what was trusted."""
        found = _decode(data, self._limits)
        if found.name != name or found.release != release:
            raise TrustError(
                ErrorCode.BAD_METADATA,
                f"{name}/{release}: holds the manifest of {found.name}/{found.release}",
            )
        fingerprint = _fingerprint(role)
        last = self._read_trusted(name)
        if last is not None and last[0] == fingerprint:
            _check_order(last[1], found)
        if last is not None and last != (fingerprint, found) and self._is_lasting:
            self._succeeded(name, last)
        if last is None or last != (fingerprint, found):
            self._record(self._trusted_path(name), fingerprint + data)
        return found

    def _succeeded(self, name: str, last: tuple[bytes, Manifest]) -> None:
        """Note down what another takes the place of; not where more came of the one before it.

        Runs may end one after the other before a unit has come.
        """
        before = self._read_record(self._before_path(name))
        is_less = before is not None and self._units_here(last[1]) < self._units_here(before[1])
        if before is None or before[0] != last[0] or not is_less:
            self._record(self._before_path(name), last[0] + manifest.encode(last[1]))

    def _record(self, path: Path, data: bytes) -> None:
        _write(path, data + hashlib.sha256(data).digest(), is_lasting=self._is_lasting)

    def _trusted_path(self, name: str) -> Path:
        return self._folder / f"{name}.trusted"

    def _before_path(self, name: str) -> Path:
        return self._folder / f"{name}.before"

    def _read_trusted(self, name: str) -> tuple[bytes, Manifest] | None:
        return self._read_record(self._trusted_path(name))

    def _read_record(self, path: Path) -> tuple[bytes, Manifest] | None:
        """Fingerprint of the keys and manifest of the last release, if it is there and whole.

        One that has rotted is none: what it does not say any more, the library's own files
        still do, and as another release it would refuse the true one for ever.
        """
        try:
            data = path.read_bytes()
            data, check = data[:-_CHECK_SIZE], data[-_CHECK_SIZE:]
            if hashlib.sha256(data).digest() != check:
                return None
            found = _decode(data[_FINGERPRINT_SIZE:], self._limits)
        except (FileNotFoundError, DataError):
            return None
        except OSError as error:
            raise StoreError.of(error, f"{self._folder}: cannot be read") from error
        return data[:_FINGERPRINT_SIZE], found


def over(target: TargetFile, limit: int) -> LimitError:
    """The error of a target that is too large."""
    return LimitError(
        ErrorCode.OVER_LIMIT, f"{target.path}: {target.length} bytes, at most {limit}"
    )


@lru_cache(maxsize=_REMEMBERED)
def _decode(data: bytes, limits: Limits) -> Manifest:
    """A manifest; each is met when it comes, and again where the next one is held against it."""
    return manifest.decode(data, limits=limits)


def _names(delegations: Any) -> str:
    """The networks of a repository, for people."""
    names = sorted(filter(layout.is_name, (delegations and delegations.roles) or {}))
    more = ", ..." if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more or "none"


def _is_of_bundle(error: MidstreamError) -> bool:
    """Whether fetching file by file may do better than the bundle did."""
    absent = {ErrorCode.NOT_FOUND, ErrorCode.BAD_STATUS, ErrorCode.LONG_BODY}
    return not isinstance(error, TransportError) or error.code in absent


def _check_order(last: Manifest, found: Manifest) -> None:
    """[TRU-10] and [TRU-11]: releases never go back, and never change."""
    if found.release < last.release:
        raise TrustError(
            ErrorCode.ROLLBACK,
            f"{found.name}: release {found.release} offered, {last.release} was trusted before",
        )
    if found.release == last.release and found != last:
        raise TrustError(
            ErrorCode.BAD_METADATA,
            f"{found.name}: release {found.release} is not what it was when first seen",
        )


def _fingerprint(role: DelegatedRole) -> bytes:
    """Of the keys that sign for a network: where they change, its numbers may start anew."""
    text = f"{role.threshold} {' '.join(sorted(role.keyids))}"
    return hashlib.sha256(text.encode()).digest()


def _write(path: Path, data: bytes, *, is_lasting: bool) -> None:
    """Replace a file so that a crash leaves the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if is_lasting:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
