"""One carousel's datagrams to many receivers, each over a bad link of its own.

Knows nothing of what is in a datagram but which object it is of.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from midstream.session.datagrams import Datagram, ObjectKey
from midstream.transport.datagrams import Address, open_inlet

__all__ = ["Branch", "open_air"]


@dataclass(slots=True)
class Branch:
    """The link to one receiver."""

    address: Address
    """Where the receiver hears it."""
    loss: float
    """Part of its datagrams that is lost."""
    rng: random.Random
    """Which ones."""
    sent: Counter[ObjectKey] = field(default_factory=Counter)
    """Bytes of each object that were sent on it since it was tuned in, lost ones included."""
    is_tuned: bool = False
    """Whether the receiver has joined."""
    transport: asyncio.DatagramTransport | None = None
    """What sends."""

    def send(self, key: ObjectKey, data: bytes) -> None:
        """Send a datagram, or lose it."""
        if not self.is_tuned:
            return
        self.sent[key] += len(data)
        if self.rng.random() >= self.loss:
            assert self.transport is not None, "open while it is tuned in"
            self.transport.sendto(data)


@asynccontextmanager
async def open_air(branches: list[Branch]) -> AsyncIterator[Address]:
    """Carry what is sent to the address that is given to all who are tuned in."""

    def carry(data: bytes) -> None:
        key = Datagram.decode(data).key
        for branch in branches:
            branch.send(key, data)

    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for branch in branches:
            to = (branch.address.host, branch.address.port)
            branch.transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=to
            )
            stack.callback(branch.transport.close)
        yield await stack.enter_async_context(open_inlet(Address(host="127.0.0.1", port=0), carry))
