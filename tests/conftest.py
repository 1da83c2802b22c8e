"""Settings of all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from published import Published, published
from staticservers import NGINX, SERVERS, StaticServer

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
