"""A release that is published again costs no bytes of units where they are still here, CON-17."""

from pathlib import Path

import pytest

from following import after_each, delivering, put, tuned
from midstream import Publisher
from midstream.client import Delivery
from midstream.client.events import UpdateApplied
from midstream.decoder import rebuild
from midstream.publisher import history
from midstream.publisher.providers import Providers
from midstream.session import Policy, SessionState
from midstream.trust.updates import UpdateEntry, updates_of
from published import NAME, signer


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The repository after each of three releases."""
    return after_each(3, tmp_path_factory.mktemp("made"))


def updates_to(repo: Path, release: int) -> list[UpdateEntry]:
    return [u for u in updates_of(history.manifest_of(repo, NAME, None)) if u.release == release]


def publish_again(repo: Path) -> None:
    """The first release's model, in other units."""
    Publisher(repo, signer=signer()).publish(tuned(1), name=NAME, ladder=("exact",))


def revert(repo: Path, release: int) -> None:
    Providers(repo, signer=signer()).revert(NAME, release)


async def follow(delivery: Delivery) -> int:
    """Take the newest release; says how many bytes of units came for it."""
    before = received(delivery)
    assert await delivery.check()
    await delivery.complete()
    return received(delivery) - before


def received(delivery: Delivery) -> int:
    """Bytes of units, of their hash pages and repair symbols that came."""
    return sum(r.received for r in delivery.trace if r.path.startswith("units/"))


async def test_to_follow_a_revert_costs_no_bytes_of_units(
    folders: list[Path], tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    put(folders[0], repo)
    async with delivering(repo) as (delivery, _):
        await delivery.complete()
        put(folders[1], repo)
        assert await follow(delivery) > 0
        revert(repo, 1)
        assert await follow(delivery) == 0
        assert delivery.manifest.release == 3
        assert await delivery.rebuild() == tuned(1)


async def test_units_that_are_in_the_store_alone_cost_no_bytes_either(
    folders: list[Path], tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    put(folders[0], repo)
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        for folder in folders[1:]:
            put(folder, repo)
            assert await follow(delivery) > 0
        revert(repo, 1)
        assert await follow(delivery) == 0  # though there is an update, and memory forgot them
        assert await delivery.rebuild() == tuned(1)


async def test_an_exact_model_that_came_by_an_update_is_taken_again_without_a_store(
    folders: list[Path], tmp_path: Path
) -> None:
    """Though the publisher lists an update from it to itself, of next to nothing."""
    repo = tmp_path / "repo"
    put(folders[0], repo)
    async with delivering(repo) as (delivery, events):
        await delivery.complete()
        for folder in folders[1:]:
            put(folder, repo)
            assert await follow(delivery) > 0
        revert(repo, 2)
        assert min(update.unit.size for update in updates_to(repo, 4)) < 50
        assert await follow(delivery) == 0
        assert [event.release for event in events if isinstance(event, UpdateApplied)] == [2, 3]
        assert await delivery.rebuild() == tuned(2)


@pytest.mark.parametrize("is_new_run", [False, True], ids=["the same run", "a new run"])
async def test_the_same_model_of_another_ladder_costs_no_bytes_of_units(
    folders: list[Path], tmp_path: Path, *, is_new_run: bool
) -> None:
    """Its units are other ones, and the release between is the last that an earlier run knew."""
    repo = tmp_path / "repo"
    for folder in folders[:2]:
        put(folder, repo)
        async with delivering(repo, store=tmp_path / "store") as (delivery, _):
            await delivery.complete()
            if folder == folders[1] and not is_new_run:
                publish_again(repo)
                assert await follow(delivery) == 0
    if is_new_run:
        publish_again(repo)
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert received(delivery) == 0
        assert delivery.manifest.release == 3
        assert await delivery.rebuild() == tuned(1)


@pytest.mark.parametrize("number", [1, 2], ids=["by its units", "by an update"])
async def test_the_same_model_does_not_stand_for_a_release_that_is_lossy(
    folders: list[Path], tmp_path: Path, number: int
) -> None:
    """Its rungs are what is signed for, though a better model is here."""
    repo = tmp_path / "repo"
    put(folders[0], repo)
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        put(folders[1], repo)
        await follow(delivery)
        Publisher(repo, signer=signer()).publish(tuned(number), name=NAME, ladder=("4b",))
        await follow(delivery)
        units = [(repo / entry.path).read_bytes() for entry in delivery.manifest.units]
        assert await delivery.rebuild() == rebuild(units)
        assert await delivery.rebuild() != tuned(number)


@pytest.mark.parametrize("layer", [0, None], ids=["base", "all"])
async def test_the_next_run_follows_a_revert_from_the_store(
    folders: list[Path], tmp_path: Path, layer: int | None
) -> None:
    repo = tmp_path / "repo"
    options = {"store": tmp_path / "store", "policy": Policy(max_layer=layer)}
    for folder in folders[:2]:
        put(folder, repo)
        async with delivering(repo, **options) as (delivery, _):
            await delivery.complete()
    revert(repo, 1)
    async with delivering(repo, **options) as (delivery, events):
        await delivery.complete()
        assert delivery.state is SessionState.COMPLETE
        assert received(delivery) == 0
        assert [r.path for r in delivery.trace] == ["metadata/timestamp.json", "bundles/net.news"]
        assert not [event for event in events if isinstance(event, UpdateApplied)]
        if layer is None:
            assert await delivery.rebuild() == tuned(1)
        else:
            assert delivery.best_layer() == layer


async def test_a_new_client_starts_on_what_a_revert_made_current(
    folders: list[Path], tmp_path: Path
) -> None:
    """The base in the bundle is that of the release that is current again."""
    repo = tmp_path / "repo"
    for folder in folders:
        put(folder, repo)
    revert(repo, 1)
    async with delivering(repo) as (delivery, _):
        await delivery.base()
        assert delivery.manifest.release == 4
        assert [r.path for r in delivery.trace] == ["bundles/net.bundle"]
        await delivery.complete()
        assert await delivery.rebuild() == tuned(1)
        assert received(delivery) == sum(entry.size for entry in delivery.manifest.units[1:])


async def test_who_never_had_the_old_release_takes_an_update_to_it(
    folders: list[Path], tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    put(folders[1], repo)
    async with delivering(repo) as (delivery, events):
        await delivery.complete()
        revert(repo, 1)
        assert 0 < await follow(delivery) < sum(e.size for e in delivery.manifest.units)
        assert [event.parent for event in events if isinstance(event, UpdateApplied)] == [2]
        assert await delivery.rebuild() == tuned(1)
