"""A server that answers with whatever bytes a test wants, and notes what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What is done with a connection once a request has come; then it is closed."""


@dataclass
class BadServer:
    """Where it listens, and the requests that came."""

    url: str = ""
    requests: list[str] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """What the last request said in a header."""
        for line in self.requests[-1].split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


def answer(status: str, *headers: str, body: bytes = b"") -> Script:
    """Send a head and a body, as they are, and hang up."""

    async def script(writer: asyncio.StreamWriter) -> None:
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, ""))
        writer.write(head.encode("latin-1") + body)
        await writer.drain()

    return script


def sized(status: str, *headers: str, body: bytes = b"") -> Script:
    """As `answer`, with a Content-Length that is true."""
    return answer(status, f"Content-Length: {len(body)}", *headers, body=body)


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncIterator[BadServer]:
    """Answer each request with the next script, and from then on with the last."""
    server = BadServer()
    at_work: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.requests.append(head.decode())
            await scripts[min(len(server.requests), len(scripts)) - 1](writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            at_work.discard(task)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listener:
        server.url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        try:
            yield server
        finally:
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)
