"""New releases over updates: the cheapest way, the same bits, fresh units where it fails."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from following import LADDER, after_each, delivering, follow, holding, put, resign, tuned
from midstream import Publisher
from midstream.cli.main import main
from midstream.client import Delivery
from midstream.client.events import UpdateApplied, UpdateRefused
from midstream.errors import BitstreamError, DataError, ErrorCode, UsageError
from midstream.publisher import FRESH, UpdatePolicy
from midstream.publisher.audit import audit
from midstream.session import Event, SessionState, UnitVerified
from midstream.session.paths import cheapest, steps
from midstream.trust import manifest
from midstream.trust.manifest import Extension, Manifest
from midstream.trust.updates import TAG, UpdateEntry, updates_of, with_updates
from midstream.types import Fidelity, UnitKind
from models import mlp
from published import NAME, signer
from trusting import entry, release
from waiting import IN_TIME


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The repository after each release, from none on."""
    made = tmp_path_factory.mktemp("made")
    return [made / "none", *after_each(3, made)]


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if type(event) is kind]


def exact_of(described: Manifest) -> list[UpdateEntry]:
    """The exact updates that a manifest lists."""
    return [update for update in updates_of(described) if update.rung is None]


def asked(delivery: Delivery) -> set[str]:
    """Units that were asked for."""
    return {r.path for r in delivery.trace if r.path.startswith("units/")}


# --- on the way in ---------------------------------------------------------------------------


