"""Verified manifests over a transport that may lose and damage bytes.

Knows nothing of units. The trust itself is `transport.updater`; this decides where each
signed file comes from: the bundle, the network, or either corrected by its parity.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from midstream import fec
from midstream.errors import (
    BitstreamError,
    ErrorCode,
    LimitError,
    RecoveryError,
    TransportError,
    TrustError,
)
from midstream.limits import LIMITS, Limits
from midstream.client.reading import read_all
from midstream.transport import Transport
from midstream.transport.updater import TrustedClient
from midstream.trust import layout
from midstream.trust.bundle import BundleReader
from midstream.trust.manifest import Manifest

__all__ = ["MetadataSource"]

_PARITY = ".repair"
_SLACK = 1024


class MetadataSource:
    """Where one network's manifests come from.

    Args:
        transport: Moves the bytes.
        name: The network.
        root: The pinned root, given out of band.
        folder: Keeps trusted metadata between runs.
        limits: Bounds on what is read.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        *,
        root: bytes,
        folder: Path,
        limits: Limits = LIMITS,
    ) -> None:
        self._transport = transport
        self._name = name
        self._limits = limits
        self._folder = folder
        self._root = root
        self._parts: dict[str, bytes] = {}
        self._corrects = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def part(self, path: str) -> bytes | None:
        """A file that came with the bundle, not verified; None where it did not."""
        return self._parts.get(path)

    def forget_parts(self) -> None:
        """Let go of the bundle's bytes."""
        self._parts.clear()

    async def first(self) -> Manifest:
        """The newest manifest, in one round trip where the bundle allows it.

        Tried in turn: the bundle; the bundle corrected by its parity; each file by itself,
        corrected by its parity where that helps.

        Raises:
            TrustError: What was found is not signed as it must be.
            TransportError: The origin does not answer.
        """
        self._parts = _files(await self._bundle())
        try:
            return await self._refresh(is_local=True)
        except (BitstreamError, LimitError, TrustError, TransportError) as error:
            if isinstance(error, TransportError) and not self._parts:
                raise
        return await self._corrected()

    async def newest(self) -> Manifest:
        """The newest manifest by the full client workflow, newer roots included."""
        self._parts.clear()
        self._corrects = False
        try:
            return await self._refresh(is_local=False)
        except (BitstreamError, LimitError, TrustError):
            self._corrects = True
            return await self._refresh(is_local=False)

    async def _corrected(self) -> Manifest:
        path = layout.bundle_path(self._name)
        whole = await self._get_corrected(path, self._limits.bundle_size)
        self._parts = _files(whole)
        try:
            return await self._refresh(is_local=True)
        except (BitstreamError, LimitError, TrustError):
            return await self.newest()

    async def _bundle(self) -> bytes:
        """The bundle, or as much of it as came; nothing where there is none."""
        path = layout.bundle_path(self._name)
        try:
            return await read_all(
                self._transport, path, limit=self._limits.bundle_size, limits=self._limits
            )
        except TransportError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return b""
            raise

    async def _refresh(self, *, is_local: bool) -> Manifest:
        self._loop = asyncio.get_running_loop()
        client = TrustedClient(self._folder, self._root, self._fetcher(is_local))
        return await asyncio.to_thread(client.refresh, self._name, newer_root=not is_local)

    def _fetcher(self, is_local: bool) -> Callable[[str, int], bytes]:
        def fetch(path: str, max_length: int) -> bytes:
            """Runs in the updater's thread; the transport lives on the loop."""
            if is_local and (part := self._parts.get(path)) is not None:
                return part
            assert self._loop is not None, "set by whoever started the thread"
            coming = self._get_corrected if self._corrects else self._get
            future = asyncio.run_coroutine_threadsafe(coming(path, max_length), self._loop)
            return future.result()

        return fetch

    async def _get(self, path: str, limit: int) -> bytes:
        return await read_all(self._transport, path, limit=limit, limits=self._limits)

    async def _get_corrected(self, path: str, limit: int) -> bytes:
        """A file with its parity applied; as it came where there is no parity that helps."""
        data = await self._get(path, limit)
        try:
            parity = await self._get(path + _PARITY, 2 * limit + _SLACK)
            return fec.correct(data, parity)
        except (TransportError, RecoveryError):
            return data


def _files(bundle: bytes) -> dict[str, bytes]:
    """The files of a bundle that came whole; nothing of it is trusted."""
    return dict(BundleReader().feed(bundle))


