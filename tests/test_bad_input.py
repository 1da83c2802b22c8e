"""What nobody should send: each refused with a clear error, told in the log, and nothing changed.

spec/contributions.md, "Bad input", lists these tests.
"""

import re
from pathlib import Path

import pytest

from midstream.bitstream import Topology
from midstream.decoder import Exact, apply_update
from midstream.encoder.update import encode_update, holes_of
from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher import UpdatePolicy, history
from midstream.publisher.publish import Publisher
from midstream.session.paths import cheapest
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from midstream.trust.updates import UpdateEntry
from midstream.types import UnitKind
from providing import NAMES, Place, model, not_finite, of_other_shape, sealed
from trusting import entry, signer

pytestmark = pytest.mark.once

TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "spec/contributions.md").read_text()
CITY = AdapterPolicy(network="net", parts=(PolicyPart(provider="south"),), largest_norm=100.0)
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


# --- updates ---------------------------------------------------------------------------------


def exact(data: bytes) -> Exact:
    return Exact(topology=Topology.cut(data, holes_of(data)), model=data)


def update(old: bytes, new: bytes) -> bytes:
    return encode_update(exact(old).topology, old, new)


FIRST, SECOND, THIRD = (model(move, seed=1) for move in (0.0, 0.5, 1.0))


def refused(held: bytes, unit: bytes) -> None:
    """The update is for another model, and what is held stays as it is."""
    state = exact(held)
    with pytest.raises(BitstreamError, match="update") as caught:
        apply_update(state, unit)
    assert caught.value.code is ErrorCode.WRONG_PARENT
    assert state.model == held


def test_an_update_applied_twice_is_refused() -> None:
    unit = update(FIRST, SECOND)
    assert apply_update(exact(FIRST), unit).model == SECOND
    refused(SECOND, unit)


def test_updates_out_of_order_are_refused() -> None:
    refused(FIRST, update(SECOND, THIRD))
    refused(THIRD, update(FIRST, SECOND))


def test_an_update_with_a_missing_parent_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path / "repo")
    publisher = Publisher(place.folder, signer=place.keys, clock=place.clock)
    with pytest.raises(UsageError, match="no release 9 to update from; there is 1") as caught:
        publisher.publish(SECOND, name="net", ladder="exact", updates=UpdatePolicy(only=9))
    assert caught.value.code is ErrorCode.NOT_FOUND
    unit = entry(kind=UnitKind.UPDATE)
    listed = (UpdateEntry(parent=2, parent_id=bytes(16), release=3, unit=unit),)
    assert not cheapest(listed, frozenset({1}), 3, memory=1 << 30)


# --- contributions ---------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "repo")


def left_out(place: Place, bad: bytes, code: str) -> None:
    """A parcel is refused and told; alone it makes no release, and others go on without it."""
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([bad])
    assert history.manifest_of(place.folder, "net", None).release == 1
    assert place.refusals()[0] == ("north", code)
    found = place.merge([place.parcel("east"), bad])
    assert found.merged.shares == {"east": 1.0}


def test_a_contribution_without_the_right_is_refused(place: Place) -> None:
    left_out(place, place.parcel("north", key=signer(99)), "BAD_SIGNATURE")
    stranger = sealed("north", b"").replace(b"north", b"nobod")
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([stranger], release=1)
    assert place.refusals()[-1] == ("nobod", "UNKNOWN_ROLE")


def test_a_contribution_that_is_not_finite_is_refused(place: Place) -> None:
    left_out(place, sealed("north", not_finite(model())), "BAD_FIELD")


def test_a_contribution_of_wrong_shapes_is_refused(place: Place) -> None:
    left_out(place, sealed("north", of_other_shape(model())), "BAD_SYMBOL")


def test_a_contribution_with_a_wrong_parent_is_refused(place: Place) -> None:
    left_out(place, place.parcel("north", parent=model(0.5)), "WRONG_PARENT")


def test_a_contribution_by_a_revoked_key_is_refused(place: Place) -> None:
    parcel = place.parcel("north")
    place.providers.revoke("net", "north")
    left_out(place, parcel, "UNKNOWN_ROLE")


def test_a_contribution_of_a_huge_norm_is_refused(place: Place) -> None:
    """A merge leaves it out by name, which the release says; as an adapter it is refused."""
    huge = place.parcel("south", -3000.0)
    found = place.merge([*place.parcels()[:2], huge])
    assert list(found.merged.refused) == ["south"]
    assert "norm" in found.merged.refused["south"]
    place.adapters.sign_policy("net", "city", CITY)
    with pytest.raises(UsageError, match="all adapters are refused"):
        place.adapters.offer("net", [huge], release=1)
    assert place.refusals() == [("south", "OVER_LIMIT")]


def test_two_providers_with_one_name_are_refused(place: Place) -> None:
    with pytest.raises(UsageError, match="there is one of that name") as caught:
        place.providers.add("net", "east", [signer(77).public])
    assert caught.value.code is ErrorCode.BAD_NAME
    assert [one.name for one in place.providers.listed("net")] == list(NAMES)


def test_a_merge_that_excludes_everything_is_refused(place: Place) -> None:
    found = iter([1.0, 0.0, 0.0])
    policy = MergePolicy(rule=Rule.MEAN, gates_each=True)
    with pytest.raises(UsageError, match="nothing is left, east: the gate says 0") as caught:
        place.merge(place.parcels()[:2], policy, gate=lambda _: next(found))
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
    assert place.refusals() == [("east, north", "BAD_ARGUMENT")]
    assert history.manifest_of(place.folder, "net", None).release == 1
