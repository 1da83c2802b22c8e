"""Adapters are model bytes: they wait for the player, and count in its budget."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapting import ADAPTED, connected, of, policy, running
from midstream import Model, Policy
from midstream.client import AdapterChosen, AdaptersMerged, SharedLink
from midstream.origin import serve
from midstream.session import Allowance, Choice, Link, Wait
from midstream.session.scheduler import choose_adapter
from providing import Place
from waiting import IN_TIME, until

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "repo")
    made.adapters.offer("net", [made.parcel("east"), made.parcel("north")])
    made.adapters.sign_policy("net", "city", policy("east", "north"))
    return made


def parcels(live: Model) -> list[Any]:
    """Requests for adapters."""
    return [record for record in live.trace if record.path.endswith(".parcel")]


def came(live: Model) -> int:
    """Bytes of adapters."""
    return sum(record.received for record in parcels(live))


async def waiting(work: "asyncio.Task[Any]") -> bool:
    """Whether something goes on waiting, though it has had the time."""
    await asyncio.sleep(0.2)
    return not work.done()


async def test_adapters_wait_while_the_buffer_is_low(place: Place) -> None:
    """[CON-18]"""
    async with connected(place) as (live, events):
        await live.delivery.complete()
        await live.stage()
        live.report(buffer=3.0)
        adapting = asyncio.create_task(live.adapt())
        assert await waiting(adapting)
        assert not parcels(live)
        live.report(buffer=20.0)
        assert await adapting
        live.swap()
        assert running(live)[:2] == (1, ADAPTED)
        reasons = [event.choice.reason for event in of(events, AdapterChosen)]
        sizes = [record.received for record in parcels(live)]
        assert reasons == [
            f"adapter of {name}: {size} bytes, buffer 20.0 s"
            for name, size in zip(("east", "north"), sizes, strict=True)
        ]


async def test_adapters_come_in_parts_of_the_budget(place: Place) -> None:
    """[CON-18]"""
    async with connected(place) as (live, events):
        await live.delivery.complete()
        live.report(buffer=20.0, budget=400)
        adapting = asyncio.create_task(live.adapt())
        spent = 0
        while True:
            await until(lambda before=spent: adapting.done() or came(live) > before)
            if not await waiting(adapting):
                break
            received = came(live)
            assert 0 < received - spent <= 400
            spent = received
            live.report(buffer=20.0, budget=400)
        assert await adapting
        size = of(events, AdapterChosen)[0].choice.size
        assert came(live) == sum(
            {event.provider: event.choice.size for event in of(events, AdapterChosen)}.values()
        )
        first = of(events, AdapterChosen)[0].choice.reason
        assert first == f"adapter of east: {size} bytes, buffer 20.0 s; 400 of {size} bytes now"


async def test_what_units_took_of_the_budget_adapters_lack(place: Place) -> None:
    link = SharedLink()
    async with connected(place, link=link) as (live, _):
        await live.delivery.complete()
        live.report(buffer=20.0, budget=1000)
        link.allowance.spend(1000)
        adapting = asyncio.create_task(live.adapt())
        assert await waiting(adapting)
        assert not parcels(live)
        live.report(buffer=20.0)
        assert await adapting
        assert link.allowance.spent == came(live)


async def test_nobody_waits_for_metadata_while_adapters_wait(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of trusted metadata is free, for this client and others of its store."""
    monkeypatch.setattr("midstream.client.keeping.METADATA_WAIT", 2 * IN_TIME)
    store = tmp_path / "store"
    async with connected(place, store=store) as (live, events):
        await live.delivery.complete()
        live.report(buffer=0.0)
        adapting = asyncio.create_task(live.adapt())
        assert await waiting(adapting)
        async with connected(place, store=store) as (other, _):
            async with asyncio.timeout(IN_TIME):
                await other.check()
                await other.adapt()
        live.report(buffer=20.0)
        assert await adapting
        assert len(of(events, AdaptersMerged)) == 1


async def test_a_newer_release_leaves_adapters_that_waited(place: Place) -> None:
    async with connected(place) as (live, events):
        await live.complete()
        place.adapters.sign_policy("net", "city", policy("north"))
        place.adapters.offer("net", [place.parcel("north", 0.5)])
        await live.check()
        live.report(buffer=0.0)
        adapting = asyncio.create_task(live.adapt())
        assert await waiting(adapting)
        place.merge([place.parcel("south"), place.parcel("west")])
        await live.check()
        live.report(buffer=20.0)
        assert not await adapting
        assert [event.release for event in of(events, AdaptersMerged)] == [1]


async def test_adapters_come_over_http_in_parts_and_say_what_they_are(place: Place) -> None:
    async with (
        serve(place.folder) as url,
        connected(place, url=url) as (live, events),
    ):
        await live.delivery.complete()
        live.report(buffer=20.0, budget=500)
        adapting = asyncio.create_task(live.adapt())
        while await waiting(adapting):
            live.report(buffer=20.0, budget=500)
        assert await adapting
        assert {record.status for record in parcels(live)} == {206}
        assert len(of(events, AdapterChosen)) >= 3


# --- what may come ---------------------------------------------------------------------------


def chosen(link: Link, *, received: int = 0, low_water: float = 8.0) -> Choice | Wait:
    allowance = Allowance()
    allowance.report(link, 0.0)
    limits = Policy(low_water=low_water)
    return choose_adapter(
        "east", release=3, size=1000, received=received, allowance=allowance, policy=limits
    )


def test_an_adapter_is_no_unit() -> None:
    found = chosen(Link(buffer=12.0))
    assert found == Choice(
        release=3, unit=-1, size=1000, reason="adapter of east: 1000 bytes, buffer 12.0 s"
    )


@pytest.mark.parametrize(
    ("link", "received", "reason"),
    [
        (Link(buffer=7.0), 0, "buffer 7.0 s is below 8.0 s"),
        (Link(buffer=9.0, budget=0), 0, "the budget of 0 bytes is spent"),
        (Link(buffer=9.0, budget=200), 0, "256 are worth a request"),
        (Link(buffer=9.0, throughput=100.0), 0, "would be down to 8.0 s after 100 bytes"),
    ],
)
def test_an_adapter_waits_as_units_do(link: Link, received: int, reason: str) -> None:
    found = chosen(link, received=received)
    assert isinstance(found, Wait)
    assert reason in found.reason


def test_the_last_bytes_are_worth_a_request_however_few() -> None:
    assert isinstance(chosen(Link(buffer=9.0, budget=200), received=900), Choice)


def test_a_part_is_said() -> None:
    found = chosen(Link(buffer=9.0, budget=600), received=100)
    assert isinstance(found, Choice)
    assert found.reason.endswith("; 600 of 900 bytes now")
