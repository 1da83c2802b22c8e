"""Files of a repository, from where each comes first: a bundle, the network, or its parity.

Knows nothing of what they say: none of them is verified here.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from midstream import fec
from midstream.client.reading import read_all
from midstream.errors import ErrorCode, RecoveryError, TransportError
from midstream.limits import Limits
from midstream.transport import Transport
from midstream.trust import layout
from midstream.trust.bundle import BundleReader, decompress

__all__ = ["BundledFiles"]

_Read = Callable[[], Coroutine[Any, Any, None]]
_PARITY = ".repair"
_SLACK = 1024


class BundledFiles:
    """Files of one network.

    Args:
        transport: Moves the bytes.
        name: The network.
        limits: Bounds on what is read.
    """

    def __init__(self, transport: Transport, name: str, *, limits: Limits) -> None:
        self.parts: dict[str, bytes] = {}
        """What came with a bundle, by its path."""
        self._transport = transport
        self._name = name
        self._limits = limits
        self._unread: _Read | None = None

    def forget(self) -> None:
        """Let go of the bundle's bytes."""
        self.parts.clear()

    def begin(self, parts: dict[str, bytes]) -> None:
        """Have these files alone at hand; `get_listed` reads the news once it is asked for more."""
        self.parts = parts
        self.expect_news()

    def expect_news(self) -> None:
        """Read what changes with a release before the first file that `get_listed` is asked for."""
        self._unread = self.read_news

    async def read_bundle(self) -> None:
        """Take what is in the bundle for the files of those paths, unverified."""
        data = await self._get_if_there(layout.bundle_path(self._name), self._limits.bundle_size)
        self._use(data)

    async def read_news(self) -> None:
        """The same for what changes with a release."""
        data = await self._get_if_there(layout.news_path(self._name), self._limits.metadata_size)
        self.take_news(data)

    def take_news(self, news: bytes) -> None:
        """Take what is in a bundle of news that came, compressed."""
        self._use(decompress(news, limits=self._limits))

    def _use(self, bundle: bytes) -> None:
        self._unread = None
        self.parts = dict(BundleReader(limits=self._limits).feed(bundle))

    async def _get_if_there(self, path: str, limit: int) -> bytes:
        """A file, or nothing where there is none."""
        try:
            return await self.get(path, limit)
        except TransportError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return b""
            raise

    async def get(self, path: str, limit: int, via: Transport | None = None) -> bytes:
        """A file over the network."""
        return await read_all(via or self._transport, path, limit=limit, limits=self._limits)

    async def get_listed(self, path: str, limit: int) -> bytes:
        """A file; from the bundle, where more than the timestamp has changed."""
        if path != layout.TIMESTAMP_PATH and not layout.is_root(path):
            if self._unread is not None:
                await self._unread()
            if (data := self.parts.get(path)) is not None and len(data) <= limit:
                return data
        return await self.get(path, limit)

    async def get_corrected(self, path: str, limit: int, via: Transport | None = None) -> bytes:
        """A file with its parity applied; as it came where there is no parity that helps."""
        data = await self.get(path, limit, via)
        try:
            parity = await self.get(path + _PARITY, 2 * limit + _SLACK, via)
            return fec.correct(data, parity)
        except (TransportError, RecoveryError):
            return data
