"""What a revoked provider made runs in no client any more."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

import midstream
from adapting import ADAPTED, PLAIN, checked, connected, of, offering, policy, running
from midstream import AdaptersMerged, AdaptersRefused
from midstream.errors import ErrorCode, RefusedError
from midstream.testing import FakeBackend
from providing import Place, model
from trusting import signer

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return offering(tmp_path / "repo")


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
