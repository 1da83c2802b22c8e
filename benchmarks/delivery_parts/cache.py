"""nginx with a warm cache before our origin, and our origin alone: bytes a second of each.

Connections are kept and ask again and again for the same unit, from threads of one process.
"""

import asyncio
import random
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from delivery_parts.news import running_origin
from reach.figures import Figure
from staticservers import NGINX, nginx_before

__all__ = ["cache_figures", "measure_cache"]

_SIZE = 1_000_000
_PATH = "units/1"
_CONNECTIONS = 4
_REQUESTS = 50
"""Of each connection in a turn."""
_BUFFER = 1 << 18


def measure_cache(turns: int, advance: Callable[[str], None]) -> dict[str, float]:
    """Bytes a second of each, medians of turns that alternate.

    Args:
        turns: How many.
        advance: Told of the one step.

    Raises:
        RuntimeError: There is no nginx on this machine.
    """
    advance("nginx's cache beside our origin")
    if NGINX is None:
        raise RuntimeError("nginx: not on this machine, `apt-get install nginx-light`")
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / _PATH
        file.parent.mkdir()
        file.write_bytes(random.Random(1).randbytes(_SIZE))
        with running_origin(Path(made)) as (_, url):
            return asyncio.run(_measure(url, turns))


def cache_figures(found: Mapping[str, float]) -> list[Figure]:
    """How many times as much nginx gives; it is good to know, and nothing is asked of it."""
    values = {"warm": found["cache"] / found["origin"]} if found else {}
    speeds = ", ".join(f"{name} {speed / 1e9:.2f} GB/s" for name, speed in found.items())
    return [
        Figure(
            name="nginx with a warm cache over our origin",
            unit="x",
            values=values,
            note=f"bytes/s of a unit of 1 MB, {_CONNECTIONS} connections: {speeds}",
        )
    ]


async def _measure(url: str, turns: int) -> dict[str, float]:
    async with nginx_before(url) as cache:
        await asyncio.to_thread(_speed, cache, 1)  # warms it up
        speeds = [
            (await asyncio.to_thread(_speed, url), await asyncio.to_thread(_speed, cache))
            for _ in range(turns)
        ]
    origin, cached = (statistics.median(all_) for all_ in zip(*speeds, strict=True))
    return {"origin": origin, "cache": cached}


def _speed(url: str, requests: int = _REQUESTS) -> float:
    """Bytes a second of all connections together."""
    address = urlsplit(url)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            with socket.create_connection((str(address.hostname), int(address.port or 80))) as end:
                for _ in range(requests):
                    _take(end)
        except (OSError, ValueError) as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(_CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return _CONNECTIONS * requests * _SIZE / (time.perf_counter() - began)


def _take(end: socket.socket) -> None:
    end.sendall(f"GET /{_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    buffer = bytearray(_BUFFER)
    head = b""
    while b"\r\n\r\n" not in head:
        if not (count := end.recv_into(buffer)):
            raise ConnectionError("the server has hung up")
        head += buffer[:count]
    if b" 200 " not in head[:20]:
        raise ValueError(f"answered {head[:40]!r}")
    left = _SIZE - (len(head) - head.index(b"\r\n\r\n") - 4)
    while left:
        if not (count := end.recv_into(buffer, min(left, _BUFFER))):
            raise ConnectionError("the server has hung up")
        left -= count
