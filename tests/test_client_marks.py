"""What requests for units tell servers, and where nothing is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from midstream import Marks
from midstream.client import Delivery
from midstream.errors import ErrorCode, UsageError
from midstream.session import Link
from published import NAME, Published

Asked = list[tuple[str, Mapping[str, str]]]
MARKED = ("Priority", "CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status")


@asynccontextmanager
async def delivering(made: Published, **more: Any) -> AsyncIterator[tuple[Delivery, Asked]]:
    """A delivery from a server that notes what it is asked; it has no bundle."""
    asked: Asked = []

    async def give(request: web.Request) -> web.Response:
        path = request.path.removeprefix("/")
        asked.append((path, request.headers))
        if path not in made.files or path.startswith("bundles/"):
            raise web.HTTPNotFound
        return web.Response(body=made.files[path])

    app = web.Application()
    app.router.add_get("/{path:.*}", give)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with Delivery.open(url, NAME, root=made.root, **more) as delivery:
            yield delivery, asked


def said(asked: Asked, path: str) -> dict[str, str]:
    (headers,) = (headers for found, headers in asked if found == path)
    return {name: headers[name] for name in MARKED if name in headers}


async def test_the_first_base_is_urgent_and_what_betters_it_is_not(made: Published) -> None:
    """[DEL-28]"""
    base, finer, exact = made.manifest.units
    async with delivering(made, marks=Marks(session="s-1", content="c-1")) as (delivery, asked):
        await delivery.base()
        delivery.report(Link(buffer=12.34, throughput=1e6))
        delivery.aim(within=30.0)
        await delivery.complete()
    assert said(asked, base.path) == {
        "Priority": "u=2",
        "CMCD-Object": "ot=o",
        "CMCD-Request": "su",
        "CMCD-Session": 'cid="c-1",sid="s-1"',
    }
    better = said(asked, finer.path)
    assert better["Priority"] == "u=5, i"
    assert better["CMCD-Request"].startswith("bl=12300,dl=")
    assert "su" not in better["CMCD-Request"]
    assert said(asked, exact.path)["CMCD-Object"] == "ot=o"


async def test_no_ids_are_told_that_a_player_did_not_give(made: Published) -> None:
    """[DEL-28]"""
    async with delivering(made) as (delivery, asked):
        await delivery.base()
    assert "CMCD-Session" not in said(asked, made.manifest.base.path)


async def test_a_player_that_has_run_dry_is_said_to(made: Published) -> None:
    async with delivering(made) as (delivery, asked):
        delivery.report(Link(buffer=0.0))
        await delivery.base()
    head = said(asked, made.manifest.base.path)
    assert (head["CMCD-Status"], head["CMCD-Request"]) == ("bs", "bl=0,su")


async def test_metadata_says_nothing(made: Published) -> None:
    async with delivering(made) as (delivery, asked):
        await delivery.complete()
    for path, headers in asked:
        assert path.startswith("units/") or not set(MARKED) & set(headers)


async def test_nothing_is_said_where_nothing_is_to_be(made: Published) -> None:
    """[DEL-28]"""
    async with delivering(made, marks=None) as (delivery, asked):
        await delivery.complete()
    assert len(asked) > len(made.manifest.units)
    assert not any(set(MARKED) & set(headers) for _, headers in asked)


def test_an_id_that_cannot_be_said_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Marks(session="a\nb")
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
