"""A file to be fetched, and the error that a hostile answer ends in."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from badserver import Script, serving
from bodies import body
from midstream.errors import TransportError
from midstream.limits import LIMITS, Limits
from midstream.transport import open_transport

FILE = bytes(range(256)) * 400
SIZE = len(FILE)
QUICK = Limits(connect_timeout=0.15, read_timeout=0.15)


def with_unit(folder: Path) -> Path:
    """A folder to serve, with the file in it."""
    (folder / "units").mkdir()
    (folder / "units/ab").write_bytes(FILE)
    return folder


@contextmanager
def closed_port() -> Iterator[int]:
    """One that nobody listens at, and that nobody else is given meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


async def refusal(
    script: Script,
    *,
    start: int = 0,
    stop: int | None = None,
    limit: int = SIZE,
    limits: Limits = LIMITS,
) -> TransportError:
    """The error that an answer ends in."""
    async with serving(script) as server, open_transport(server.url, limits=limits) as transport:
        with pytest.raises(TransportError) as caught:
            async with transport.fetch("units/ab", start=start, stop=stop, limit=limit) as response:
                await body(response)
    assert "units/ab" in caught.value.message
    return caught.value
