"""UDP sockets that send only or receive only. Knows nothing of what is in datagrams.

A sender never answers anybody and a receiver sends nothing, so neither reflects or amplifies.
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from midstream.errors import ErrorCode, TransportError, UnavailableError, UsageError

__all__ = ["SCHEME", "Address", "Outlet", "open_inlet", "open_outlet"]

SCHEME = "udp://"
_BUFFER = 4 << 20
"""Bytes that the system is asked to hold for a receiver that is busy for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where datagrams go: a group of receivers, or one."""

    host: str
    """An IP address; names are not looked up, since anybody could be behind one."""
    port: int
    """1 to 65535; a receiver may say 0 for any that is free."""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """From `udp://HOST:PORT`.

        Raises:
            UsageError: BAD_URL where it is none.
        """
        try:
            parts = urlsplit(text)
            host, port = ipaddress.ip_address(parts.hostname or ""), parts.port
            is_good = parts.scheme == "udp" and not parts.path and port is not None
        except ValueError:
            is_good = False
        if not is_good:
            raise UsageError(
                ErrorCode.BAD_URL, f"{text[:200]!r}: expected udp://ADDRESS:PORT, an IP address"
            )
        assert port is not None, "checked above"
        return cls(host=str(host), port=port)

    @property
    def is_group(self) -> bool:
        """Whether it is of many receivers."""
        return ipaddress.ip_address(self.host).is_multicast

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        is_six = ipaddress.ip_address(self.host).version == 6
        return socket.AF_INET6 if is_six else socket.AF_INET

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{host}:{self.port}"


class Outlet(asyncio.DatagramProtocol):
    """Sends to one address; what comes back is not looked at."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._may_send = asyncio.Event()
        self._may_send.set()
        self.errors = 0
        """Datagrams that the system refused, as where nobody listens on this machine."""

    def attach(self, transport: asyncio.DatagramTransport) -> None:
        """Send by this socket."""
        self._transport = transport

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - asyncio's signature
        """A lost datagram is one of many."""
        self.errors += 1

    def pause_writing(self) -> None:
        """The system has no room."""
        self._may_send.clear()

    def resume_writing(self) -> None:
        """It has room again."""
        self._may_send.set()

    async def send(self, data: bytes) -> None:
        """Send one datagram, once there is room for it."""
        await self._may_send.wait()
        assert self._transport is not None, "open before it is handed out"
        self._transport.sendto(data)


class _Inlet(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's
        self._take(data)


@asynccontextmanager
async def open_outlet(address: Address, *, hops: int = 1) -> AsyncIterator[Outlet]:
    """A socket that sends to one address.

    Args:
        address: Where to.
        hops: Routers that a datagram to a group may pass, plus one.

    Raises:
        TransportError: UNREACHABLE where the system cannot send there.
    """
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        _limit_hops(sock, address, hops)
        sock.connect((address.host, address.port))
    except OSError as error:
        sock.close()
        raise TransportError(ErrorCode.UNREACHABLE, f"{address}: {error.strerror}") from error
    loop = asyncio.get_running_loop()
    transport, outlet = await loop.create_datagram_endpoint(Outlet, sock=sock)
    outlet.attach(transport)
    try:
        yield outlet
    finally:
        transport.close()


@asynccontextmanager
async def open_inlet(address: Address, take: Callable[[bytes], None]) -> AsyncIterator[Address]:
    """A socket that receives what is sent to an address; gives the address, its port known.

    Args:
        address: One of this machine's, or a group to join.
        take: Called with each datagram, on the loop; it must not block.

    Raises:
        UnavailableError: UNREACHABLE where it cannot listen there.
    """
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if address.is_group:  # several receivers of one machine hear a group
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        if address.is_group:
            _join(sock, address)
    except OSError as error:
        sock.close()
        raise UnavailableError(
            ErrorCode.UNREACHABLE, f"cannot listen on {address}: {error.strerror}"
        ) from error
    port = sock.getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Inlet(take), sock=sock)
    try:
        yield Address(host=address.host, port=port)
    finally:
        transport.close()


def _limit_hops(sock: socket.socket, address: Address, hops: int) -> None:
    if address.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)


def _join(sock: socket.socket, address: Address) -> None:
    group = socket.inet_pton(address.family, address.host)
    if address.family == socket.AF_INET6:
        request = group + struct.pack("@I", 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        request = group + socket.inet_aton("0.0.0.0")  # noqa: S104 - the system's choice of link
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
