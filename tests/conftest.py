"""Settings of all tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import settings

from published import Published, published
from staticservers import NGINX, SERVERS, StaticServer
from transfers import with_unit

# how long an example takes says more of the machine than of the code; where CI is set,
# hypothesis has a profile of its own, which repeats itself and has no deadline either
if not os.environ.get("CI"):
    settings.register_profile("local", deadline=None)
    settings.load_profile("local")


@pytest.fixture(params=SERVERS)
def static_server(request: pytest.FixtureRequest) -> StaticServer:
    """Every server that a published folder must be at home on, one after the other."""
    if request.param == "nginx" and NGINX is None:
        pytest.skip("nginx is not installed")
    return SERVERS[request.param]


@pytest.fixture(scope="session")
def made() -> Published:
    """A repository of one release, in memory."""
    return published(1)


@pytest.fixture
def repo(made: Published, tmp_path: Path) -> Path:
    """The same on a disk, for a test that may change it."""
    return made.write(tmp_path / "repo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file to fetch, in a folder to serve."""
    return with_unit(tmp_path)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """What an HTTP transport asks through."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session
