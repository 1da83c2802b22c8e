"""TUF's library fed by any way to fetch a file. Knows nothing of what is in the files.

What the library raises becomes an error of ours, on the way out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import IO

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    RepositoryError,
)
from tuf.ngclient import FetcherInterface

from midstream.errors import ErrorCode, MidstreamError, StoreError, TransportError
from midstream.trust import layout
from midstream.trust.keys import PublicKey
from midstream.trust.refusal import refusal

__all__ = ["Fetch", "Fetcher", "translated"]

Fetch = Callable[[str, int], bytes]
"""Gives the file at a path below the repository's address, of at most so many bytes.

Raises TransportError where it cannot: NOT_FOUND, or BAD_STATUS with a `status` attribute of
403 or 404, where there is no such file.
"""

_ABSENT = {403, 404}
_KEY_TYPE = PublicKey  # imported for its effect: it registers itself with the library


class Fetcher(FetcherInterface):
    """Serves the library from what is at hand first, then from wherever `fetch` looks.

    Args:
        fetch: How files are got.
        bundle: Files that are at hand, unverified.
        newer_root: Whether to ask for roots that are not at hand.
    """

    def __init__(
        self, fetch: Fetch, bundle: Mapping[str, bytes] | None = None, *, newer_root: bool = True
    ) -> None:
        self._get = fetch
        self._bundle = bundle or {}
        self._newer_root = newer_root
        self._max_length = 0
        self.next_root: str | None = None
        """Path of the last root that was not at hand."""

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """The same in memory: no file here is large, and the bound is known before the request."""
        self._max_length = max_length
        data = b"".join(self.fetch(url))
        if len(data) > max_length:
            raise DownloadLengthMismatchError(f"{url}: {len(data)} bytes, at most {max_length}")
        yield BytesIO(data)

    def _fetch(self, url: str) -> Iterator[bytes]:
        if (data := self._bundle.get(url)) is not None:
            return iter((data,))
        if layout.is_root(url):
            self.next_root = url
            if not self._newer_root:
                raise DownloadHTTPError(f"{url}: not asked for now", 404)
        try:
            return iter((self._get(url, self._max_length),))
        except TransportError as error:
            status = getattr(error, "status", None)
            if error.code is ErrorCode.NOT_FOUND or status in _ABSENT:
                raise DownloadHTTPError(str(error), 404) from error
            raise


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of the library and of the system as errors of ours; ours pass through it."""
    try:
        yield
    except RepositoryError as error:
        refused = refusal(error, what)
        if refused.code is ErrorCode.EXPIRED:
            refused.message += f" (the clock here says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC)"
        raise refused from error
    except DownloadError as error:
        raise _transport_error(error, what) from None
    except OSError as error:
        raise StoreError.of(error, f"{what}: trusted metadata cannot be kept") from error


def _transport_error(error: BaseException, what: str) -> MidstreamError:
    """The error that `fetch` raised, from under those that the library put around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MidstreamError):
            return cause
        cause = cause.__cause__
    return TransportError(ErrorCode.LONG_BODY, f"{what}: {error}")
