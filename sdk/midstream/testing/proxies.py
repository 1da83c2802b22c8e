"""Proxies that break what goes through them, over real sockets. Know nothing of what it is.

Example::

    async with serve("repo") as url:
        async with tcp_proxy(url, LinkFaults(seed=1, damage=0.01, reset=0.001)) as proxy:
            async with connect(proxy.url, "net", root=root) as model:
                ...
"""

import asyncio
import math
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from midstream.errors import ErrorCode, UsageError
from midstream.testing.faults import Fates, FaultCounts, LinkFaults
from midstream.transport.datagrams import Address, Outlet, open_inlet, open_outlet

__all__ = ["TcpProxy", "UdpProxy", "tcp_proxy", "udp_proxy"]

_CHUNK = 1 << 16
_QUIET = 0.01
"""Seconds after which a piece that is not whole goes on as it is: nothing follows for now."""
_FAREWELL = 1.0
"""Seconds for the end of a connection."""
_BACKLOG = 4096
"""Datagrams that wait for the system; those beyond are lost, as in any router."""
_NOTHING = LinkFaults()


class TcpProxy:
    """Carries connections to a server and back, with faults on the way.

    Args:
        url: The server's address, http://HOST:PORT.
        faults: Of what comes from the server.
        upward: Of what is sent to it.
    """

    def __init__(self, url: str, faults: LinkFaults, *, upward: LinkFaults = _NOTHING) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.port is None:
            raise UsageError(ErrorCode.BAD_URL, f"{url[:200]!r}: expected http://HOST:PORT")
        self._target = (parts.hostname, parts.port)
        self.faults = faults
        """Of what comes from the server; set the attribute to change what happens from now on."""
        self.upward = upward
        """Of what is sent to it, likewise."""
        self.url = ""
        """Where it listens, as a client needs it."""
        self.counts = FaultCounts()
        """What happened, both ways."""
        self.connections = 0
        """Connections that were made."""
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._has_ended = False

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one client's connection, from its beginning to its end."""
        if self._has_ended:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._carry(self.connections, reader, writer))
        self.connections += 1
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def end(self) -> None:
        """Close all connections."""
        self._has_ended = True
        for task, writer in self._open.items():
            task.cancel()
            writer.transport.abort()  # a task that has not begun yet closes nothing
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
        except OSError:  # there is no server: the client sees it so
            _reset(writer)
            return
        jobs = [
            self._way(f"{number} up", reader, to_server, lambda: self.upward),
            self._way(f"{number} down", from_server, writer, lambda: self.faults),
        ]
        ways = [asyncio.create_task(job) for job in jobs]
        try:
            # whoever ends its half has left: no client of HTTP listens on
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_server.close()  # before anything is awaited, which may be cancelled
            writer.close()
            await asyncio.gather(*ways, return_exceptions=True)
            await asyncio.gather(_closed(to_server), _closed(writer))

    async def _way(
        self,
        name: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        faults: Callable[[], LinkFaults],
    ) -> None:
        """One direction of a connection."""
        fates = Fates(faults().seed, name)
        with suppress(ConnectionError):  # one end is gone: then so is the other
            async for piece in _pieces(fates, reader, faults):
                fate = fates.next(faults())
                fate.note(self.counts)
                await asyncio.sleep(fate.delay)
                for data in fate.arrivals(_turned(piece) if fate.is_late else piece):
                    writer.write(data)
                    await writer.drain()
                if fate.stalls:
                    self.counts.stalls += 1
                    await asyncio.sleep(faults().stall_seconds)
                if fate.resets:
                    self.counts.resets += 1
                    _reset(writer)
                    return