async def test_a_release_comes_by_its_update(folders: list[Path], tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    async with holding(folders[1], repo) as (delivery, events):
        before = asked(delivery)
        await follow(delivery, folders[2], repo)
        assert await delivery.rebuild() == tuned(2)
        (update,) = exact_of(delivery.manifest)
        assert asked(delivery) - before == {update.unit.path}
        assert of(events, UpdateApplied) == [
            UpdateApplied(release=2, parent=1, size=update.unit.size)
        ]
        assert delivery.state is SessionState.COMPLETE
        assert delivery.best_layer() == delivery.manifest.units[-1].layer
        assert await delivery.rebuild(0) == tuned(2)  # no units are here to make less of
        assert delivery.best_layer(0) == delivery.manifest.units[-1].layer
        assert delivery.releases == [2, 1]
        assert await delivery.rebuild(release=1) == tuned(1)  # to revert to costs no bytes
        with pytest.raises(UsageError, match="by an update"):
            delivery.units()


def test_fetching_a_layer_says_that_the_exact_model_stands_for_it(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo, store, out = tmp_path / "repo", tmp_path / "store", tmp_path / "out"
    words = ["fetch", str(repo), NAME, "--root", str(repo / "1.root.json"), "-o", str(out)]
    words += ["--store", str(store)]
    for number in (1, 2):
        put(folders[number], repo)
        assert main(words) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([*words, "--layer", "0"]) == 0
    assert out.read_bytes() == tuned(2)
    told = " ".join(capsys.readouterr().err.split())
    assert "--layer 0: the exact model is here by an update" in told


async def test_an_update_is_applied_though_who_fetched_it_is_cancelled(
    folders: list[Path], tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    put(folders[1], repo)
    root = (repo / "1.root.json").read_bytes()

    def cancel(event: Event) -> None:
        if isinstance(event, UnitVerified) and event.release == 2:
            fetching.cancel()

    async with Delivery.open(str(repo), NAME, root=root, on_event=cancel) as delivery:
        await delivery.complete()
        put(folders[2], repo)
        assert await delivery.check()
        fetching = asyncio.create_task(delivery.complete())
        with pytest.raises(asyncio.CancelledError):
            await fetching
        async with asyncio.timeout(IN_TIME):
            await delivery.complete()
        assert await delivery.rebuild() == tuned(2)


@pytest.mark.parametrize("path", [(1, 2, 3), (1, 3), (2, 3), (3,)], ids=str)
async def test_every_way_ends_in_the_same_bits(
    folders: list[Path], tmp_path: Path, path: tuple[int, ...]
) -> None:
    repo = tmp_path / "repo"
    async with holding(folders[path[0]], repo) as (delivery, events):
        for number in path[1:]:
            await follow(delivery, folders[number], repo)
        assert await delivery.rebuild() == tuned(3)
        assert len(of(events, UpdateApplied)) == len(path) - 1
        await delivery.write_model(tmp_path / "model")
        assert (tmp_path / "model").read_bytes() == tuned(3)


async def test_the_next_run_goes_on_from_what_an_update_left(
    folders: list[Path], tmp_path: Path
) -> None:
    repo, store = tmp_path / "repo", tmp_path / "store"
    async with holding(folders[1], repo, store=store):
        pass
    async with holding(folders[2], repo, store=store) as (_, events):  # from units on disk
        assert len(of(events, UpdateApplied)) == 1
    async with delivering(repo, store=store) as (delivery, events):  # from the model on disk
        assert delivery.state is SessionState.COMPLETE
        assert await delivery.rebuild() == tuned(2)
        assert not asked(delivery)
    async with holding(folders[3], repo, store=store) as (delivery, events):
        assert await delivery.rebuild() == tuned(3)
        assert len(of(events, UpdateApplied)) == 1
        assert len(asked(delivery)) == 1


async def test_a_run_that_ended_before_the_update_came_costs_the_next_one_no_more(
    folders: list[Path], tmp_path: Path
) -> None:
    repo, store = tmp_path / "repo", tmp_path / "store"
    async with holding(folders[1], repo, store=store) as (delivery, _):
        put(folders[2], repo)
        assert await delivery.check()  # trusted, and then it ends
    async with delivering(repo, store=store) as (delivery, events):
        await delivery.complete()
        (update,) = exact_of(delivery.manifest)
        assert asked(delivery) == {update.unit.path}
        assert [event.parent for event in of(events, UpdateApplied)] == [1]
        assert await delivery.rebuild() == tuned(2)
    async with delivering(repo, store=store) as (delivery, _):
        assert delivery.releases == [2]  # nothing is left to be updated


async def test_runs_that_ended_so_one_after_the_other_cost_no_more_either(
    folders: list[Path], tmp_path: Path
) -> None:
    repo, store = tmp_path / "repo", tmp_path / "store"
    async with holding(folders[1], repo, store=store) as (delivery, _):
        for number in (2, 3):
            put(folders[number], repo)
            assert await delivery.check()
    async with delivering(repo, store=store) as (delivery, _):
        await delivery.complete()
        assert len(asked(delivery)) == 1
        assert asked(delivery) < {update.unit.path for update in exact_of(delivery.manifest)}
        assert await delivery.rebuild() == tuned(3)


async def test_a_damaged_model_on_disk_is_fetched_again(
    folders: list[Path], tmp_path: Path
) -> None:
    repo, store = tmp_path / "repo", tmp_path / "store"
    async with holding(folders[1], repo, store=store) as (delivery, _):
        await follow(delivery, folders[2], repo)
        name = delivery.manifest.model_sha256[:16].hex()
    (image,) = store.rglob(name)
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    async with delivering(repo, store=store) as (delivery, _):
        await delivery.complete()
        assert await delivery.rebuild() == tuned(2)


# --- where it fails --------------------------------------------------------------------------


def spoilt(repo: Path, change: Callable[[UpdateEntry], UpdateEntry]) -> None:
    """A release 5, the same as 2, whose manifest lists updates that are signed for and wrong."""
    publisher = Publisher(repo, signer=signer())
    publisher.publish(tuned(2), name=NAME, ladder=LADDER)
    updates = updates_of(publisher.publish(tuned(3), name=NAME, ladder=LADDER).manifest)
    described = publisher.publish(tuned(2), name=NAME, ladder=LADDER).manifest
    wrong = [change(updates[0]), change(updates[1])]
    resign(repo, with_updates(replace(described, release=5), wrong))


def another_parent(made: UpdateEntry) -> UpdateEntry:
    return replace(made, parent_id=bytes(16), release=5)


def another_end(made: UpdateEntry) -> UpdateEntry:
    """What it gives is not the release that it is said to give."""
    return replace(made, release=5) if made.release == 3 else made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(another_parent, ErrorCode.WRONG_PARENT, id="another parent"),
        pytest.param(another_end, ErrorCode.BAD_HASH, id="another end"),
    ],
)
async def test_an_update_that_does_not_fit_costs_the_fresh_units_alone(
    folders: list[Path], tmp_path: Path, change: Any, code: ErrorCode
) -> None:
    """[TRU-18]"""
    repo = tmp_path / "repo"
    async with holding(folders[1], repo) as (delivery, events):
        spoilt(repo, change)
        await delivery.check()
        await delivery.complete()
        (refused,) = of(events, UpdateRefused)
        assert refused.error.code is code
        assert await delivery.rebuild() == tuned(2)
        assert await delivery.rebuild(release=1) == tuned(1)
        assert len(delivery.units()) == len(LADDER)


async def test_an_update_that_is_gone_costs_the_fresh_units_alone(
    folders: list[Path], tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    async with holding(folders[1], repo) as (delivery, events):
        put(folders[2], repo)
        described = manifest.decode(next(repo.rglob("*.2.manifest")).read_bytes())
        for update in updates_of(described):
            for path in (repo / "units").glob(f"{update.unit.id}*"):
                path.unlink()
        await delivery.check()
        await delivery.complete()
        assert await delivery.rebuild() == tuned(2)
        assert not of(events, UpdateApplied)
        assert {event.unit for event in of(events, UnitVerified)} == {0, 1}


# --- the publisher ---------------------------------------------------------------------------


def test_the_last_two_releases_are_updated_from_and_older_ones_linked(folders: list[Path]) -> None:
    described = manifest.decode(next(folders[3].rglob("*.3.manifest")).read_bytes())
    ways = [(update.parent, update.release) for update in exact_of(described)]
    assert ways == [(1, 2), (1, 3), (2, 3)]
    assert audit(folders[3], (folders[3] / "1.root.json").read_bytes())


def test_the_work_of_updates_is_signed(folders: list[Path]) -> None:
    """[TRU-19]: all weights moved, so all are decoded; those of the base once."""
    described = manifest.decode(next(folders[3].rglob("*.3.manifest")).read_bytes())
    works = {(u.parent, u.release, u.rung): u.work for u in updates_of(described)}
    assert {works[place] for place in works if place[2] is None} == {described.weights}
    assert {works[place] for place in works if place[2] == 0} <= {0, described.weights}


def test_updates_are_made_as_the_publisher_says(folders: list[Path], tmp_path: Path) -> None:
    put(folders[2], tmp_path)
    publisher = Publisher(tmp_path, signer=signer())
    told: list[str] = []
    fresh = publisher.publish(tuned(3), name=NAME, ladder=LADDER, updates=FRESH)
    assert fresh.updates == ()
    one = publisher.publish(
        tuned(3), name=NAME, ladder=LADDER, updates=UpdatePolicy(only=2), progress=told.append
    )
    assert [(update.parent, update.rung) for update in one.updates] == [(2, None), (2, 0)]
    assert "update from v2" in str(one)
    with pytest.raises(UsageError, match="no release 1 to update from; there is 3, 4"):
        publisher.publish(tuned(3), name=NAME, ladder=LADDER, updates=UpdatePolicy(only=1))


def test_a_release_without_an_exact_unit_is_no_parent(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    publisher.publish(tuned(1), name=NAME, ladder=("3b",))
    told: list[str] = []
    made = publisher.publish(tuned(2), name=NAME, ladder=LADDER, progress=told.append)
    assert exact_of(made.manifest) == []
    assert any("no update from release 1" in line for line in told)


def test_what_has_neither_lower_rungs_nor_an_exact_model_is_not_updated(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    publisher.publish(tuned(1), name=NAME, ladder=("exact",))
    with pytest.raises(UsageError, match="ends in exact"):
        publisher.publish(tuned(2), name=NAME, ladder=("3b",), updates=UpdatePolicy(only=1))


def test_an_update_that_does_not_pay_is_not_published(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    publisher.publish(mlp((4, 3), seed=1), name=NAME, ladder="exact")
    told: list[str] = []
    made = publisher.publish(mlp((4, 3), seed=2), name=NAME, ladder="exact", progress=told.append)
    sizes = sum(made.sizes)
    assert all(update.unit.size < sizes for update in made.updates)


# --- what a manifest says --------------------------------------------------------------------


UNIT = entry(kind=UnitKind.UPDATE, fidelity=Fidelity(weight_snr=math.inf))


def update(
    parent: int, to: int, size: int = 100, *, memory: int = 1000, work: int = 50
) -> UpdateEntry:
    unit = replace(UNIT, size=size, head_size=0, peak_decode_bytes=memory)
    name = bytes([parent]) * 16
    return UpdateEntry(parent=parent, parent_id=name, release=to, work=work, unit=unit)


def listing(*updates: UpdateEntry, number: int = 9) -> Manifest:
    return with_updates(replace(release(), release=number), updates)


def test_updates_are_read_as_they_were_written() -> None:
    updates = (update(1, 2), update(1, 9), update(8, 9))
    described = listing(*updates)
    assert updates_of(manifest.decode(manifest.encode(described))) == updates
    assert updates_of(release()) == ()


@pytest.mark.parametrize(("parent", "to"), [(2, 2), (3, 2), (0, 1)])
def test_an_update_that_leads_back_cannot_be_built(parent: int, to: int) -> None:
    """[TRU-17]"""
    with pytest.raises(BitstreamError) as caught:
        update(parent, to)
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_updates_beyond_the_release_are_refused() -> None:
    """[TRU-17]"""
    with pytest.raises(BitstreamError, match="lists an update to 9"):
        updates_of(listing(update(1, 9), number=8))


def test_other_units_are_no_updates() -> None:
    """[TRU-17]"""
    with pytest.raises(BitstreamError, match="kind BASE"):
        replace(update(1, 2), unit=entry())


@pytest.mark.parametrize("value", [b"", b"\1", b"\xff\x7f", b"\0\0"])
def test_a_malformed_list_is_refused(value: bytes) -> None:
    described = replace(release(), extensions=(Extension(tag=TAG, value=value),))
    with pytest.raises(DataError, match=r"updates at|updates:"):
        updates_of(described)


# --- the cheapest way ------------------------------------------------------------------------


def ways(updates: list[UpdateEntry], *held: int, to: int = 9, memory: int = 10**9) -> list[int]:
    found = cheapest(updates, held, to, memory=memory)
    return [] if found is None else [one.parent for one in found]


def test_bytes_count_first_then_work() -> None:
    """[TRU-19]: of two ways of 200 bytes, that on which fewer weights are decoded."""
    direct, one, two = update(1, 9, 300), update(1, 5, 100), update(5, 9, 100)
    assert ways([direct, two, one], 1) == [1, 5]
    assert ways([update(1, 9, 200, work=99, memory=10**6), one, two], 1) == [1]
    assert ways([update(1, 9, 200, work=101, memory=1), one, two], 1) == [1, 5]
    assert ways([update(1, 9, 199, work=10**6), one, two], 1) == [1]
    assert ways([direct, one, two], 5) == [5]
    assert ways([direct, one, two], 2) == []
    assert ways([direct], 1, 9) == []


def test_what_takes_too_much_memory_is_no_way() -> None:
    assert ways([update(1, 9, 10, memory=5000)], 1, memory=4999) == []


def test_a_way_is_a_ladder_of_updates() -> None:
    found = steps(release(), [update(1, 5), update(5, 9)])
    assert [unit.parent for unit in found.units] == [None, 0]
    assert [math.isinf(unit.fidelity.weight_snr) for unit in found.units] == [False, True]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 99)), max_size=14))
def test_no_way_is_cheaper_than_the_cheapest(edges: list[tuple[int, int, int]]) -> None:
    updates = [update(a, min(a + n, 9), size) for a, n, size in edges]
    best: dict[int, int] = {1: 0}
    for _ in range(9):
        for one in updates:
            if one.parent in best:
                size = best[one.parent] + one.unit.size
                best[one.release] = min(size, best.get(one.release, size))
    found = cheapest(updates, [1], 9, memory=10**9)
    assert (sum(one.unit.size for one in found) if found else None) == best.get(9)
