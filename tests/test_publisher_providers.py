"""Providers contribute, a publisher merges, clients get a release that says what it is of."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import midstream
from midstream.errors import (
    BitstreamError,
    ErrorCode,
    FormatError,
    MidstreamError,
    StoreError,
    UsageError,
)
from midstream.merging import MergePolicy, Rule
from midstream.publisher import history
from midstream.publisher.audit import audit
from midstream.publisher.contributing import contribute, read_left_over, write_left_over
from midstream.publisher.providers import Providers
from midstream.trust import layout, manifest
from midstream.trust.keys import KeyRing
from midstream.trust.provenance import Part, Provenance, encode, provenance_of
from providing import NAMES, POLICY, Place, distance, model
from trusting import ring, signer, unsignable

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "repo")


def test_a_merged_release_is_better_and_says_what_it_is_of(place: Place) -> None:
    found = place.merge(place.parcels())
    described = history.manifest_of(place.folder, "net", None)
    assert described.release == found.release.number == 2
    assert distance(history.exact_model(place.folder, described)) < 0.9 * distance(model())
    made = provenance_of(described)
    assert made is not None
    assert (made.parent, made.rule, made.gate) == (1, "mean", None)
    assert [(p.provider, p.share, p.refused) for p in made.parts] == [
        (name, 0.25, "") for name in NAMES
    ]
    for part in made.parts:
        assert (place.folder / layout.parcel_path("net", part.provider, part.version)).is_file()


def test_clients_fetch_a_merged_release_as_any_other(place: Place) -> None:
    place.merge(place.parcels())

    async def fetch() -> bytes:
        root = (place.folder / "1.root.json").read_bytes()
        async with midstream.Delivery.open(str(place.folder), "net", root=root) as delivery:
            await delivery.complete()
            return bytes(await delivery.rebuild())

    described = history.manifest_of(place.folder, "net", None)
    assert asyncio.run(fetch()) == history.exact_model(place.folder, described)


def test_a_malicious_provider_is_left_out_and_named(place: Place) -> None:
    parcels = [place.parcel(name, -30.0 if name == "south" else 1.0) for name in NAMES]
    found = place.merge(parcels)
    assert list(found.merged.refused) == ["south"]
    made = provenance_of(history.manifest_of(place.folder, "net", None))
    assert made is not None
    assert [part.provider for part in made.parts if "norm" in part.refused] == ["south"]


def test_a_gate_is_in_the_provenance(place: Place) -> None:
    place.merge(place.parcels(), gate=lambda data: -distance(data))
    made = provenance_of(history.manifest_of(place.folder, "net", None))
    assert made is not None
    assert made.gate is not None
    assert made.gate[1] > made.gate[0]


def test_a_merge_that_the_gate_refuses_publishes_nothing_and_is_put_down(place: Place) -> None:
    with pytest.raises(UsageError, match="the gate says"):
        place.merge(place.parcels(), gate=distance)
    assert history.manifest_of(place.folder, "net", None).release == 1
    assert place.refusals() == [("east, north, south, west", "BAD_ARGUMENT")]


def test_what_was_merged_is_not_merged_again(place: Place) -> None:
    parcels = place.parcels()
    place.merge(parcels)
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge(parcels, release=1)
    assert place.refusals()[:4] == [(name, "ROLLBACK") for name in NAMES]


def test_what_was_left_out_may_come_again(place: Place) -> None:
    policy = MergePolicy(rule=Rule.MEAN, never_together=(frozenset({"east", "west"}),))
    parcels = place.parcels()
    place.merge(parcels, policy)
    found = place.merge(parcels[-1:], release=1)
    assert found.merged.shares == {"west": 1.0}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"release": 7}, "WRONG_PARENT"),
        ({"parent": model(0.5)}, "WRONG_PARENT"),
        ({"network": "other"}, "NOT_FOUND"),
        ({"key": signer(99)}, "BAD_SIGNATURE"),
        ({"now": datetime(2020, 1, 1, tzinfo=UTC)}, "EXPIRED"),
    ],
)
def test_one_bad_parcel_is_put_down_and_the_others_are_merged(
    place: Place, changes: dict[str, Any], code: str
) -> None:
    parcels = [place.parcel("east"), place.parcel("north", **changes), place.parcel("south")]
    said: list[str] = []
    found = place.merge(parcels, progress=said.append)
    assert sorted(found.merged.shares) == ["east", "south"]
    assert place.refusals() == [("north", code)]
    assert any(line.startswith("refused: ") and code in line for line in said)


def test_what_is_no_parcel_is_put_down(place: Place) -> None:
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([b"", b"MDB\0 and nothing"])
    (refused,) = history.refusals(place.folder, "net")
    assert (refused.provider, refused.times) == ("unknown", 2)


def test_a_parcel_that_nobody_can_sign_stops_no_merge(place: Place) -> None:
    parcels = [place.parcel("east"), unsignable(place.parcel("north")), place.parcel("south")]
    found = place.merge(parcels)
    assert sorted(found.merged.shares) == ["east", "south"]
    assert place.refusals() == [("north", "BAD_METADATA")]


def test_two_parcels_of_one_provider_are_not_both_merged(place: Place) -> None:
    found = place.merge([place.parcel("east"), place.parcel("east", 0.5)])
    assert found.merged.shares == {"east": 1.0}
    assert place.refusals() == [("east", "BAD_ARGUMENT")]


def test_a_revoked_provider_is_found_in_what_it_touched_and_reverted(place: Place) -> None:
    place.merge(place.parcels())
    assert place.providers.revoke("net", "south") == (2,)
    assert [one.name for one in place.providers.listed("net")] == ["east", "north", "west"]
    late = place.parcel("south", release=2, parent=_newest(place))
    with pytest.raises(UsageError, match="nothing is left"):
        place.merge([late])
    assert place.refusals()[0] == ("south", "UNKNOWN_ROLE")
    assert place.providers.revert("net", 1).number == 3
    assert _newest(place) == model()


def test_what_came_of_a_release_that_a_revoked_provider_counted_in_is_found_too(
    place: Place,
) -> None:
    place.merge(place.parcels())
    later = place.parcel("east", release=2, parent=_newest(place))
    place.merge([later])
    place.providers.revert("net", 1)
    place.merge([place.parcel("west", release=4, parent=_newest(place))])
    place.providers.revert("net", 3)
    assert place.providers.revoke("net", "south") == (2, 3, 6)
    assert place.providers.revoke("net", "west") == (2, 3, 5, 6)


def _units(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "units").rglob("*.*")}


def test_a_revert_lists_the_units_that_are_there(place: Place) -> None:  # CON-16
    place.merge(place.parcels())
    first = history.manifest_of(place.folder, "net", 1)
    before = _units(place.folder)
    release = place.providers.revert("net", 1)
    assert release.manifest.units == first.units
    assert release.manifest.model_sha256 == first.model_sha256
    assert provenance_of(release.manifest) == Provenance(parent=1, rule="revert", parts=())
    added = _units(place.folder).keys() - before.keys()
    assert {name.split(".")[0] for name in added} <= {u.unit.id for u in release.updates}
    assert [update.parent for update in release.updates if update.rung is None] == [1, 2]
    (found,) = audit(place.folder, (place.folder / "1.root.json").read_bytes())
    assert found.release == 3


def test_a_lossy_update_to_the_units_that_it_is_from_is_not_made(place: Place) -> None:
    publisher = midstream.Publisher(place.folder, signer=ring(), clock=place.clock)
    publisher.publish(model(), name="net", ladder=("2.5b", "exact"))
    publisher.publish(model(0.01), name="net", ladder=("2.5b", "exact"))
    parents = {u.parent for u in place.providers.revert("net", 2).updates if u.rung is not None}
    assert parents == {3}


def test_a_release_without_an_exact_unit_is_reverted_to(place: Place) -> None:
    publisher = midstream.Publisher(place.folder, signer=ring(), clock=place.clock)
    lossy = publisher.publish(model(), name="net", ladder="20dB").manifest
    publisher.publish(model(0.5), name="net", ladder="exact")
    assert place.providers.revert("net", 2).manifest.units == lossy.units


def test_what_goes_with_a_unit_is_made_again_where_it_is_lost(place: Place) -> None:
    before = _units(place.folder)
    base = history.manifest_of(place.folder, "net", 1).base
    for path in (base.hashes_path, base.repair_path):
        (place.folder / path).unlink()
    place.providers.revert("net", 1)
    assert {name: _units(place.folder)[name] for name in before} == before


def test_a_unit_that_is_lost_or_damaged_is_not_reverted_to(place: Place) -> None:  # CON-16
    file = place.folder / history.manifest_of(place.folder, "net", 1).base.path
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BitstreamError, match="not what its manifest names"):
        place.providers.revert("net", 1)
    file.unlink()
    with pytest.raises(UsageError, match=file.name):
        place.providers.revert("net", 1)
    assert history.manifest_of(place.folder, "net", None).release == 1


def _newest(place: Place) -> bytes:
    return history.exact_model(place.folder, history.manifest_of(place.folder, "net", None))


def test_a_release_without_an_exact_unit_cannot_be_contributed_to(place: Place) -> None:
    publisher = midstream.Publisher(place.folder, signer=ring(), clock=place.clock)
    publisher.publish(model(), name="net", ladder="20dB")
    with pytest.raises(BitstreamError, match="no exact unit") as caught:
        place.merge(place.parcels())
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_a_release_that_is_not_there_is_said(place: Place) -> None:
    with pytest.raises(UsageError, match=r"no release 9.*it has 1"):
        place.merge([], release=9)
    with pytest.raises(UsageError, match="no network 'other'"):
        place.providers.merge("other", [], policy=POLICY)


def test_what_a_killed_publisher_never_signed_is_no_release(place: Place) -> None:
    """Neither of the next number nor of one that was signed after all."""
    part = Part(provider="east", version=1 << 40, unit=bytes(16), share=1.0)
    made = Provenance(parent=1, rule="mean", parts=(part,))
    signed = history.manifest_of(place.folder, "net", None)
    for number in (1, 2):
        orphan = replace(signed, release=number, extensions=(encode(made),))
        data = manifest.encode(orphan)
        path = layout.manifest_path("net", number, hashlib.sha256(data).hexdigest())
        (place.folder / path).write_bytes(data)
    assert history.releases(place.folder, "net") == (signed,)
    assert place.merge(place.parcels()).release.number == 2


def test_a_role_that_was_signed_but_never_led_to_makes_no_release(place: Place) -> None:
    """A publisher that was killed between the network's role and the timestamp."""
    before = {path: (place.folder / path).read_bytes() for path in _leading(place)}
    place.merge(place.parcels())
    for path, data in before.items():
        (place.folder / path).write_bytes(data)
    assert [one.release for one in history.releases(place.folder, "net")] == [1]
    assert history.taken(place.folder, "net") == {}
    assert place.merge(place.parcels()).release.number == 2


