"""Reverts to what a revoked provider contributed: refused, unless the publisher says otherwise."""

from collections import Counter
from pathlib import Path

import pytest

from faults import Fault, Faults
from midstream.errors import ErrorCode, UsageError
from midstream.publisher import history
from midstream.trust import layout
from midstream.trust.provenance import provenance_of
from providing import Place
from trusting import signer

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """South and west counted in release 2, east in release 3, which came of it; 4 is 1 again."""
    made = Place(tmp_path / "repo")
    made.merge([made.parcel("south"), made.parcel("west")])
    newest = history.exact_model(made.folder, history.manifest_of(made.folder, "net", None))
    made.merge([made.parcel("east", release=2, parent=newest)])
    made.providers.revert("net", 1)
    return made


def refused(place: Place, release: int, *despite: str) -> str:
    """What is said; nothing is published."""
    before = history.manifest_of(place.folder, "net", None)
    with pytest.raises(UsageError) as caught:
        place.providers.revert("net", release, despite=despite)
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE
    assert history.manifest_of(place.folder, "net", None) == before
    return caught.value.message


def test_a_revert_to_what_a_revoked_provider_contributed_is_refused(place: Place) -> None:
    """CON-19: the release that it counted in, and what came of that."""
    place.providers.revoke("net", "south")
    assert refused(place, 2) == (
        "net release 2 holds what south contributed to release 2, revoked since; release 1 is the "
        "last before it without that; to publish it all the same, name them as `despite`"
    )
    assert "release 3 holds what south contributed to release 2" in refused(place, 3)
    assert place.refusals() == [("revert", "UNKNOWN_ROLE")] * 2
    assert [one.release for one in history.refusals(place.folder, "net")] == [2, 3]
    assert place.providers.revert("net", 1).number == 5


def test_it_comes_back_where_the_publisher_names_all_of_them(place: Place) -> None:
    """CON-19."""
    for name in ("south", "east"):
        place.providers.revoke("net", name)
    assert place.providers.revoked_in("net", 3) == {"east": (3,), "south": (2,)}
    assert "holds what east contributed to release 3, revoked" in refused(place, 3, "south", "west")
    release = place.providers.revert("net", 3, despite=("south", "east"))
    made = provenance_of(release.manifest)
    assert release.number == 5
    assert made is not None
    assert made.parent == 3
    assert "south contributed to release 2" in refused(place, 5, "east")


def test_a_provider_that_came_again_with_other_keys_is_not_who_was_revoked(place: Place) -> None:
    place.providers.revoke("net", "south")
    place.providers.add("net", "south", [signer(70).public])
    assert "south contributed to release 2" in refused(place, 2)
    newest = history.exact_model(place.folder, history.manifest_of(place.folder, "net", None))
    place.merge([place.parcel("south", key=signer(70), release=4, parent=newest)])
    assert place.providers.revoked_in("net", 5) == {}


def test_of_parcels_that_are_gone_the_name_tells_who_it_was(place: Place) -> None:
    parcels = place.folder / layout.parcel_path("net", "south", 1)
    for path in parcels.parent.iterdir():
        path.unlink()
    assert place.providers.revoked_in("net", 2) == {}
    place.providers.revoke("net", "south")
    assert place.providers.revoked_in("net", 2) == {"south": (2,)}


def test_whom_no_provider_was_taken_from_goes_back_as_ever(place: Place) -> None:
    assert place.providers.revert("net", 3).number == 5
    assert place.refusals() == []


def test_a_revert_that_is_refused_otherwise_is_put_down_too(place: Place) -> None:
    with pytest.raises(UsageError, match="no release 9"):
        place.providers.revert("net", 9)
    assert place.refusals() == [("revert", "NOT_FOUND")]


def test_a_log_that_cannot_be_written_hides_no_refusal_and_stops_no_merge(place: Place) -> None:
    place.providers.revoke("net", "south")
    newest = history.exact_model(place.folder, history.manifest_of(place.folder, "net", None))
    parcels = [place.parcel(name, release=4, parent=newest) for name in ("south", "west")]
    said: list[str] = []
    with Faults(place.folder / ".refused", 0, Fault.FULL).installed() as faults:
        assert "No space left on device" in refused(place, 2)
        assert place.merge(parcels, progress=said.append).release.number == 5
    assert faults.happened
    assert any("provider south" in line and "in no log" in line for line in said)
    assert place.refusals() == []


def test_a_refused_revert_reads_each_release_a_few_times_however_many_there_are(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        place.providers.revert("net", 3)
    place.providers.revoke("net", "south")
    reads: list[Path] = []
    read = history.read_given

    def counted(path: Path, *, limit: int) -> bytes:
        reads.append(path)
        return read(path, limit=limit)

    monkeypatch.setattr(history, "read_given", counted)
    assert "release 4 is the last before it without" in refused(place, 12)
    assert max(Counter(path for path in reads if path.suffix == ".manifest").values()) <= 5
