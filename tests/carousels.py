"""Carousels on loopback for tests: senders, bad links, liars, and a client that listens."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from midstream.client import Delivery
from midstream.limits import Limits
from midstream.origin.casting import Carousel
from midstream.session.datagrams import Datagram, ObjectKind
from midstream.transport.datagrams import Address, open_outlet
from published import NAME, Published

QUICK = Limits(attempts=2, read_timeout=0.5, carousel_silence=0.3)
Mangle = Callable[[Iterator[bytes]], Iterator[bytes]]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def sending(datagrams: Iterator[bytes], to: Address) -> AsyncIterator[None]:
    """Datagrams on their way, as fast as the receiver has turns."""

    async def send() -> None:
        async with open_outlet(to) as outlet:
            for datagram in datagrams:
                await outlet.send(datagram)
                await asyncio.sleep(0)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def lossy(seed: int, loss: float) -> Mangle:
    """What a bad link makes of datagrams: lost, damaged, twice, in another order."""

    def mangle(datagrams: Iterator[bytes]) -> Iterator[bytes]:
        rng = random.Random(seed)
        while sent := list(islice(datagrams, 8)):
            some = [one for one in sent if rng.random() >= loss]
            rng.shuffle(some)
            for one in some:
                if rng.random() < 0.1:
                    yield one
                    yield one[: rng.randrange(len(one))]
                damaged = bytearray(one)
                damaged[rng.randrange(len(one))] ^= rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40])
                yield bytes(damaged)

    return mangle


async def fetched(
    made: Published, datagrams: Iterator[bytes], url: str | None = None, **more: Any
) -> tuple[bytes, Delivery]:
    """The model, and what fetched it, where the datagrams go to the receiver's port."""
    port = free_port()
    to = Address(host="127.0.0.1", port=port)
    async with sending(datagrams, to):
        carousel = {"carousel": str(to)} if url else {}
        async with Delivery.open(url or str(to), NAME, root=made.root, **carousel, **more) as found:
            await found.complete()
            return bytes(await found.rebuild()), found


def small(repo: Path, **more: Any) -> Carousel:
    return Carousel(repo, NAME, datagram_size=300, **more)


def forged(datagrams: Iterator[bytes]) -> Iterator[bytes]:
    """Each third symbol of a unit is a lie, and its check is right."""
    for count, data in enumerate(datagrams):
        one = Datagram.decode(data)
        if one.key.kind is ObjectKind.UNIT and count % 3 == 0:
            lie = bytes(len(one.symbol))
            yield Datagram(key=one.key, row=one.row, column=one.column, symbol=lie).encode()
        yield data
