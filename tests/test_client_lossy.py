"""Lower rungs over lossy updates: the units of a new client for fewer bytes, or fresh ones."""

import itertools
import math
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from following import delivering, put
from following import tuned as moved
from midstream import Publisher
from midstream.client.events import UpdateApplied, UpdateRefused
from midstream.errors import BitstreamError, DataError
from midstream.publisher import FRESH
from midstream.publisher.audit import audit
from midstream.publisher.inspection import inspect
from midstream.session import Policy
from midstream.session.paths import cheapest_lossy
from midstream.trust import manifest
from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry, updates_of, with_updates
from midstream.types import Fidelity, UnitKind
from models import mlp
from published import NAME, signer
from test_client_updates import asked, of
from trusting import entry, release

LADDER = ("2.5b", "4b", "exact")
RUNGS = 2


tuned = partial(moved, by=0.02)
"""The model of a release: each moves the one before by more than exact updates like."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The repository after each release, from none on."""
    made = tmp_path_factory.mktemp("made")
    found = [made / "0"]
    for number in (1, 2, 3, 4):
        folder = made / str(number)
        if number > 1:
            shutil.copytree(found[-1], folder)
        publisher = Publisher(folder, signer=signer())
        publisher.publish(tuned(number), name=NAME, ladder=LADDER)
        found.append(folder)
    return found


def described(folder: Path) -> Manifest:
    (path,) = folder.rglob(f"*.{folder.name}.manifest")
    return manifest.decode(path.read_bytes())


def lossy_of(listed: Manifest) -> list[UpdateEntry]:
    return [update for update in updates_of(listed) if update.rung is not None]


def fresh(folder: Path, rungs: int) -> list[bytes]:
    """The units that a new client receives."""
    return [(folder / entry.path).read_bytes() for entry in described(folder).units[:rungs]]


# --- on the way in ---------------------------------------------------------------------------


@pytest.mark.parametrize("rung", range(RUNGS))
async def test_a_rung_comes_by_its_update(folders: list[Path], tmp_path: Path, rung: int) -> None:
    repo = tmp_path / "repo"
    put(folders[1], repo)
    async with delivering(repo, policy=Policy(max_layer=rung)) as (delivery, events):
        await delivery.complete()
        before = asked(delivery)
        put(folders[2], repo)
        assert await delivery.check()
        await delivery.complete()
        (update,) = [u for u in lossy_of(delivery.manifest) if u.rung == rung]
        assert asked(delivery) - before == {update.unit.path}
        assert of(events, UpdateApplied) == [
            UpdateApplied(release=2, parent=1, size=update.unit.size)
        ]
        assert delivery.units() == fresh(folders[2], rung + 1)
        assert delivery.best_layer() == rung
        assert delivery.units(release=1) == fresh(folders[1], rung + 1)  # to revert costs no bytes


