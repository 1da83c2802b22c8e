"""Clients merge adapters as a signed policy says, and swap them in."""

import asyncio
import hashlib
from pathlib import Path

import pytest

import midstream
from adapting import ADAPTED, PLAIN, checked, connected, of, offering, policy, running
from midstream import AdaptersMerged, AdaptersRefused, Event, SwapMode
from midstream.errors import ErrorCode, TrustError
from midstream.origin import Impairments, serve
from midstream.publisher import history
from midstream.publisher.adapters import Adapters
from midstream.testing import FakeBackend
from providing import NAMES, Place, model
from trusting import signer
from waiting import until

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return offering(tmp_path / "repo")


async def test_adapters_are_merged_and_swapped_in_like_a_release(place: Place) -> None:
    """[CON-13]: the same bits as the publisher found."""
    found = place.adapters.sign_policy("net", "city", policy("east", "north"))
    assert found is not None
    async with connected(place) as (live, events):
        await live.ready()
        assert running(live) == PLAIN  # the release itself comes first
        await live.complete()
        live.swap()
        assert running(live) == (1, ADAPTED, hashlib.sha256(found.model).hexdigest())
        (merged,) = of(events, AdaptersMerged)
        assert (merged.shares, merged.left_out) == ({"east": 1.0, "north": 1.0}, {})
        assert not await live.adapt()  # nothing is new


async def test_a_client_without_a_policy_reads_nothing_of_adapters(place: Place) -> None:
    """[CON-10]: not a byte."""
    place.adapters.sign_policy("net", "city", policy(*NAMES))
    async with connected(place, None) as (live, _):
        await checked(live)
        assert running(live) == PLAIN
        assert not [record.path for record in live.trace if "providers" in record.path]


async def test_a_client_reads_the_adapters_of_its_policy_alone(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place) as (live, _):
        await live.complete()
        read = [record.path for record in live.trace if record.path.endswith(".parcel")]
        assert [path.rpartition(".1.")[2] for path in read] == ["east.parcel"]


async def test_a_policy_that_changes_is_followed(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place) as (live, _):
        await checked(live)
        first = running(live)
        found = place.adapters.sign_policy("net", "city", policy("west"))
        assert found is not None
        await checked(live)
        assert running(live) == (1, ADAPTED, hashlib.sha256(found.model).hexdigest())
        assert running(live) != first


async def test_a_new_release_runs_until_there_are_adapters_for_it(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place) as (live, events):
        await checked(live)
        place.merge(place.parcels())
        await checked(live)
        assert running(live)[:2] == (2, 0)
        (refused,) = of(events, AdaptersRefused)
        assert refused.error.code is ErrorCode.NOT_FOUND
        newest = history.exact_model(place.folder, history.manifest_of(place.folder, "net", None))
        place.adapters.offer("net", [place.parcel("east", release=2, parent=newest)])
        await checked(live)
        assert running(live)[:2] == (2, ADAPTED)


@pytest.mark.parametrize("name", ["nothing", "No name", "../city"])
async def test_a_policy_that_is_not_there_is_said_and_the_release_runs(
    place: Place, name: str
) -> None:
    async with connected(place, name) as (live, events):
        await checked(live)
        assert running(live) == PLAIN
        refused = of(events, AdaptersRefused)
        assert {one.error.code for one in refused} == {ErrorCode.NOT_FOUND}
        assert "no adapter policy" in refused[0].error.message


async def test_a_network_without_providers_has_no_policies(tmp_path: Path) -> None:
    publisher = midstream.Publisher(tmp_path / "repo", signer=midstream.Signer.generate())
    publisher.publish(model(), name="net", ladder="exact")
    events: list[Event] = []
    async with midstream.connect(
        str(tmp_path / "repo"), "net", root=tmp_path / "repo" / "1.root.json", adapters="city",
        backend=FakeBackend(), background=False, on_event=events.append,
    ) as live:  # fmt: skip
        await live.complete()
        assert running(live) == PLAIN
    assert of(events, AdaptersRefused)[0].error.code is ErrorCode.NOT_FOUND