def _leading(place: Place) -> list[str]:
    """What leads a reader to the other files."""
    return [layout.TIMESTAMP_PATH, f"{layout.TIMESTAMP_PATH}.repair"]


def test_two_merges_at_one_time_do_not_count_a_parcel_twice(place: Place) -> None:
    """[CON-8]."""
    parcels = place.parcels()
    others = Providers(place.folder, signer=ring(), clock=place.clock)
    met: list[MidstreamError] = []

    def merge_meanwhile(_: bytes) -> float:
        if not met:
            with pytest.raises(StoreError, match="another merge") as caught:
                others.merge("net", parcels, policy=POLICY, ladder="exact", release=1)
            met.append(caught.value)
        return 0.0

    place.merge(parcels, gate=merge_meanwhile)
    assert [one.release for one in history.releases(place.folder, "net")] == [1, 2]
    assert met
    with pytest.raises(UsageError, match="nothing is left"):
        others.merge("net", parcels, policy=POLICY, ladder="exact", release=1)


def test_nobody_is_revoked_while_contributions_are_merged(place: Place) -> None:
    """Else what was just revoked would still be merged."""

    def revoke_meanwhile(_: bytes) -> float:
        with pytest.raises(StoreError, match="another merge"):
            place.providers.revoke("net", "south")
        return 0.0

    place.merge(place.parcels(), gate=revoke_meanwhile)
    assert place.providers.revoke("net", "south") == (2,)