async def test_what_is_above_comes_fresh(folders: list[Path], tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    put(folders[1], repo)
    async with delivering(repo) as (delivery, events):
        await delivery.base()
        put(folders[2], repo)
        await delivery.check()
        await delivery.complete()
        assert of(events, UpdateApplied)
        assert await delivery.rebuild() == tuned(2)
        assert delivery.units() == fresh(folders[2], 3)


@pytest.mark.parametrize("path", [(1, 2, 3, 4), (1, 3), (1, 4), (2, 4), (4,)], ids=str)
async def test_every_way_ends_in_the_same_units(
    folders: list[Path], tmp_path: Path, path: tuple[int, ...]
) -> None:
    repo = tmp_path / "repo"
    put(folders[path[0]], repo)
    async with delivering(repo, policy=Policy(max_layer=1)) as (delivery, events):
        await delivery.complete()
        for number in path[1:]:
            put(folders[number], repo)
            await delivery.check()
            await delivery.complete()
        assert delivery.units() == fresh(folders[path[-1]], 2)
        assert len(of(events, UpdateApplied)) == len(path) - 1


async def test_the_next_run_goes_on_from_what_an_update_left(
    folders: list[Path], tmp_path: Path
) -> None:
    repo, store = tmp_path / "repo", tmp_path / "store"
    for number in (1, 2, 3):
        put(folders[number], repo)
        async with delivering(repo, store=store, policy=Policy(max_layer=1)) as (delivery, events):
            await delivery.complete()
            assert delivery.units() == fresh(folders[number], 2)
            assert len(of(events, UpdateApplied)) == (number > 1)
    async with delivering(repo, store=store, policy=Policy(max_layer=1)) as (delivery, _):
        await delivery.complete()
        assert not asked(delivery)


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
async def test_an_update_that_does_not_fit_costs_the_fresh_units_alone(
    folders: list[Path], tmp_path: Path, damage: str
) -> None:
    """[TRU-18]"""
    repo = tmp_path / "repo"
    put(folders[1], repo)
    async with delivering(repo, policy=Policy(max_layer=0)) as (delivery, events):
        await delivery.complete()
        if damage == "other":
            _publish_wrong(repo)
        else:
            put(folders[2], repo)
            (update,) = [u for u in lossy_of(described(folders[2])) if u.rung == 0]
            path = repo / update.unit.path
            path.write_bytes(b"MDU") if damage == "cut" else path.unlink()
        await delivery.check()
        await delivery.complete()
        assert not of(events, UpdateApplied)
        assert len(of(events, UpdateRefused)) == (damage == "other")
        assert await delivery.rebuild(layer=0) is not None
        assert delivery.manifest.release == 2
        assert delivery.best_layer() == 0


def _publish_wrong(repo: Path) -> None:
    """A release whose update, though signed, is for units that nobody has."""
    publisher = Publisher(repo, signer=signer())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("midstream.publisher.lossy.stack_id", lambda _: bytes(16))
        publisher.publish(tuned(2), name=NAME, ladder=LADDER)


# --- the publisher ---------------------------------------------------------------------------


def test_each_rung_is_updated_to_its_like(folders: list[Path]) -> None:
    listed = lossy_of(described(folders[3]))
    ways = [(u.parent, u.rung, u.release, u.unit.layer) for u in listed]
    assert ways == [
        (parent, rung, number, rung)
        for parent, number in [(1, 2), (1, 3), (2, 3)]
        for rung in range(RUNGS)
    ]
    assert audit(folders[3], (folders[3] / "1.root.json").read_bytes())


def test_each_update_is_smaller_than_what_it_stands_for(folders: list[Path]) -> None:
    listed = described(folders[2])
    for update in lossy_of(listed):
        assert update.rung is not None
        assert update.unit.size < sum(e.size for e in listed.units[: update.rung + 1])
        assert update.unit.fidelity == listed.units[update.rung].fidelity


def test_a_ladder_without_an_exact_rung_is_updated(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    publisher.publish(tuned(1), name=NAME, ladder=("2.5b", "4b"))
    made = publisher.publish(tuned(2), name=NAME, ladder=("2.5b", "4b"))
    assert [update.rung for update in made.updates] == [0, 1]
    assert "update from v1, layer 1" in str(made)


def test_what_does_not_pay_is_not_published(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    told: list[str] = []
    for seed in (1, 2):
        made = publisher.publish(
            mlp((4, 3), seed=seed), name=NAME, ladder=("2.5b", "exact"), progress=told.append
        )
    base = made.manifest.base.size
    assert all(update.unit.size < base for update in made.updates if update.rung is not None)


def test_a_publisher_may_want_none(folders: list[Path], tmp_path: Path) -> None:
    put(folders[1], tmp_path)
    publisher = Publisher(tmp_path, signer=signer())
    assert publisher.publish(tuned(2), name=NAME, ladder=LADDER, updates=FRESH).updates == ()


# --- what a manifest says --------------------------------------------------------------------


UNIT = entry(kind=UnitKind.LOSSY_UPDATE, head_size=0, fidelity=Fidelity(weight_snr=9.0))


def update(parent: int, to: int, *, rung: int = 0, layer: int = 0, **more: Any) -> UpdateEntry:
    unit = replace(UNIT, layer=layer, **more)
    return UpdateEntry(parent=parent, parent_id=bytes(16), release=to, rung=rung, work=1, unit=unit)


def test_both_kinds_are_read_as_they_were_written() -> None:
    exact = UpdateEntry(
        parent=1, parent_id=bytes(16), release=2, work=2**48, unit=entry(kind=UnitKind.UPDATE)
    )
    listed = (exact, update(1, 2, rung=3), update(1, 2, rung=255, layer=200))
    assert updates_of(with_updates(release(number=2), listed)) == listed


def test_a_lossy_update_of_another_kind_cannot_be_built() -> None:
    """[TRU-17]"""
    with pytest.raises(BitstreamError, match="kind UPDATE"):
        update(1, 2, kind=UnitKind.UPDATE)
    with pytest.raises(BitstreamError, match="kind LOSSY_UPDATE"):
        UpdateEntry(parent=1, parent_id=bytes(16), release=2, work=1, unit=UNIT)


def test_lossy_updates_beyond_the_release_are_refused() -> None:
    """[TRU-17]"""
    with pytest.raises(DataError, match="lists an update to 3"):
        updates_of(with_updates(release(number=2), [update(1, 3)]))


# --- the cheapest way ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "rest", "way", "size"),
    [
        pytest.param([(1, 0)], {0: 0}, [(1, 2)], 10, id="one"),
        pytest.param([(1, 0)], {0: 50, 1: 0}, [(1, 2)], 60, id="then fresh ones"),
        pytest.param([(1, 0), (1, 1)], {0: 50, 1: 0}, [(1, 2)], 30, id="from a higher rung"),
        pytest.param([(1, 0), (1, 1)], {0: 15, 1: 0}, [(1, 2)], 25, id="from a lower one"),
        pytest.param([(0, 0)], {0: 0}, None, 0, id="none"),
    ],
)
def test_the_way_with_the_fewest_bytes_is_taken(
    held: list[tuple[int, int]], rest: dict[int, int], way: list[tuple[int, int]] | None, size: int
) -> None:
    listed = [update(1, 2, size=10), update(1, 2, rung=1, layer=1, size=30)]
    found = cheapest_lossy(listed, held, rest, 2, memory=1 << 40)
    assert (found and [(u.parent, u.release) for u in found[0]]) == way
    assert found is None or found[1] == size


def test_what_takes_more_memory_than_there_is_is_no_way() -> None:
    listed = [update(1, 2, size=10, peak_decode_bytes=2000)]
    assert cheapest_lossy(listed, [(1, 0)], {0: 0}, 2, memory=1999) is None


@settings(max_examples=60)
@given(
    edges=st.lists(
        st.tuples(
            st.integers(1, 8),
            st.integers(1, 8),
            st.integers(0, 1),
            st.integers(0, 1),
            st.integers(1, 99),
        ),
        max_size=10,
    ),
    rest=st.integers(0, 99),
)
def test_no_way_is_cheaper_than_the_cheapest(
    edges: list[tuple[int, int, int, int, int]], rest: int
) -> None:
    listed = [update(a, b, rung=i, layer=j, size=size) for a, b, i, j, size in edges if a < b]
    found = cheapest_lossy(listed, [(1, 0)], {0: rest, 1: 0}, 8, memory=1 << 40)
    best = math.inf
    for count in range(1, 5):
        for way in itertools.permutations(listed, count):
            places = [(1, 0), *((u.release, u.unit.layer) for u in way)]
            starts = [(u.parent, u.rung) for u in way]
            if starts == places[:-1] and places[-1][0] == 8:
                after = 0 if places[-1][1] else rest
                best = min(best, sum(u.unit.size for u in way) + after)
    assert (found[1] if found else math.inf) <= best


# --- for people ------------------------------------------------------------------------------


def test_a_manifest_is_inspected_with_its_updates(folders: list[Path]) -> None:
    (path,) = folders[2].rglob("*.2.manifest")
    rows = inspect(path).found["updates"]
    assert [(row["from"], row["rung"], row["layer"]) for row in rows] == [
        (1, "exact", 2),
        (1, "0", 0),
        (1, "1", 1),
    ]


def test_a_lossy_update_is_inspected(folders: list[Path]) -> None:
    update = lossy_of(described(folders[2]))[0]
    found = inspect(folders[2] / update.unit.path).found
    assert (found["kind"], found["bytes"]) == ("LOSSY_UPDATE", update.unit.size)
