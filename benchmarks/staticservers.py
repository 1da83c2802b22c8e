"""Servers of plain static files: what a published folder needs, and no more.

nginx inherits a socket that listens already: no port is guessed, and no start is waited for.
"""

import asyncio
import getpass
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

from midstream.origin import serve

StaticServer = Callable[[Path], AbstractAsyncContextManager[str]]
"""Serves a folder; gives the URL."""

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIGURATION = """
daemon off;
user {user};
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/octet-stream;
    types {{ application/json json; }}
    sendfile on;
    keepalive_timeout 75s;
    gzip on;
    gzip_min_length 1;
    gzip_types *;
    max_ranges 1;
    {more}
    server {{
        listen 127.0.0.1:{port};
        location ~ /\\. {{ return 404; }}
        {location}
    }}
}}
"""
_CACHING = """
    map $uri $caching {
        default "no-cache, no-transform";
        "~^/(units|targets)/" "public, max-age=31536000, immutable, no-transform";
        "~^/(metadata/)?[0-9]+\\.[^/]*\\.json(\\.repair)?$"
            "public, max-age=31536000, immutable, no-transform";
    }
"""
_CACHE = "proxy_cache_path cache keys_zone=units:1m;"


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[str]:
    """Nginx as a publisher would set it up: gzip on, single ranges, caching by path."""
    location = f'root "{folder}"; add_header Cache-Control $caching;'
    async with _running(_CACHING, location) as url:
        yield url


@asynccontextmanager
async def nginx_before(origin: str) -> AsyncIterator[str]:
    """Nginx as a cache before an origin."""
    location = f"location / {{ proxy_pass {origin}; proxy_cache units; }}"
    async with _running(_CACHE, location) as url:
        yield url


@asynccontextmanager
async def _running(more: str, location: str) -> AsyncIterator[str]:
    assert NGINX is not None, "the caller looked"
    with tempfile.TemporaryDirectory() as prefix:
        with socket.create_server(("127.0.0.1", 0)) as port:
            number = port.getsockname()[1]
            configuration = Path(prefix) / "nginx.conf"
            configuration.write_text(
                _CONFIGURATION.format(
                    user=getpass.getuser(), port=number, more=more, location=location
                )
            )
            process = await asyncio.create_subprocess_exec(
                *(NGINX, "-p", prefix, "-c", str(configuration), "-e", "error.log"),
                env={**os.environ, "NGINX": f"{port.fileno()};"},
                pass_fds=[port.fileno()],
                stderr=asyncio.subprocess.DEVNULL,  # error.log has it
            )
        try:
            yield f"http://127.0.0.1:{number}"
        finally:
            with suppress(ProcessLookupError):  # it has failed; its log says why
                process.terminate()
            await process.wait()
            assert process.returncode == 0, _complaints(Path(prefix))


def _complaints(prefix: Path) -> str:
    return (prefix / "error.log").read_text()


SERVERS: dict[str, StaticServer] = {"midstream": serve, "nginx": nginx}
"""Each is an origin."""