def test_a_damaged_record_of_refusals_does_not_stop_a_merge(place: Place) -> None:
    path = place.folder / ".refused" / "net.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"at": 1}\n')
    place.merge([*place.parcels(), b""])
    assert place.refusals() == [("unknown", "BAD_LENGTH")]


def test_what_is_left_over_is_kept_for_the_next_contribution(place: Place, tmp_path: Path) -> None:
    keys = KeyRing(signers={"east": (signer(50),)})
    _, left = contribute(
        model(), model(1.0), network="net", release=1, provider="east", keys=keys,
        now=place.clock(), share=0.05,
    )  # fmt: skip
    write_left_over(tmp_path / "left.npy", left)
    kept = read_left_over(tmp_path / "left.npy")
    assert kept is not None
    assert np.array_equal(kept, left)
    assert np.linalg.norm(left) > 0
    assert read_left_over(tmp_path / "nothing.npy") is None
    with pytest.raises(UsageError, match="left over"):
        contribute(
            model(), model(1.0), network="net", release=1, provider="east", keys=keys,
            now=place.clock(), left_over=left[:-1],
        )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_what_is_left_over_may_be_no_array(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "left.npy").write_bytes(content)
    with pytest.raises(FormatError):
        read_left_over(tmp_path / "left.npy")
    np.save(tmp_path / "left.npy", np.zeros((2, 2)))
    with pytest.raises(FormatError, match="vector"):
        read_left_over(tmp_path / "left.npy")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"provider": "East"}, ErrorCode.BAD_NAME),
        ({"network": "net.providers"}, ErrorCode.BAD_NAME),
        ({"keys": KeyRing(signers={})}, ErrorCode.BAD_KEY),
    ],
)
def test_a_contribution_that_makes_no_sense_is_not_made(
    place: Place, changes: dict[str, Any], code: ErrorCode
) -> None:
    values: dict[str, Any] = {
        "network": "net",
        "release": 1,
        "provider": "east",
        "keys": KeyRing(signers={"east": (signer(50),)}),
        "now": place.clock(),
    }
    with pytest.raises(MidstreamError) as caught:
        contribute(model(), model(1.0), **(values | changes))
    assert caught.value.code is code
