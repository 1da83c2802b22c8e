"""Which unit next, or why none."""

import math

import pytest

from midstream.errors import ErrorCode, UsageError
from midstream.session import Choice, Link, Policy, Wait
from midstream.session.scheduler import Candidate, choose
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import Fidelity, UnitKind


def entry(layer: int, size: int, snr: float, *, parent: int | None) -> UnitEntry:
    return UnitEntry(
        kind=UnitKind.BASE if parent is None else UnitKind.ENHANCEMENT,
        layer=layer,
        parent=parent,
        size=size,
        packet_size=256,
        fidelity=Fidelity(weight_snr=60.0, output_snr=snr, probes=4),
        source_root=bytes([layer, size % 256]) * 16,
    )


def release(*units: UnitEntry, number: int = 1) -> Manifest:
    return Manifest(
        name="net",
        release=number,
        format="tflite",
        model_size=1000,
        model_sha256=bytes(32),
        weights=10,
        units=units,
    )


LADDER = release(
    entry(0, 1000, 10.0, parent=None),
    entry(1, 2000, 20.0, parent=0),
    entry(2, 3000, 30.0, parent=1),
)
FORK = release(
    entry(0, 1000, 10.0, parent=None),
    entry(1, 4000, 20.0, parent=0),
    entry(2, 1000, 18.0, parent=0),
)


def candidate(manifest: Manifest, verified: set[int], failed: set[int] | None = None) -> Candidate:
    return Candidate(
        manifest=manifest, verified=frozenset(verified), failed=frozenset(failed or ())
    )


def choice_of(
    *candidates: Candidate, link: Link | None = None, policy: Policy | None = None
) -> Choice:
    chosen = choose(candidates, link or Link(), policy or Policy())
    assert isinstance(chosen, Choice)
    return chosen


def wait_of(*candidates: Candidate, link: Link | None = None, policy: Policy | None = None) -> str:
    chosen = choose(candidates, link or Link(), policy or Policy())
    assert isinstance(chosen, Wait)
    return chosen.reason


def test_the_base_comes_first() -> None:
    chosen = choice_of(candidate(LADDER, set()))
    assert (chosen.release, chosen.unit, chosen.size) == (1, 0, 1000)
    assert "nothing runs yet" in chosen.reason


def test_the_base_comes_whatever_the_link_does() -> None:
    assert choice_of(candidate(LADDER, set()), link=Link(buffer=0, budget=0)).unit == 0


def test_units_without_their_base_do_not_count_as_something_that_runs() -> None:
    assert choice_of(candidate(LADDER, {1, 2}), link=Link(buffer=0)).unit == 0


def test_a_unit_comes_after_its_parent() -> None:
    assert choice_of(candidate(LADDER, {0})).unit == 1
    assert choice_of(candidate(LADDER, {0, 1})).unit == 2


def test_nothing_builds_on_a_unit_that_was_given_up() -> None:
    assert wait_of(candidate(LADDER, {0}, {1})) == "nothing is missing"


def test_the_most_gain_for_a_byte_comes_first() -> None:
    chosen = choice_of(candidate(FORK, {0}))
    assert chosen.unit == 2
    assert "8.00 dB/kB" in chosen.reason


def test_of_equal_gain_the_first_in_the_manifest_comes_first() -> None:
    same = release(
        entry(0, 1000, 10.0, parent=None),
        entry(1, 1000, 20.0, parent=0),
        entry(2, 1000, 20.0, parent=0),
    )
    assert choice_of(candidate(same, {0})).unit == 1


def test_a_rung_that_is_worse_than_its_parent_is_still_fetched() -> None:
    worse = release(entry(0, 1000, 10.0, parent=None), entry(1, 1000, 5.0, parent=0))
    assert choice_of(candidate(worse, {0})).unit == 1


def test_the_weights_count_where_outputs_were_not_measured() -> None:
    base = entry(0, 1000, 10.0, parent=None)
    fine = UnitEntry(
        kind=UnitKind.EXACT,
        layer=1,
        parent=0,
        size=1000,
        packet_size=256,
        fidelity=Fidelity(weight_snr=math.inf),
        source_root=bytes(32),
    )
    assert "30.00 dB/kB" in choice_of(candidate(release(base, fine), {0})).reason


def test_nothing_starts_below_the_low_water_mark() -> None:
    reason = wait_of(candidate(LADDER, {0}), link=Link(buffer=3.0), policy=Policy(low_water=5.0))
    assert "3.0 s" in reason
    assert "5.0 s" in reason


def test_a_buffer_at_the_mark_is_enough() -> None:
    assert choice_of(candidate(LADDER, {0}), link=Link(buffer=8.0)).unit == 1


def test_nothing_is_started_over_the_budget() -> None:
    assert "budget of 1999" in wait_of(candidate(LADDER, {0}), link=Link(budget=1999))
    assert choice_of(candidate(LADDER, {0}), link=Link(budget=2000)).unit == 1


def test_the_reason_says_how_long_it_will_take() -> None:
    chosen = choice_of(candidate(LADDER, {0}), link=Link(buffer=12.0, throughput=1000.0))
    assert "buffer 12.0 s" in chosen.reason
    assert "2.0 s at this rate" in chosen.reason


def test_layers_above_the_highest_that_is_wanted_are_left() -> None:
    policy = Policy(max_layer=1)
    assert choice_of(candidate(LADDER, {0}), policy=policy).unit == 1
    assert wait_of(candidate(LADDER, {0, 1}), policy=policy) == "nothing is missing"


def test_a_base_is_wanted_whatever_its_layer() -> None:
    high = release(entry(3, 1000, 10.0, parent=None))
    assert choice_of(candidate(high, set()), policy=Policy(max_layer=0)).unit == 0


def test_the_newest_release_comes_first() -> None:
    newer = release(*LADDER.units, number=2)
    chosen = choice_of(candidate(LADDER, {0}), candidate(newer, set()))
    assert (chosen.release, chosen.unit) == (2, 0)
    assert "new release" in chosen.reason


def test_the_base_of_a_newer_release_keeps_to_the_low_water_mark() -> None:
    newer = release(*LADDER.units, number=2)
    assert "below" in wait_of(
        candidate(LADDER, {0}), candidate(newer, set()), link=Link(buffer=1.0)
    )


def test_an_older_release_goes_on_where_the_newer_one_cannot() -> None:
    newer = release(*LADDER.units, number=2)
    chosen = choice_of(candidate(LADDER, {0}), candidate(newer, set(), {0}))
    assert (chosen.release, chosen.unit) == (1, 1)


def test_without_a_release_there_is_nothing() -> None:
    assert wait_of() == "nothing is missing"


@pytest.mark.parametrize("wrong", [{"max_layer": -1}, {"low_water": -1.0}, {"low_water": math.nan}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError) as caught:
        Policy(**wrong)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_a_unit_whose_base_is_missing_waits_for_it() -> None:
    assert choice_of(candidate(LADDER, {1})).unit == 0
    assert wait_of(candidate(LADDER, {1}, {0})) == "nothing is missing"
