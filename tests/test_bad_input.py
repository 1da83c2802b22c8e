"""What nobody should send: each refused with a clear error, told in the log, and nothing changed.

spec/contributions.md, "Bad input", lists these tests.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from adapting import connected
from following import LADDER, delivering, put, resign, tuned
from midstream.bitstream import Topology
from midstream.cli.main import main
from midstream.client.events import UpdateRefused
from midstream.decoder import Exact, apply_update
from midstream.encoder import encode_contribution
from midstream.encoder.update import encode_update, holes_of
from midstream.errors import BitstreamError, ErrorCode, TrustError, UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher import UpdatePolicy, history
from midstream.publisher.publish import Publisher
from midstream.session.paths import cheapest
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from midstream.trust.manifest import Extension, write_entry
from midstream.trust.parcel import Evidence, Parcel, seal_parcel
from midstream.trust.updates import TAG, UpdateEntry, updates_of, with_updates
from midstream.wire import Writer
from providing import NAMES, Place, model, not_finite, of_other_shape, sealed
from published import signer as publishers_key
from trusting import signer

pytestmark = pytest.mark.once

Log = Callable[..., str]
TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "spec/contributions.md").read_text()
CITY = AdapterPolicy(network="net", parts=(PolicyPart(provider="south"),), largest_norm=100.0)
WRONG_UPDATE = re.compile(r"update to release 4 │ [^│]*\[WRONG_PARENT\]")
ISSUES = (
    "an update for another release",
    "an update applied twice",
    "updates out of order",
    "an update with a missing parent",
    "a contribution from a provider without the right",
    "a cycle in parents",
    "a contribution with NaN",
    "a contribution with wrong shapes",
    "a contribution with a wrong parent",
    "a contribution of a huge norm",
    "two providers with one name",
    "a revoked key",
    "a policy that excludes everything",
)


def table() -> dict[str, list[str]]:
    """The tests of each line of the table."""
    section = DOCUMENT.partition("### Bad input")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip(): re.findall(r"`(test_\w+)`", row[2]) for row in rows[2:]}


def test_every_line_has_a_test_that_is_there() -> None:
    defined = {
        name
        for path in TESTS.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert set(ISSUES) <= set(table())
    for line, tests in table().items():
        assert tests, line
        assert set(tests) <= defined, line


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    """What `midstream log` says."""

    def typed(*words: str | Path) -> str:
        assert main(["log", *map(str, words), "net"]) == 0
        return " ".join(capsys.readouterr().out.split())

    return typed


# --- updates ---------------------------------------------------------------------------------


def touched(number: int) -> bytes:
    """The model of a release: a few weights of each are other ones, so that updates are small."""
    made = bytearray(tuned(1))
    tensor = holes_of(tuned(1))[0]
    weights = np.frombuffer(made, "<f4", offset=tensor.offset, count=tensor.weights)
    weights[: 8 * number - 8] += 0.01 * number
    return bytes(made)


@dataclass(frozen=True)
class Fleet:
    """A device that holds the first release, of an origin that comes to have the third."""

    origin: Path
    repo: Path
    store: Path

    def listed(self, parent: int, to: int) -> UpdateEntry:
        """The exact update from one release to another, as the publisher made it."""
        found = updates_of(history.manifest_of(self.repo, "net", None))
        (made,) = [u for u in found if (u.parent, u.release, u.rung) == (parent, to, None)]
        return made

    async def refuses(self, *updates: UpdateEntry, listed: Extension | None = None) -> None:
        """Release 4, which is 3 again, comes by its units, though these updates are signed for."""
        third = history.manifest_of(self.repo, "net", None)
        fourth = with_updates(replace(third, release=4, extensions=()), updates)
        extensions = fourth.extensions if listed is None else (listed,)
        async with delivering(self.origin, store=self.store) as (delivery, events):
            await delivery.complete()
            resign(self.repo, replace(fourth, extensions=extensions))
            put(self.repo, self.origin)
            await delivery.check()
            await delivery.complete()
            assert [e.release for e in events if isinstance(e, UpdateRefused)] == [4]
            assert await delivery.rebuild() == touched(3)
            assert await delivery.rebuild(release=1) == touched(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    publisher = Publisher(folder / "repo", signer=publishers_key())
    publisher.publish(touched(1), name="net", ladder=LADDER)
    put(folder / "repo", folder / "origin")
    for number in (2, 3):
        publisher.publish(touched(number), name="net", ladder=LADDER)
    return folder


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Fleet:
    put(made, tmp_path)
    return Fleet(tmp_path / "origin", tmp_path / "repo", tmp_path / "store")


async def test_an_update_for_another_release_is_refused(fleet: Fleet, log: Log) -> None:
    """It is listed as from the first release, and is from the second."""
    await fleet.refuses(replace(fleet.listed(2, 3), parent=1, release=4))
    assert WRONG_UPDATE.search(log("--store", fleet.store))


async def test_an_update_applied_twice_is_refused(fleet: Fleet, log: Log) -> None:
    first = replace(fleet.listed(1, 2), release=3)
    await fleet.refuses(first, replace(first, parent=3, release=4))
    assert WRONG_UPDATE.search(log("--store", fleet.store))


async def test_updates_out_of_order_are_refused(fleet: Fleet, log: Log) -> None:
    first = replace(fleet.listed(2, 3), parent=1, release=3)
    await fleet.refuses(first, replace(fleet.listed(1, 2), parent=3, release=4))
    assert WRONG_UPDATE.search(log("--store", fleet.store))


async def test_a_cycle_in_parents_is_refused(fleet: Fleet, log: Log) -> None:
    """From the third release to itself: no such list can be built, so it is written by hand."""
    made = fleet.listed(2, 3)
    out = Writer().varint(1).varint(3).varint(0).raw(made.parent_id).varint(made.work)
    write_entry(out, made.unit)
    await fleet.refuses(listed=Extension(tag=TAG, value=out.bytes()))
    said = log("--store", fleet.store)
    assert WRONG_UPDATE.search(said)
    assert "an update from release 3 to release 3" in said


def test_an_update_with_a_missing_parent_is_refused(fleet: Fleet, log: Log) -> None:
    """By the publisher; a client that does not hold the parent passes the update by."""
    publisher = Publisher(fleet.repo, signer=publishers_key())
    with pytest.raises(UsageError, match="no release 9 to update from") as caught:
        publisher.publish(touched(4), name="net", ladder=LADDER, updates=UpdatePolicy(only=9))
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert re.search(r"update │ [^│]*no release 9 to update from[^│]*\[NOT", log(fleet.repo))
    assert not cheapest((fleet.listed(2, 3),), frozenset({1}), 3, memory=1 << 30)


def test_a_unit_is_refused_by_itself_where_it_does_not_fit() -> None:
    """What is held stays as it is, whatever a manifest says."""
    state, unit = exact(tuned(2)), encode_update(exact(tuned(1)).topology, tuned(1), tuned(2))
    with pytest.raises(BitstreamError, match="update") as caught:
        apply_update(state, unit)
    assert caught.value.code is ErrorCode.WRONG_PARENT
    assert state.model == tuned(2)


def exact(data: bytes) -> Exact:
    return Exact(topology=Topology.cut(data, holes_of(data)), model=data)


# --- contributions ---------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "repo")


def left_out(place: Place, bad: bytes, code: str, log: Log) -> None:
    """A parcel is refused and told; alone it makes no release, and others go on without it."""
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([bad])
    assert history.manifest_of(place.folder, "net", None).release == 1
    assert place.refusals()[0] == ("north", code)
    assert re.search(rf"contribution of north │ [^│]*\[{code}\]", log(place.folder))
    found = place.merge([place.parcel("east"), bad])
    assert found.merged.shares == {"east": 1.0}


def test_a_contribution_without_the_right_is_refused(place: Place, log: Log) -> None:
    left_out(place, place.parcel("north", key=signer(99)), "BAD_SIGNATURE", log)
    stranger = sealed("north", b"").replace(b"north", b"nobod")
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([stranger], release=1)
    assert place.refusals()[-1] == ("nobod", "UNKNOWN_ROLE")
    assert "contribution of nobod" in log(place.folder)


def test_a_contribution_that_is_not_finite_is_refused(place: Place, log: Log) -> None:
    left_out(place, sealed("north", not_finite(model())), "BAD_FIELD", log)


def test_a_contribution_of_wrong_shapes_is_refused(place: Place, log: Log) -> None:
    left_out(place, sealed("north", of_other_shape(model())), "BAD_SYMBOL", log)


def test_a_contribution_with_a_wrong_parent_is_refused(place: Place, log: Log) -> None:
    left_out(place, place.parcel("north", parent=model(0.5)), "WRONG_PARENT", log)


def test_a_contribution_by_a_revoked_key_is_refused(place: Place, log: Log) -> None:
    parcel = place.parcel("north")
    place.providers.revoke("net", "north")
    left_out(place, parcel, "UNKNOWN_ROLE", log)


def test_a_revoked_key_is_not_delegated_again(place: Place, log: Log) -> None:
    key = signer(50 + NAMES.index("north")).public
    place.providers.revoke("net", "north")
    for name in ("north", "other"):
        with pytest.raises(TrustError, match="was revoked"):
            place.providers.add("net", name, [key])
    assert place.refusals() == [("north", "BAD_KEY"), ("other", "BAD_KEY")]
    assert "delegation of other" in log(place.folder)


def test_a_contribution_of_a_huge_norm_is_refused(place: Place, log: Log) -> None:
    """A merge leaves it out by name, which the release says; as an adapter it is refused."""
    huge = place.parcel("south", -3000.0)
    found = place.merge([*place.parcels()[:2], huge])
    assert list(found.merged.refused) == ["south"]
    assert "norm" in found.merged.refused["south"]
    place.adapters.sign_policy("net", "city", CITY)
    with pytest.raises(UsageError, match="all adapters are refused"):
        place.adapters.offer("net", [huge], release=1)
    assert place.refusals() == [("south", "OVER_LIMIT")]
    said = log(place.folder)
    assert "left out of it: south" in said
    assert "adapter of south │ adapter of south: norm" in said


def test_a_contribution_over_the_quota_is_refused(place: Place, log: Log) -> None:
    place.providers.add("net", "little", [signer(77).public], quota=100)
    change = np.random.default_rng(1).standard_normal(1200, "<f4")
    unit = encode_contribution(model(), change, share=0.2)
    made = Parcel(provider="little", version=1, release=1, unit=unit, evidence=Evidence())
    until = place.clock().replace(microsecond=0) + timedelta(days=1)
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([seal_parcel(made, "net", [signer(77)], until)])
    assert place.refusals()[0] == ("little", "OVER_LIMIT")
    assert re.search(
        r"contribution of little │ [^│]*, at most 100 \[OVER_LIMIT\]", log(place.folder)
    )


def test_a_merge_whose_sums_are_not_finite_is_refused(place: Place, log: Log) -> None:
    """The contributions are finite each; alone, a gate for each leaves it out."""
    change = np.full(1200, 3e38, "<f4")
    place.merge([sealed("south", encode_contribution(model(), change, share=0.9))])
    huge = history.exact_model(place.folder, history.manifest_of(place.folder, "net", None))
    more = sealed("west", encode_contribution(huge, change, share=0.9), release=2)
    with pytest.raises(BitstreamError, match="would not be finite"):
        place.merge([more])
    assert place.refusals() == [("west", "BAD_FIELD")]
    assert re.search(r"merge of west │ [^│]*\[BAD_FIELD\]", log(place.folder))
    each = MergePolicy(rule=Rule.MEAN, gates_each=True)
    small = place.parcel("east", -1.0, release=2, parent=huge)
    assert "not be finite" in place.merge([small, more], each, gate=len).merged.refused["west"]


def test_a_merge_of_a_release_that_is_not_there_is_refused(place: Place, log: Log) -> None:
    with pytest.raises(UsageError, match="no release 9"):
        place.merge(place.parcels(), release=9)
    assert re.search(r"merge │ [^│]*no release 9[^│]*\[NOT_FOUND\]", log(place.folder))


def test_two_providers_with_one_name_are_refused(place: Place, log: Log) -> None:
    with pytest.raises(UsageError, match="there is one of that name") as caught:
        place.providers.add("net", "east", [signer(77).public])
    assert caught.value.code is ErrorCode.BAD_NAME
    assert [one.name for one in place.providers.listed("net")] == list(NAMES)
    assert re.search(r"delegation of east │ [^│]*\[BAD_NAME\]", log(place.folder))


def test_a_merge_that_excludes_everything_is_refused(place: Place, log: Log) -> None:
    found = iter([1.0, 0.0, 0.0])
    policy = MergePolicy(rule=Rule.MEAN, gates_each=True)
    with pytest.raises(UsageError, match="nothing is left, east: the gate says 0") as caught:
        place.merge(place.parcels()[:2], policy, gate=lambda _: next(found))
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
    assert place.refusals() == [("east, north", "BAD_ARGUMENT")]
    assert history.manifest_of(place.folder, "net", None).release == 1
    assert re.search(r"merge of east, north │ [^│]*\[BAD_ARGUMENT\]", log(place.folder))


# --- adapters on a device --------------------------------------------------------------------


async def test_adapters_of_who_was_revoked_are_refused_by_clients(place: Place, log: Log) -> None:
    """What runs goes on: the release itself, to the bit."""
    policy = AdapterPolicy(
        network="net", parts=(PolicyPart(provider="south", is_required=True),), largest_norm=100.0
    )
    place.adapters.offer("net", [place.parcel("south")])
    place.adapters.sign_policy("net", "city", policy)
    place.providers.revoke("net", "south")
    store = place.folder.parent / "store"
    async with connected(place, store=store) as (live, _):
        await live.complete()
        assert live.generation is not None
        assert live.generation.sha256 == hashlib.sha256(model()).hexdigest()
    wanted = r"adapters to release 1 │ [^│]*south is no provider of net any more \[UNKNOWN_ROLE\]"
    assert re.search(wanted, log("--store", store))


async def test_a_policy_that_leaves_nothing_is_refused_by_clients(place: Place, log: Log) -> None:
    place.adapters.sign_policy("net", "city", CITY)
    store = place.folder.parent / "store"
    async with connected(place, store=store) as (live, _):
        await live.complete()
        assert live.generation is not None
        assert live.generation.sha256 == hashlib.sha256(model()).hexdigest()
    said = log("--store", store)
    assert "adapters to release 1 │ policy: nothing is left to merge" in said
    assert "[NOT_FOUND]" in said
