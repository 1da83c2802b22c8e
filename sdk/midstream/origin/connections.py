"""Connections of a port: how many, and how long each may keep it waiting. Knows nothing of files.

aiohttp has limits on lines and headers; these are on time, on heads as a whole, and on numbers.
At each moment a connection has a deadline, or a request of its own is being answered.
"""

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler

from midstream.origin.bounds import ServerLimits
from midstream.origin.metrics import Metrics

__all__ = ["Connections"]

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
_END = b"Cache-Control: no-cache, no-transform\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BLANK = b"\r\n\r\n"
"""What ends a head."""


class Connections:
    """Those of one port.

    Args:
        limits: What they may do.
        metrics: Where they are counted.
    """

    def __init__(self, limits: ServerLimits, metrics: Metrics) -> None:
        self.limits = limits
        """What they may do."""
        self.metrics = metrics
        """Where they are counted."""
        self.open: dict[asyncio.BaseTransport | None, _Guard] = {}
        """Those that were let in."""

    def guard(self, inner: asyncio.Protocol) -> asyncio.Protocol:
        """A protocol that keeps the limits, around one that speaks HTTP."""
        return _Guard(self, inner)

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware: while a request is answered its client need not send anything."""
        guard = self.open.get(request.transport)
        if guard is None:  # it has gone already
            return await handler(request)
        guard.request_began()
        try:
            return await handler(request)
        finally:
            guard.request_ended()

    def abort(self) -> None:
        """End all that are left, read or not."""
        for transport in list(self.open):
            cast(asyncio.Transport, transport).abort()


class _Guard(asyncio.Protocol):
    __slots__ = ("_connections", "_head", "_inner", "_is_paused", "_left", "_timer", "_transport")

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._timer: asyncio.TimerHandle | None = None
        self._head: int | None = 0
        """Bytes of the head that is awaited; None while a request is answered."""
        self._is_paused = False
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        connections = self._connections
        connections.metrics.accepted += 1
        if len(connections.open) >= connections.limits.connections:
            self._refuse(_BUSY, "connections")
            return
        connections.open[transport] = self
        connections.metrics.connections += 1
        self._wait("head", connections.limits.head_timeout)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._head is not None:
            limits = self._connections.limits
            if self._head == 0:
                self._wait("head", limits.head_timeout)
            self._head += len(data)
            if self._head > limits.head_size and _BLANK not in data[: limits.head_size]:
                self._refuse(_LONG, "head_size")
                return
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._is_paused = True
        self._wait_for_reader()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._head is None:
            self._stop_waiting()
        elif self._head == 0:
            self._wait("idle", self._connections.limits.idle_timeout)
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._connections.open.pop(self._transport, None):
            self._connections.metrics.connections -= 1
            self._inner.connection_lost(exc)

    def request_began(self) -> None:
        self._head = None
        # requests sent one behind the other, and no answer read, are no way around it
        if self._is_paused:
            self._wait_for_reader()
        else:
            self._stop_waiting()

    def request_ended(self) -> None:
        self._head = 0
        if not self._transport.is_closing():
            self._wait("idle", self._connections.limits.idle_timeout)

    def _wait(self, limit: str, seconds: float) -> None:
        self._stop_waiting()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._give_up, limit)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for_reader(self) -> None:
        self._stop_waiting()
        self._left = self._transport.get_write_buffer_size()
        seconds = self._connections.limits.stall_timeout
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look_at_reader)

    def _look_at_reader(self) -> None:
        """Nothing was written since, so what has left the buffer was taken."""
        limits = self._connections.limits
        taken = self._left - self._transport.get_write_buffer_size()
        if taken < limits.least_throughput * limits.stall_timeout:
            self._give_up("stall")
        else:
            self._wait_for_reader()

    def _give_up(self, limit: str) -> None:
        self._connections.metrics.closed[limit] += 1
        self._transport.abort()  # to close it would wait for what is not read

    def _refuse(self, status: bytes, limit: str) -> None:
        self._connections.metrics.closed[limit] += 1
        self._transport.write(status + _END)
        self._transport.close()
