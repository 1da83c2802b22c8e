"""A store that delivery does not depend on: what cannot be kept is told. Knows no session."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from midstream.client.images import Image
from midstream.client.reading import Part
from midstream.client.threads import in_thread
from midstream.decoder import Exact
from midstream.errors import ErrorCode, StoreError
from midstream.limits import Limits
from midstream.session import Event
from midstream.store import Lock, MemoryPartial, MemoryStore, PartialUnit, Store
from midstream.store.refusals import RefusalLog
from midstream.store.scratch import scratch_folder
from midstream.trust import tree
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = ["Keeper", "StoreFailed", "is_unit"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_Partial = PartialUnit | MemoryPartial

_WITHOUT = {ErrorCode.STORE_FULL, ErrorCode.STORE_READ_ONLY, ErrorCode.STORE_BUSY}
"""Errors of a disk that a client goes on without; any other is the caller's to mend."""

METADATA_WAIT = 5.0
"""Seconds that a client waits for another one that looks for news, before it goes on alone."""
_IN_MAKING = re.compile(r"tmp[a-z0-9_]{8}|\.new-.*|root\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed(Event):
    """Something could not be kept; this run goes on, the next may fetch it again."""

    error: StoreError
    """Why."""


class Keeper:
    """Units on disk, or in memory alone where the disk does not take them; use `open`.

    Args:
        store: Where units are kept.
        metadata: Folder for trusted metadata.
        on_event: Told of what could not be kept.
        scratch: Temporary folders; closed with the keeper.
    """

    def __init__(
        self,
        store: Store | MemoryStore,
        metadata: Path,
        on_event: Callable[[Event], None],
        scratch: ExitStack,
    ) -> None:
        self.metadata = metadata
        """Folder for trusted metadata."""
        self._store = store
        self._on_event = on_event
        self._scratch = scratch
        self._partial: _Partial | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: str | Path | None, *, on_event: Callable[[Event], None]
    ) -> AsyncIterator["Keeper"]:
        """Open a store, or go on in memory where its disk is full or read-only.

        Args:
            folder: The store's folder; None for memory alone.
            on_event: Told of what could not be kept.

        Raises:
            StoreError: The store cannot be used, for another reason.
        """
        with ExitStack() as scratch:
            store: Store | MemoryStore = MemoryStore()
            metadata: Path | None = None
            if folder is not None:
                try:
                    store = scratch.enter_context(await asyncio.to_thread(Store, folder))
                    metadata = store.metadata_dir
                except StoreError as error:
                    if error.code not in _WITHOUT:
                        raise
                    on_event(StoreFailed(error=error))
            keeper = cls(
                store, metadata or scratch.enter_context(scratch_folder()), on_event, scratch
            )
            if folder is not None and metadata is None:
                await in_thread(keeper.copy_metadata, Path(folder) / "metadata")
            yield keeper

    @property
    def refusals(self) -> RefusalLog | None:
        """What clients refused; None where that is kept nowhere."""
        return self._store.refusals if isinstance(self._store, Store) else None

    @property
    def keeps_metadata(self) -> bool:
        """Whether trusted metadata is there for the next run."""
        return isinstance(self._store, Store) and self.metadata == self._store.metadata_dir

    async def move_metadata(self, error: StoreError) -> None:
        """Keep trusted metadata elsewhere for this run, since the disk does not take it.

        Raises:
            StoreError: There is no elsewhere.
        """
        if error.code not in _WITHOUT:
            raise error
        before = self.metadata
        self.metadata = self._scratch.enter_context(scratch_folder(away_from=before))
        await in_thread(self.copy_metadata, before)
        self._on_event(StoreFailed(error=error))

    def copy_metadata(self, folder: Path) -> None:
        """What was trusted before protects from rollback, so it is taken along."""
        try:
            if folder.is_dir():
                shutil.copytree(
                    folder, self.metadata, symlinks=True, dirs_exist_ok=True, ignore=_unsettled
                )
        except OSError as error:
            raise StoreError.of(error, f"{folder}: cannot be copied") from error

    @asynccontextmanager
    async def metadata_turn(self) -> AsyncIterator[None]:
        """No other process changes trusted metadata meanwhile.

        Raises:
            StoreError: STORE_BUSY where another one does not come to an end of it.
        """
        if not self.keeps_metadata:
            yield  # nobody else knows of it
            return
        assert isinstance(self._store, Store), "nothing else keeps it"
        lock = self._store.metadata_lock
        try:
            await _take(lock)
            yield
        finally:
            lock.free()

    async def keep(self, entries: Iterable[UnitEntry], images: Iterable[str] = ()) -> None:
        """Say which units are in use, and which exact models by their names."""
        names = frozenset([*(entry.id for entry in entries), *images])
        try:
            await self._on_disk(self._store.keep, names)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))

    async def unit(self, entry: UnitEntry) -> bytes | None:
        """A unit of an earlier run, checked; None where it is not here."""
        try:
            return await self._on_disk(self._store.unit, entry.id, partial(is_unit, entry))
        except StoreError as error:
            self._on_event(StoreFailed(error=error))
            return None

    async def has(self, names: Sequence[str]) -> bool:
        """Whether the store says that all of these are here; they may be damaged."""
        return await self._on_disk(lambda: all(map(self._store.has, names)))

    def units_here(self, manifest: Manifest) -> int:
        """How many units of a release the store says are here; all, where its model is."""
        if self._store.has(Image.name(manifest)):
            return len(manifest.units)
        return sum(self._store.has(entry.id) for entry in manifest.units)

    async def units(self, entries: Iterable[UnitEntry]) -> dict[str, bytes]:
        """Those of some units that are here, by id."""
        found = {entry.id: await self.unit(entry) for entry in entries}
        return {name: data for name, data in found.items() if data is not None}

    async def image(self, manifest: Manifest, limits: Limits) -> Exact | None:
        """The exact model of a release that an update gave an earlier run; None without one."""
        found: list[Exact] = []

        def verify(data: bytes) -> bool:
            exact = Image.read(data, manifest, limits)
            found.extend([exact] if exact is not None else [])
            return exact is not None

        try:
            await self._on_disk(self._store.unit, Image.name(manifest), verify)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))
        return found[-1] if found else None

    async def keep_image(self, manifest: Manifest, exact: Exact) -> None:
        """Keep the exact model of a release, which has no units to decode it from."""
        try:
            data = await in_thread(Image.write, exact)
            await self._on_disk(self._store.commit, Image.name(manifest), data)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))

    async def resume(self, entry: UnitEntry) -> list[tuple[int, bytes]]:
        """Begin to keep what arrives of a unit; gives what is kept of it already.

        That is all of it where another process has finished it meanwhile.
        """
        self._partial = None
        if (data := await self.unit(entry)) is not None:
            return [(0, data)]
        self._partial, received = await self._begin(entry.id, entry.size)
        return received

    async def part(self, name: str, size: int) -> Part:
        """What earlier runs left of a file that is no unit, and where to keep what comes of it.

        Args:
            name: What the store calls it, as if it were a unit.
            size: Its bytes.
        """
        partial, received = await self._begin(name, size)
        first = next((data for offset, data in received if not offset), b"")

        async def write(offset: int, data: bytes) -> None:
            nonlocal partial
            partial = await self._written(partial, offset, data)

        return Part(received=first, write=write)

    async def _begin(self, name: str, size: int) -> tuple[_Partial | None, list[tuple[int, bytes]]]:
        """What is on its way in, and what is kept of it; none where the disk does not take it."""
        try:
            partial = await self._on_disk(self._store.partial, name, size)
            return partial, await self._on_disk(partial.received)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))
            return None, []

    async def forget(self, names: Iterable[str]) -> None:
        """What is partial of files is not needed any more: they are whole, or are damaged."""
        for name in names:
            try:
                await self._on_disk(self._store.forget, name)
            except StoreError as error:
                self._on_event(StoreFailed(error=error))

    async def write(self, offset: int, data: bytes) -> None:
        """Keep bytes that arrived of the unit under way."""
        self._partial = await self._written(self._partial, offset, data)

    async def _written(self, partial: _Partial | None, offset: int, data: bytes) -> _Partial | None:
        """The same after a write; None where no more of it is kept."""
        if partial is None:
            return None
        try:
            await self._on_disk(partial.write, offset, data)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))
            return None
        return partial

    async def commit(self, entry: UnitEntry, data: bytes) -> None:
        """Keep a verified unit."""
        self._partial = None
        try:
            await self._on_disk(self._store.commit, entry.id, data)
        except StoreError as error:
            self._on_event(StoreFailed(error=error))

    async def drop(self) -> None:
        """Bytes that could not be repaired are not worth resuming from."""
        under_way, self._partial = self._partial, None
        if under_way is not None:
            await self._on_disk(under_way.discard)

    async def _on_disk(
        self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Do in a thread what may wait for a disk; in memory alone there is nothing to wait for."""
        if isinstance(self._store, Store):
            return await in_thread(function, *args, **kwargs)
        return function(*args, **kwargs)


async def _take(lock: Lock) -> None:
    """Wait for a lock of other processes."""
    due = time.monotonic() + METADATA_WAIT
    try:
        while not lock.take():
            if time.monotonic() > due:
                raise StoreError(
                    ErrorCode.STORE_BUSY,
                    f"{lock.path}: another process has held it for {METADATA_WAIT:g} s; "
                    "end that process, or name another folder",
                )
            await asyncio.sleep(0.01)
    except OSError as error:
        raise StoreError.of(error, str(lock.path)) from error


def _unsettled(folder: str, names: list[str]) -> set[str]:  # noqa: ARG001 - the shape of a filter
    """What another process may be making just now; the last is a link made anew at each start."""
    return {name for name in names if _IN_MAKING.fullmatch(name)}


def is_unit(entry: UnitEntry, data: bytes) -> bool:
    """Whether bytes are the unit that was signed for."""
    leaves = tree.leaves(data, entry.packet_size)
    return len(data) == entry.size and tree.root(leaves) == entry.source_root
