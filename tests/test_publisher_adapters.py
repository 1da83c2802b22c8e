"""Adapters are offered, policies signed; what clients would refuse is refused and in the log."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midstream.errors import (
    BitstreamError,
    DataError,
    ErrorCode,
    LimitError,
    MidstreamError,
    UsageError,
)
from midstream.publisher import history
from midstream.publisher.adapters import default_norm, listed
from midstream.publisher.audit import audit
from midstream.trust import layout
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from providing import NAMES, Place, model, not_finite, of_other_shape, sealed
from trusting import signer

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "repo")


def policy(*names: str, required: str = "", **changes: Any) -> AdapterPolicy:
    parts = tuple(PolicyPart(provider=name, is_required=name in required) for name in names)
    values: dict[str, Any] = {"network": "net", "parts": parts, "largest_norm": 100.0}
    return AdapterPolicy(**(values | changes))


def test_what_is_offered_and_signed_is_listed(place: Place) -> None:
    assert place.adapters.sign_policy("net", "early", policy("east")) is None  # no offer yet
    assert place.adapters.offer("net", place.parcels()) == tuple(sorted(NAMES))
    made = policy("east", "west", never_together=(frozenset({"east", "west"}),))
    found = place.adapters.sign_policy("net", "city", made)
    assert found is not None
    assert list(found.shares) == ["east"]
    signed = listed(place.folder, "net")
    assert signed.policies == {"early": policy("east"), "city": made}
    assert sorted(signed.sizes[1]) == sorted(NAMES)


def test_what_is_on_offer_is_verified_with_the_repository(place: Place) -> None:
    root = (place.folder / layout.PINNED_ROOT).read_bytes()
    place.adapters.offer("net", place.parcels())
    place.adapters.sign_policy("net", "city", policy("east"))
    assert [one.name for one in audit(place.folder, root)] == ["net"]
    offered = place.folder / layout.TARGETS / layout.providers_role("net")
    for kind in ("parcel", "policy"):
        file = next(offered.glob(f"*.{kind}"))
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(DataError, match=r"net\.providers"):
            audit(place.folder, root)
        file.write_bytes(data)
    assert audit(place.folder, root)


def test_a_policy_is_replaced_by_one_of_its_name(place: Place) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    place.adapters.sign_policy("net", "city", policy("west"))
    assert listed(place.folder, "net").policies == {"city": policy("west")}


def test_an_adapter_takes_the_place_of_its_provider_s_last_one(place: Place) -> None:
    first, second = place.parcel("east"), place.parcel("east", 0.5)
    place.adapters.offer("net", [first])
    place.adapters.offer("net", [second])
    assert listed(place.folder, "net").sizes[1] == {"east": len(second)}
    with pytest.raises(UsageError, match="all adapters are refused"):
        place.adapters.offer("net", [first])
    assert place.refusals() == [("east", "ROLLBACK")]


BAD: dict[str, tuple[Any, str]] = {
    "to another release": (lambda p: p.parcel("north", release=7), "WRONG_PARENT"),
    "to another model": (lambda p: p.parcel("north", parent=model(0.5)), "WRONG_PARENT"),
    "of another key": (lambda p: p.parcel("north", key=signer(99)), "BAD_SIGNATURE"),
    "not finite": (lambda _: sealed("north", not_finite(model())), "BAD_FIELD"),
    "of other shapes": (lambda _: sealed("north", of_other_shape(model())), "BAD_SYMBOL"),
    "of a huge norm": (lambda p: p.parcel("north", -3000.0), "OVER_LIMIT"),
}


@pytest.mark.parametrize(("make", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_adapter_is_put_down_and_the_others_are_on_offer(
    place: Place, make: Any, code: str
) -> None:
    """[CON-10]."""
    place.adapters.sign_policy("net", "city", policy("east", "north"))
    assert place.adapters.offer("net", [place.parcel("east"), make(place)]) == ("east",)
    assert place.refusals() == [("north", code)]
    assert listed(place.folder, "net").sizes[1].keys() == {"east"}


def test_a_policy_of_a_stranger_is_refused_and_put_down(place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        place.adapters.sign_policy("net", "city", policy("east", "nobody"))
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE
    assert place.refusals() == [("policy city", "UNKNOWN_ROLE")]
    assert listed(place.folder, "net").policies == {}


def test_a_policy_whose_combination_is_excluded_is_refused(place: Place) -> None:
    """It requires what never goes together; such a policy cannot even be built."""
    apart = (frozenset({"east", "west"}),)
    with pytest.raises(BitstreamError, match="both required, and never together"):
        policy("east", "west", required="east west", never_together=apart)


def test_a_policy_that_excludes_everything_on_offer_is_refused_and_put_down(place: Place) -> None:
    place.adapters.offer("net", [place.parcel("east")])
    with pytest.raises(MidstreamError, match="nothing is left to merge"):
        place.adapters.sign_policy("net", "city", policy("east", largest_norm=1e-6))
    assert place.refusals() == [("policy city", "NOT_FOUND")]


def test_a_policy_that_requires_what_it_cannot_bear_is_refused(place: Place) -> None:
    place.adapters.offer("net", [place.parcel("east")])
    made = policy("east", required="east", largest_norm=1e-6)
    with pytest.raises(LimitError, match="adapter of east: norm"):
        place.adapters.sign_policy("net", "city", made)


def test_a_revoked_provider_is_off_offer(place: Place) -> None:
    place.adapters.offer("net", place.parcels())
    place.providers.revoke("net", "south")
    assert listed(place.folder, "net").sizes[1].keys() == set(NAMES) - {"south"}
    with pytest.raises(UsageError, match="refused"):
        place.adapters.offer("net", [place.parcel("south")])
    assert place.refusals() == [("south", "UNKNOWN_ROLE")]


def test_what_is_withdrawn_is_off_offer_and_may_come_again(place: Place) -> None:
    parcels = place.parcels()
    place.adapters.offer("net", parcels)
    place.adapters.withdraw("net", "east")
    assert "east" not in listed(place.folder, "net").sizes[1]
    with pytest.raises(UsageError, match="nothing of it is on offer"):
        place.adapters.withdraw("net", "east")
    assert place.adapters.offer("net", parcels[:1]) == ("east",)


def test_adapters_to_releases_of_the_past_are_let_go(place: Place) -> None:
    place.adapters.offer("net", [place.parcel("east")])
    for number in (2, 3):
        place.providers.revert("net", 1)
        newest = history.exact_model(place.folder, history.manifest_of(place.folder, "net", number))
        parcel = place.parcel("west", release=number, parent=newest)
        place.adapters.offer("net", [parcel])
    assert listed(place.folder, "net").sizes.keys() == {2, 3}
    role = history.manifest_of(place.folder, "net", None)
    assert role.release == 3


def test_an_offer_to_another_release_than_the_last_is_said_to_be_one(place: Place) -> None:
    told: list[str] = []
    place.adapters.offer("net", [place.parcel("east")], progress=told.append)
    assert told == []
    place.providers.revert("net", 1)
    place.adapters.offer("net", [place.parcel("west")], release=1, progress=told.append)
    assert told == ["release 2 is the last one: who has it merges nothing of 1"]


def test_files_are_there_before_what_lists_them(place: Place) -> None:
    """[TRU-13], and as consistent snapshots have it."""
    place.adapters.offer("net", [place.parcel("east")])
    folder = place.folder / "targets" / "net.providers"
    (file,) = folder.glob("*.1.east.parcel")
    assert layout.stored_path("net.providers/1.east.parcel", file.name[:64]).endswith(file.name)
    assert file.with_name(file.name + ".repair").is_file()


def test_a_norm_is_a_quarter_of_the_weights_where_nobody_says(place: Place) -> None:
    weights = np.frombuffer(model()[-4 * 1200 :], "<f4").astype(float)
    assert default_norm(place.folder, "net") == pytest.approx(np.linalg.norm(weights) / 4)


def test_a_name_that_is_none_is_refused(place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        place.adapters.sign_policy("net", "City A", policy("east"))
    assert caught.value.code is ErrorCode.BAD_NAME
