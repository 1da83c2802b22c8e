"""Verified manifests over a transport that may lose and damage bytes.

Knows nothing of units. The trust itself is `transport.updater`; this decides where each
signed file comes from: the bundle, the network, or either corrected by its parity.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

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

_Get = Callable[[str, int], Coroutine[Any, Any, bytes]]
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

    def part(self, path: str) -> bytes | None:
        """A file that came with the bundle, not verified; None where it did not."""
        return self._parts.get(path)

    def forget_parts(self) -> None:
        """Let go of the bundle's bytes."""
        self._parts.clear()

    async def first(self) -> Manifest:
        """The newest manifest, in one round trip where the bundle is whole and fresh.

        What the bundle lacks is fetched file by file, and what does not verify is fetched
        once more with its parity.

        Raises:
            TrustError: What was found is not signed as it must be.
            TransportError: The origin does not answer.
        """
        self._parts = dict(BundleReader(limits=self._limits).feed(await self._bundle()))
        return await self._refresh(newer_root=False)

    async def newest(self) -> Manifest:
        """The newest manifest by the full client workflow, newer roots included.

        Raises:
            TrustError: What was found is not signed as it must be.
            TransportError: The origin does not answer.
        """
        self._parts.clear()
        return await self._refresh(newer_root=True)

    async def _refresh(self, *, newer_root: bool) -> Manifest:
        try:
            return await self._try(self._get, self._parts, newer_root=newer_root)
        except (BitstreamError, LimitError, TrustError) as error:
            try:
                return await self._try(self._get_corrected, {}, newer_root=True)
            except (BitstreamError, LimitError, TrustError):
                raise error from None  # the first one says what is wrong, not what was tried

    async def _try(self, get: _Get, bundle: Mapping[str, bytes], *, newer_root: bool) -> Manifest:
        loop = asyncio.get_running_loop()

        def fetch(path: str, max_length: int) -> bytes:
            """Runs in the updater's thread; the transport lives on the loop."""
            return asyncio.run_coroutine_threadsafe(get(path, max_length), loop).result()

        client = TrustedClient(self._folder, self._root, fetch, limits=self._limits)
        return await asyncio.to_thread(
            client.refresh, self._name, bundle=bundle, newer_root=newer_root
        )

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
