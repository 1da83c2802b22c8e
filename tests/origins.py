"""A raw server of files that does to its answers what a test wants."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG = b"\0hang"
"""Put behind what is sent: then the connection stays open, and silent."""
ENDLESS = b"\0endless"
"""Put behind what is sent: then zeros follow, for as long as the client takes them."""
DRIP = b"\0drip"
"""Put behind what is sent: then a letter follows now and then, 50 a second at most."""
_DRIP_PAUSE = 0.02


@dataclass
class Asked:
    """A request, and what an honest server would say."""

    path: str
    start: int
    stop: int
    data: bytes
    is_range: bool
    count: int
    """How often the object was asked for."""

    def honest(self) -> bytes:
        return self.say(self.data[self.start : self.stop])

    def say(
        self,
        body: bytes,
        *,
        length: int | None = None,
        extent: str | None = None,
        status: str | None = None,
    ) -> bytes:
        """A head and a body; what is announced follows from the request."""
        announced = self.stop - self.start if length is None else length
        lines = [
            f"HTTP/1.1 {status or ('206 Partial Content' if self.is_range else '200 OK')}",
            f"Content-Length: {announced}",
            "Connection: close",
        ]
        if self.is_range:
            text = extent or f"bytes {self.start}-{self.stop - 1}/{len(self.data)}"
            lines.append(f"Content-Range: {text}")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


Behaviour = Callable[[Asked], bytes]


@dataclass
class Origin:
    """A raw server of files that does to its answers what a test wants."""

    files: dict[str, bytes]
    behave: Behaviour
    asked: list[Asked] = field(default_factory=list)
    held: list[asyncio.StreamWriter] = field(default_factory=list)
    at_work: set[asyncio.Task[None]] = field(default_factory=set)
    sent: int = 0
    """Bytes of all answers."""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.at_work.add(task)
        is_held = False
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            is_held = await self.send(writer, self.answer(head))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self.at_work.discard(task)
            if is_held:
                self.held.append(writer)
            else:
                writer.close()

    async def send(self, writer: asyncio.StreamWriter, answer: bytes) -> bool:
        """Send an answer, and what its end asks for; says whether the connection is kept."""
        for mark, data, pause in ((ENDLESS, bytes(1 << 16), 0.0), (DRIP, b"y", _DRIP_PAUSE)):
            if answer.endswith(mark):
                await self.write(writer, answer.removesuffix(mark))
                while not writer.is_closing():
                    await asyncio.sleep(pause)
                    await self.write(writer, data)
                return False
        await self.write(writer, answer.removesuffix(HANG))
        return answer.endswith(HANG)

    async def write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.sent += len(data)

    def answer(self, head: str) -> bytes:
        path = head.split(" ", 2)[1].lstrip("/")
        data = self.files.get(path)
        if data is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        match = re.search(r"(?i)^range: bytes=(\d+)-(\d*)", head, re.MULTILINE)
        start = int(match[1]) if match else 0
        stop = min(int(match[2]) + 1, len(data)) if match and match[2] else len(data)
        count = 1 + sum(asked.path == path for asked in self.asked)
        asked = Asked(path, start, stop, data, match is not None, count)
        self.asked.append(asked)
        return self.behave(asked)


@asynccontextmanager
async def origin(files: dict[str, bytes], behave: Behaviour) -> AsyncIterator[tuple[str, Origin]]:
    served = Origin(files, behave)
    listener = await asyncio.start_server(served.connected, "127.0.0.1", 0)
    async with listener:
        try:
            yield "http://{}:{}".format(*listener.sockets[0].getsockname()), served
        finally:
            for task in served.at_work:
                task.cancel()
            await asyncio.gather(*served.at_work, return_exceptions=True)
            for writer in served.held:
                writer.close()
            await asyncio.sleep(0)  # transports close in the turn after


def for_units(behave: Behaviour) -> Behaviour:
    """Do it to units, be honest about all else."""
    return lambda asked: behave(asked) if asked.path.startswith("units/") else asked.honest()
