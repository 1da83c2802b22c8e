"""Clients merge adapters as a signed policy says, swap them in, and never run what was revoked."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import midstream
from midstream import AdaptersMerged, AdaptersRefused, Event, Model, SwapMode
from midstream.errors import ErrorCode, RefusedError, TransportError, TrustError
from midstream.origin import Impairments, serve
from midstream.publisher import history
from midstream.publisher.adapters import Adapters
from midstream.testing import FakeBackend
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from providing import NAMES, Place, model
from trusting import signer
from waiting import until

pytestmark = pytest.mark.once
ADAPTED = 1
"""The layer of a generation with adapters: the release has layer 0 alone."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "repo")
    made.adapters.offer("net", made.parcels())
    return made


def policy(*names: str, required: str = "", **changes: Any) -> AdapterPolicy:
    parts = tuple(PolicyPart(provider=name, is_required=name in required) for name in names)
    values: dict[str, Any] = {"network": "net", "parts": parts, "largest_norm": 100.0}
    return AdapterPolicy(**(values | changes))


@asynccontextmanager
async def connected(
    place: Place, adapters: str | None = "city", *, url: str = "", **more: Any
) -> AsyncIterator[tuple[Model, list[Event]]]:
    events: list[Event] = []
    options: dict[str, Any] = {
        "root": place.folder / "1.root.json",
        "backend": FakeBackend(),
        "background": False,
        "on_event": events.append,
    }
    async with midstream.connect(
        url or str(place.folder), "net", adapters=adapters, **(options | more)
    ) as live:
        yield live, events


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def running(live: Model) -> tuple[int, int, str]:
    assert live.generation is not None
    return live.generation.release, live.generation.layer, live.generation.sha256


PLAIN = (1, 0, hashlib.sha256(model()).hexdigest())


async def checked(live: Model) -> None:
    """Look for news, and take what comes of it."""
    await live.check()
    await live.complete()
    live.swap()


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


async def test_a_revoked_provider_is_merged_no_more(place: Place) -> None:
    """[CON-10], [CON-14]."""
    place.adapters.sign_policy("net", "city", policy("east", "south"))
    async with connected(place) as (live, events):
        await checked(live)
        place.providers.revoke("net", "south")
        await checked(live)
        last = of(events, AdaptersMerged)[-1]
        assert list(last.shares) == ["east"]
        assert last.left_out["south"].code is ErrorCode.UNKNOWN_ROLE
        assert running(live) == (1, ADAPTED, last.sha256)


@pytest.mark.parametrize("names", [("south",), ("east", "south")])
async def test_the_plain_release_comes_back_where_nothing_stands_in_for_the_revoked(
    place: Place, names: tuple[str, ...]
) -> None:
    """[CON-14]: what a revoked provider made does not run on."""
    place.adapters.sign_policy("net", "city", policy(*names, required="south"))
    async with connected(place) as (live, events):
        await checked(live)
        assert running(live)[1] == ADAPTED
        place.providers.revoke("net", "south")
        await checked(live)
        assert running(live) == PLAIN
        assert of(events, AdaptersRefused)


async def test_what_was_revoked_does_not_run_on_under_a_name_that_is_given_again(
    place: Place,
) -> None:
    """[CON-14]: between two looks; the name is there, with other keys and without an adapter."""
    place.adapters.sign_policy("net", "city", policy("south"))
    async with connected(place) as (live, _):
        await checked(live)
        assert running(live)[1] == ADAPTED
        place.providers.revoke("net", "south")
        place.providers.add("net", "south", [signer(90).public])
        await checked(live)
        assert running(live) == PLAIN


async def test_what_was_revoked_does_not_run_on_until_all_of_a_new_release_is_here(
    place: Place,
) -> None:
    """[CON-14]."""
    place.adapters.sign_policy("net", "city", policy("east", "south"))
    async with connected(place) as (live, _):
        await checked(live)
        publisher = midstream.Publisher(place.folder, signer=place.keys, clock=place.clock)
        publisher.publish(model(2.0, seed=9), name="net", ladder="4b,exact")
        live.report(buffer=0.0)
        assert await live.check()
        assert not await live.adapt()
        assert running(live)[:2] == (1, ADAPTED)
        place.providers.revoke("net", "south")
        await live.check()
        assert await live.adapt()
        found = live.swap()
        assert found is not None
        assert (found.release, found.layer) == (1, ADAPTED)
        place.providers.revoke("net", "east")
        await live.check()
        assert await live.adapt()
        live.swap()
        assert running(live) == PLAIN
        live.report(buffer=100.0)
        await live.complete()
        live.swap()
        assert running(live)[:2] == (2, 1)