async def test_a_refusal_leaves_what_runs(place: Place) -> None:
    """[CON-14]: nobody was revoked, so what was verified once goes on running."""
    place.adapters.sign_policy("net", "city", policy("east", required="east"))
    async with connected(place) as (live, events):
        await checked(live)
        before = running(live)
        place.adapters.withdraw("net", "east")
        await checked(live)
        (refused,) = of(events, AdaptersRefused)
        assert (refused.release, refused.error.code) == (1, ErrorCode.NOT_FOUND)
        assert running(live) == before


async def test_the_next_run_has_the_adapters_already(place: Place, tmp_path: Path) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    for count in (1, 0):
        async with connected(place, store=tmp_path / "store") as (live, _):
            await checked(live)
            assert running(live)[1] == ADAPTED
            read = [record.path for record in live.trace if record.path.endswith(".parcel")]
            assert len(read) == count


async def test_two_policies_share_a_store(place: Place, tmp_path: Path) -> None:
    """Neither throws away what the other one keeps there."""
    for name in ("east", "west"):
        place.adapters.sign_policy("net", name, policy(name))
    for count in (1, 0):
        for name in ("east", "west"):
            async with connected(place, name, store=tmp_path / "store") as (live, _):
                await checked(live)
                assert running(live)[1] == ADAPTED
                paths = [record.path for record in live.trace]
                assert len([path for path in paths if path.endswith(".parcel")]) == count


async def test_others_may_sign_what_clients_merge(place: Place) -> None:
    """The role of a network's providers is given keys of its own by a rotation."""
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place) as (live, _):
        await checked(live)
        publisher = midstream.Publisher(place.folder, signer=place.keys, clock=place.clock)
        operator = signer(91)
        publisher.rotate("net.providers", [operator])
        with pytest.raises(TrustError, match="not enough to sign"):
            place.adapters.sign_policy("net", "city", policy("west"))
        keys = place.keys.replaced("net.providers", (operator,), 1)
        adapters = Adapters(place.folder, signer=keys, clock=place.clock)
        found = adapters.sign_policy("net", "city", policy("west"))
        assert found is not None
        await checked(live)
        assert running(live)[2] == hashlib.sha256(found.model).hexdigest()


async def test_adapters_are_followed_in_the_background(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place, background=True, poll=0.1, swap=SwapMode.IMMEDIATE) as (
        live,
        events,
    ):
        await until(lambda: live.generation is not None and live.generation.layer == ADAPTED)
        place.providers.revoke("net", "east")
        await until(lambda: running(live) == PLAIN)
    assert of(events, AdaptersRefused)


async def test_a_player_that_wants_a_lower_layer_alone_gets_no_adapters(tmp_path: Path) -> None:
    """They are of the exact model."""
    place = Place(tmp_path / "repo")
    publisher = midstream.Publisher(place.folder, signer=place.keys, clock=place.clock)
    publisher.publish(model(), name="net", ladder=("20dB", "exact"))
    place.adapters.offer("net", [place.parcel("east", release=2)])
    place.adapters.sign_policy("net", "city", policy("east"))
    async with connected(place, policy=midstream.Policy(max_layer=0)) as (live, events):
        await checked(live)
        assert running(live)[:2] == (2, 0)
        assert not of(events, AdaptersMerged)
        assert not of(events, AdaptersRefused)


async def test_a_look_that_was_cancelled_is_done_again(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east", "north"))
    slow = Impairments(delay=0.4)
    async with (
        serve(place.folder, port=0, impairments=slow) as url,
        connected(place, url=url) as (live, _),
    ):
        await live.ready()
        await live.delivery.complete()
        await live.stage()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await live.adapt()
        await live.complete()
        live.swap()
        assert running(live)[:2] == (1, ADAPTED)
