"""An origin in an attacker's hands: files that change under a client, and answers by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Hostile:
    """What it serves; change it while it runs."""

    files: dict[str, bytes]
    answers: dict[str, Answer] = field(default_factory=dict)
    """Instead of a file."""
    asked: list[str] = field(default_factory=list)
    url: str = ""
    at_work: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.at_work[task] = writer
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1].lstrip("/")
            self.asked.append(path)
            await self.answers.get(path, self.file(path))(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            del self.at_work[task]

    def file(self, path: str) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            data = self.files.get(path)
            status = "404 Not Found" if data is None else "200 OK"
            writer.write(head_of(status, f"Content-Length: {len(data or b'')}") + (data or b""))

        return answer


def head_of(status: str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", *headers, "Connection: close", "", "")
    return "\r\n".join(lines).encode()


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body that ends when the client does."""
    writer.write(head_of("200 OK"))
    while not writer.is_closing():
        writer.write(bytes(1 << 14))
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, of a body that will never be whole."""
    writer.write(head_of("200 OK", "Content-Length: 100"))
    while not writer.is_closing():
        writer.write(b"{")
        await writer.drain()
        await asyncio.sleep(0.02)


async def unavailable(writer: asyncio.StreamWriter) -> None:
    writer.write(head_of("503 Service Unavailable", "Content-Length: 0"))


@asynccontextmanager
async def hostile(files: dict[str, bytes]) -> AsyncIterator[Hostile]:
    """Serve them on a port of its own."""
    server = Hostile(files)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    async with listener:
        server.url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        try:
            yield server
        finally:
            for writer in server.at_work.values():
                writer.transport.abort()
            await asyncio.gather(*server.at_work)