class UdpProxy:
    """Carries datagrams to one receiver, with faults on the way; nothing goes back.

    Args:
        outlet: Sends to the receiver.
        faults: Of the way.
    """

    def __init__(self, outlet: Outlet, faults: LinkFaults) -> None:
        self._outlet = outlet
        self._fates = Fates(faults.seed, "datagrams")
        self._held: list[bytes] = []
        self._silent_since = -math.inf
        self._waiting: deque[bytes] = deque()
        self._has_some = asyncio.Event()
        self.faults = faults
        """Set the attribute to change what happens from now on."""
        self.address = ""
        """Where it listens, udp://HOST:PORT."""
        self.counts = FaultCounts()
        """What happened."""

    def receive(self, data: bytes) -> None:
        """Take one datagram."""
        fate = self._fates.next(self.faults)
        fate.note(self.counts)
        loop = asyncio.get_running_loop()
        if loop.time() - self._silent_since < self.faults.stall_seconds:
            self.counts.lost += not fate.is_lost
            return
        arrivals = fate.arrivals(data)
        if fate.is_late and not self._held:
            self._held = arrivals
            return
        arrivals, self._held = [*arrivals, *self._held], []
        if fate.stalls:
            self.counts.stalls += 1
            self._silent_since = loop.time()
        for one in arrivals:
            if fate.delay:
                loop.call_later(fate.delay, self._send, one)
            else:
                self._send(one)

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            await self._has_some.wait()
            while self._waiting:
                await self._outlet.send(self._waiting.popleft())
            self._has_some.clear()

    def _send(self, data: bytes) -> None:
        if len(self._waiting) < _BACKLOG:
            self._waiting.append(data)
            self._has_some.set()
        else:
            self.counts.lost += 1


@asynccontextmanager
async def tcp_proxy(
    url: str, faults: LinkFaults, *, upward: LinkFaults = _NOTHING
) -> AsyncIterator[TcpProxy]:
    """A proxy before a server, on a port of its own.

    Args:
        url: The server's address, http://HOST:PORT.
        faults: Of what comes from the server.
        upward: Of what is sent to it.

    Raises:
        UsageError: BAD_URL where the address makes no sense.
    """
    proxy = TcpProxy(url, faults, upward=upward)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    async with server:
        proxy.url = "http://{}:{}".format(*server.sockets[0].getsockname())
        try:
            yield proxy
        finally:
            server.close()
            await proxy.end()


@asynccontextmanager
async def udp_proxy(address: str, faults: LinkFaults) -> AsyncIterator[UdpProxy]:
    """A proxy before a receiver of datagrams, on a port of its own.

    Args:
        address: The receiver's, udp://HOST:PORT.
        faults: Of the way to it.

    Raises:
        UsageError: BAD_URL where the address makes no sense.
        TransportError: The system cannot send there.
    """
    async with open_outlet(Address.parse(address)) as outlet:
        proxy = UdpProxy(outlet, faults)
        local = Address(host="127.0.0.1", port=0)
        async with open_inlet(local, proxy.receive) as here:
            proxy.address = str(here)
            sending = asyncio.create_task(proxy.run())
            try:
                yield proxy
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


async def _pieces(
    fates: Fates, reader: asyncio.StreamReader, faults: Callable[[], LinkFaults]
) -> AsyncIterator[bytes]:
    """A stream, cut where its seed says, in whatever pieces it comes."""
    rest = bytearray()
    wanted = fates.size(faults())
    data: bytes | None = None
    while data != b"":
        data = await _read(reader, wait=_QUIET if rest else None)
        rest += data or b""
        while len(rest) >= wanted or (rest and not data):
            piece = bytes(rest[:wanted])
            del rest[:wanted]
            yield piece
            wanted = fates.size(faults())


async def _read(reader: asyncio.StreamReader, *, wait: float | None) -> bytes | None:
    """What came; nothing at the end, None where the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait):
            return await reader.read(_CHUNK)
    return None


def _turned(piece: bytes) -> bytes:
    """Its second half first."""
    half = len(piece) // 2
    return piece[half:] + piece[:half]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Hang up without a goodbye (TCP's RST)."""
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Wait for the end; who does not take what is left within a second does not get it."""
    try:
        async with asyncio.timeout(_FAREWELL):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError):
        writer.transport.abort()