async def test_what_was_revoked_waits_for_no_adapter_in_its_place(place: Place) -> None:
    """[CON-14]: an origin that keeps that back must not keep the other running."""
    place.adapters.sign_policy("net", "city", policy("south"))
    async with connected(place) as (live, _):
        await checked(live)
        place.providers.revoke("net", "south")
        found = place.adapters.sign_policy("net", "city", policy("west"))
        (parcel,) = place.folder.rglob("*.west.parcel")
        parcel.rename(tmp := place.folder / "away")
        await checked(live)
        assert running(live) == PLAIN
        tmp.rename(parcel)
        await checked(live)
        assert found is not None
        assert running(live)[2] == hashlib.sha256(found.model).hexdigest()


async def test_a_player_does_not_go_back_to_what_was_revoked(place: Place) -> None:
    """[CON-14]: nor to what was left for another merge before the right was taken away."""
    place.adapters.sign_policy("net", "city", policy("east", "south"))
    async with connected(place) as (live, _):
        await checked(live)
        place.adapters.sign_policy("net", "city", policy("east"))
        await checked(live)
        of_east = running(live)
        place.providers.revoke("net", "south")
        await checked(live)
        live.revert()
        assert running(live) == of_east
        place.providers.revoke("net", "east")
        await checked(live)
        assert running(live) == PLAIN
        live.revert()
        assert running(live) == PLAIN


async def test_the_plain_release_comes_back_where_the_other_merge_does_not_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[CON-14]: one without the revoked is refused by the runtime."""
    place.adapters.sign_policy("net", "city", policy("east", "south"))
    backend = FakeBackend()
    async with connected(place, backend=backend) as (live, _):
        await checked(live)
        place.providers.revoke("net", "south")
        alone = place.adapters.sign_policy("net", "city", policy("east"))
        load = backend.load

        def refuse(model: bytes | memoryview, *, threads: int) -> Any:
            if alone is not None and bytes(model) == alone.model:
                raise RefusedError(ErrorCode.LOAD_FAILED, "it does not load")
            return load(model, threads=threads)

        monkeypatch.setattr(backend, "load", refuse)
        await checked(live)
        assert running(live) == PLAIN


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


@pytest.mark.parametrize("kind", ["parcel", "policy"])
async def test_damage_on_the_way_is_mended_by_parity(place: Place, kind: str) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    _flip(place, kind)
    async with connected(place) as (live, _):
        await checked(live)
        assert running(live)[1] == ADAPTED


@pytest.mark.parametrize("kind", ["parcel", "policy"])
async def test_a_file_that_was_exchanged_is_refused(place: Place, kind: str) -> None:
    """[CON-10]: by length and hash, as the network's keys signed for it."""
    place.adapters.sign_policy("net", "city", policy("east"))
    _flip(place, kind, with_parity=True)
    async with connected(place) as (live, events):
        await checked(live)
        assert running(live) == PLAIN
        assert of(events, AdaptersRefused)[0].error.code is ErrorCode.BAD_HASH
        _flip(place, kind)  # back
        await live.adapt()  # though there is no news
        live.swap()
        assert running(live)[1] == ADAPTED


def _flip(place: Place, kind: str, *, with_parity: bool = False) -> None:
    (file,) = [
        path
        for path in (place.folder / "targets" / "net.providers").glob(f"*.{kind}")
        if kind == "policy" or path.name.endswith(".east.parcel")
    ]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    if with_parity:
        file.with_name(file.name + ".repair").unlink(missing_ok=True)


async def test_adapters_come_over_a_link_that_cuts_and_damages(place: Place) -> None:
    found = place.adapters.sign_policy("net", "city", policy("east", "north"))
    assert found is not None
    bad = Impairments(loss=0.3, corrupt=0.9, seed=2)
    async with serve(place.folder, impairments=bad) as url, connected(place, url=url) as (live, _):
        await checked(live)
        assert running(live)[2] == hashlib.sha256(found.model).hexdigest()


async def test_an_origin_that_is_gone_costs_the_adapters_and_is_asked_again(place: Place) -> None:
    """[CON-14]."""
    place.adapters.sign_policy("net", "city", policy("east"))
    hidden = [*(place.folder / "targets" / "net.providers").iterdir()]
    for file in hidden:
        file.rename(file.with_name(f"x{file.name}"))
    async with connected(place) as (live, events):
        await checked(live)
        assert running(live) == PLAIN
        assert isinstance(of(events, AdaptersRefused)[0].error, TransportError)
        for file in hidden:
            file.with_name(f"x{file.name}").rename(file)
        await live.adapt()  # though there is no news
        live.swap()
        assert running(live)[1] == ADAPTED


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
