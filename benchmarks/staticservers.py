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
    map $uri $caching {{
        default "no-cache, no-transform";
        "~^/(units|targets)/" "public, max-age=31536000, immutable, no-transform";
        "~^/(metadata/)?[0-9]+\\.[^/]*\\.json(\\.repair)?$"
            "public, max-age=31536000, immutable, no-transform";
    }}
    server {{
        listen 127.0.0.1:{port};
        root "{folder}";
        location ~ /\\. {{ return 404; }}
        add_header Cache-Control $caching;
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[str]:
    """Nginx as a publisher would set it up: gzip on, single ranges, caching by path."""
    assert NGINX is not None, "the caller looked"
    with tempfile.TemporaryDirectory() as prefix:
        with socket.create_server(("127.0.0.1", 0)) as port:
            number = port.getsockname()[1]
            configuration = _configure(Path(prefix), number, folder)
            process = await asyncio.create_subprocess_exec(
                *(NGINX, "-p", prefix, "-c", configuration, "-e", "error.log"),
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


def _configure(prefix: Path, port: int, folder: Path) -> str:
    text = _CONFIGURATION.format(user=getpass.getuser(), port=port, folder=folder)
    path = prefix / "nginx.conf"
    path.write_text(text)
    return str(path)


def _complaints(prefix: Path) -> str:
    return (prefix / "error.log").read_text()


SERVERS: dict[str, StaticServer] = {"midstream": serve, "nginx": nginx}
"""Each is an origin."""
