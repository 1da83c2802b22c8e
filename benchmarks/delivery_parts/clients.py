"""How many clients `midstream serve` has at once on one core, and the memory that each takes.

The server is a process of its own, bound to one core. All clients are connected before the first
asks, and each takes a unit whole and checks it to the byte.
"""

import asyncio
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from delivery_parts.news import running_origin
from reach.figures import Figure

__all__ = ["clients_figures", "measure_clients"]

_SIZE = 1_000_000
_PATH = "units/1"
_FILES = 200
"""That are open beside the connections."""
_IN_TIME = 300.0


def measure_clients(clients: int, advance: Callable[[str], None]) -> dict[str, Any]:
    """Clients that were served, seconds that it took, and bytes of the server's memory.

    Args:
        clients: How many.
        advance: Told of the one step.
    """
    advance(f"{clients:,} clients at once")
    _allow_files(clients + _FILES)
    data = random.Random(1).randbytes(_SIZE)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / _PATH
        file.parent.mkdir()
        file.write_bytes(data)
        with running_origin(Path(made)) as (origin, url):
            os.sched_setaffinity(origin.pid, {min(os.sched_getaffinity(0))})
            return asyncio.run(_serve(url, origin.pid, clients, data))


def clients_figures(found: Mapping[str, Any]) -> list[Figure]:
    """How many were served, and what each took."""
    note = (
        f"{found['clients']:,} clients of 1 MB, {found['exact']:,} whole and exact, in "
        f"{found['seconds']:.1f} s"
        if found
        else ""
    )
    return [
        Figure(
            name="clients of serve at once, one core",
            must=200,
            aim=1000,
            more_is_better=True,
            values={"whole and exact": found["exact"]} if found else {},
            note=note,
        ),
        Figure(
            name="memory of serve, each client",
            unit="kB",
            must=300,
            aim=100,
            values={"at the most": found["memory"] / found["clients"] / 1000} if found else {},
            note="the server's peak beyond what it had before the first connection",
        ),
    ]


async def _serve(url: str, pid: int, clients: int, data: bytes) -> dict[str, Any]:
    address = urlsplit(url)
    async with asyncio.timeout(_IN_TIME):
        before = await _resident(url, pid)
        ends = [
            await asyncio.open_connection(address.hostname, address.port) for _ in range(clients)
        ]
        began = time.monotonic()
        answers = await asyncio.gather(*(_take(*end) for end in ends))
        seconds = time.monotonic() - began
    return {
        "clients": clients,
        "exact": sum(answer == data for answer in answers),
        "seconds": seconds,
        "memory": _kilobytes(pid, "VmHWM") * 1024 - before,
    }


async def _resident(url: str, pid: int) -> int:
    """Bytes of the server after its first answer."""
    address = urlsplit(url)
    await _take(*await asyncio.open_connection(address.hostname, address.port))
    return _kilobytes(pid, "VmRSS") * 1024


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(f"GET /{_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(_SIZE) if b" 200 " in head else b""
    writer.close()
    return body


def _kilobytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"{field}: this system does not tell")


def _allow_files(count: int) -> None:
    """More open files, as far as the system lets us; the server inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise RuntimeError(f"{count} files at once: this system allows {most}")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), most))
