"""Which unit next, or why none."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from midstream.errors import ErrorCode, UsageError
from midstream.session import Allowance, Choice, Link, Policy, Wait
from midstream.session.scheduler import choose
from midstream.session.worth import Candidate
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


CHAIN = release(
    entry(0, 1000, 10.0, parent=None),
    entry(1, 4000, 10.5, parent=0),
    entry(2, 500, 30.0, parent=1),
    entry(3, 2000, 15.0, parent=0),
)


def candidate(
    manifest: Manifest,
    verified: set[int],
    failed: set[int] | None = None,
    received: dict[int, int] | None = None,
) -> Candidate:
    return Candidate(
        manifest=manifest,
        verified=frozenset(verified),
        failed=frozenset(failed or ()),
        received=received or {},
    )


def allowed(link: Link | None = None, *, spent: int = 0) -> Allowance:
    allowance = Allowance()
    allowance.report(link or Link(), 0.0)
    allowance.spend(spent)
    return allowance


def choice_of(
    *candidates: Candidate,
    link: Link | None = None,
    policy: Policy | None = None,
    spent: int = 0,
    reach: float | None = None,
) -> Choice:
    chosen = choose(candidates, allowed(link, spent=spent), policy or Policy(), reach=reach)
    assert isinstance(chosen, Choice)
    return chosen


def wait_of(
    *candidates: Candidate,
    link: Link | None = None,
    policy: Policy | None = None,
    spent: int = 0,
) -> str:
    chosen = choose(candidates, allowed(link, spent=spent), policy or Policy())
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


def test_a_unit_over_the_budget_is_begun_and_goes_on_with_the_next() -> None:
    chosen = choice_of(candidate(LADDER, {0}), link=Link(budget=1500))
    assert (chosen.unit, chosen.size) == (1, 2000)
    assert chosen.reason.endswith("1500 of 2000 bytes now")
    assert "now" not in choice_of(candidate(LADDER, {0}), link=Link(budget=2000)).reason


def test_next_to_nothing_is_not_worth_a_request() -> None:
    reason = wait_of(candidate(LADDER, {0}), link=Link(budget=1200), spent=1000)
    assert reason == "200 bytes are left of the budget of 1200, 256 are worth a request"


def test_the_last_bytes_of_a_unit_are_worth_a_request_however_few() -> None:
    nearly = candidate(LADDER, {0}, received={1: 1900})
    assert choice_of(nearly, link=Link(budget=100)).unit == 1
    assert "99 bytes" in wait_of(nearly, link=Link(budget=99))


def test_no_more_comes_than_takes_the_buffer_down_to_the_low_water_mark() -> None:
    link = Link(buffer=9.5, throughput=1000.0)
    assert choice_of(candidate(LADDER, {0}), link=link).reason.endswith("1500 of 2000 bytes now")
    assert wait_of(candidate(LADDER, {0}), link=link, spent=1500) == (
        "buffer 9.5 s would be down to 8.0 s after 1500 bytes at 1000 B/s, 1500 came"
    )


def test_a_link_that_carries_nothing_carries_no_units() -> None:
    assert "after 0 bytes at 0 B/s" in wait_of(
        candidate(LADDER, {0}), link=Link(buffer=30.0, throughput=0.0)
    )


def test_a_rate_bounds_nothing_where_there_is_no_player() -> None:
    assert choice_of(candidate(LADDER, {0}), link=Link(throughput=1.0)).unit == 1


def test_a_unit_that_is_worth_little_comes_for_the_one_that_it_opens() -> None:
    chosen = choice_of(candidate(CHAIN, {0}))
    assert chosen.unit == 1  # 20 dB for 4,500 bytes, rather than 5 for 2,000
    assert chosen.reason.startswith("layer 1, on the way to layer 2: 4.44 dB/kB")


def test_it_does_not_come_where_what_it_opens_was_given_up() -> None:
    assert choice_of(candidate(CHAIN, {0}, {2})).unit == 3


def test_bytes_that_are_here_already_make_a_unit_cheaper() -> None:
    assert choice_of(candidate(FORK, {0}, received={1: 3000})).unit == 1


def test_gain_is_over_the_best_that_runs() -> None:
    chosen = choice_of(candidate(FORK, {0, 2}))
    assert chosen.unit == 1
    assert "0.50 dB/kB" in chosen.reason  # 20 dB over the 18 that are here, for 4,000 bytes


def test_before_an_activation_the_best_that_can_be_there_comes_first() -> None:
    assert choice_of(candidate(FORK, {0}), reach=4500.0).unit == 1
    assert choice_of(candidate(FORK, {0}), reach=3000.0).unit == 2
    assert choice_of(candidate(LADDER, {0}), reach=5000.0).reason.startswith(
        "layer 1, on the way to layer 2, the best of the 5000 bytes that can come in time"
    )


def test_where_nothing_can_be_there_in_time_all_is_as_ever() -> None:
    assert choice_of(candidate(FORK, {0}), reach=10.0) == choice_of(candidate(FORK, {0}))


def test_a_new_release_that_cannot_be_there_in_time_waits_for_one_that_can() -> None:
    newer = release(entry(0, 1500, 10.0, parent=None), entry(1, 2000, 20.0, parent=0), number=2)
    both = candidate(LADDER, {0}), candidate(newer, set())
    assert choice_of(*both, reach=1500.0).release == 2
    # the base of the new one would be no better than what runs then
    both = candidate(LADDER, {0, 1}), candidate(newer, set())
    chosen = choice_of(*both, reach=3200.0)
    assert (chosen.release, chosen.unit) == (1, 2)
    assert choice_of(*both, reach=6000.0).release == 2
    assert choice_of(*both).release == 2


def test_an_activation_does_not_make_the_first_base_wait() -> None:
    assert choice_of(candidate(LADDER, set()), reach=0.0, link=Link(buffer=0.0)).unit == 0


def test_an_activation_does_not_lift_what_the_player_allows() -> None:
    link = Link(buffer=1.0, throughput=1e6)
    chosen = choose([candidate(LADDER, {0})], allowed(link), Policy(), reach=9000.0)
    assert isinstance(chosen, Wait)


@pytest.mark.parametrize(
    ("here", "link", "reach", "reason"),
    [
        (set(), Link(), None, "base first, 1000 bytes: nothing runs yet"),
        ({0}, Link(), None, "layer 1: 5.00 dB/kB, buffer inf s"),
        (
            {0},
            Link(buffer=12.0, throughput=1e3),
            None,
            "layer 1: 5.00 dB/kB, buffer 12.0 s, 2.0 s at this rate",
        ),
        (
            {0, 1},
            Link(buffer=20.0, throughput=1e3, budget=900),
            None,
            "layer 2: 3.33 dB/kB, buffer 20.0 s, 3.0 s at this rate; 900 of 3000 bytes now",
        ),
        (
            {0},
            Link(buffer=20.0),
            2000.0,
            "layer 1, the best of the 2000 bytes that can come in time: 5.00 dB/kB, buffer 20.0 s",
        ),
    ],
)
def test_each_choice_has_its_reason(
    here: set[int], link: Link, reach: float | None, reason: str
) -> None:
    assert choice_of(candidate(LADDER, here), link=link, reach=reach).reason == reason


@pytest.mark.parametrize(
    ("link", "spent", "reason"),
    [
        (Link(buffer=3.0), 0, "buffer 3.0 s is below 8.0 s"),
        (Link(budget=700), 700, "the budget of 700 bytes is spent"),
        (Link(budget=700), 900, "the budget of 700 bytes is spent"),
        (
            Link(budget=700),
            600,
            "100 bytes are left of the budget of 700, 256 are worth a request",
        ),
        (
            Link(buffer=8.5, throughput=200.0),
            0,
            "buffer 8.5 s would be down to 8.0 s after 100 bytes at 200 B/s, 0 came",
        ),
    ],
)
def test_each_wait_has_its_reason(link: Link, spent: int, reason: str) -> None:
    assert wait_of(candidate(LADDER, {0}), link=link, spent=spent) == reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"buffer": -1.0},
        {"buffer": math.nan},
        {"budget": -1},
        {"throughput": -1.0},
        {"throughput": math.nan},
        {"throughput": math.inf},
        *({name: "text"} for name in ("buffer", "budget", "throughput")),
    ],
)
def test_a_report_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r": expected 0 ") as caught:
        Link(**wrong)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_models_count_on_no_more_than_budgets_give() -> None:
    allowance = Allowance()
    assert allowance.rate() is None
    allowance.report(Link(throughput=1000.0, budget=800), 10.0)
    assert allowance.rate() == 1000.0  # how often reports come is not known yet
    allowance.report(Link(throughput=1000.0, budget=800), 14.0)
    assert allowance.rate() == 200.0
    allowance.report(Link(throughput=100.0, budget=800), 18.0)
    assert allowance.rate() == 100.0


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


def test_a_layer_that_brings_next_to_nothing_waits_while_media_play() -> None:
    rest = candidate(FORK, {0, 2})  # 2 dB for 4,000 bytes
    more = Policy(least_worth=0.6)
    reason = wait_of(rest, link=Link(buffer=30.0), policy=more)
    assert reason == "0.5 dB/kB are below 0.6 while media play"
    assert choice_of(rest, policy=more).unit == 1
    assert choice_of(rest, link=Link(buffer=30.0), policy=Policy(least_worth=0.5)).unit == 1


def test_a_base_never_waits_for_what_it_is_worth() -> None:
    newer = release(entry(0, 1500, 10.0, parent=None), number=2)
    both = candidate(LADDER, {0}), candidate(newer, set())
    chosen = choice_of(*both, link=Link(buffer=30.0), policy=Policy(least_worth=100.0))
    assert (chosen.release, chosen.unit) == (2, 0)


def test_before_an_activation_what_is_worth_too_little_gives_way_to_what_is_not() -> None:
    policy = Policy(least_worth=6.0)
    assert choice_of(candidate(FORK, {0}), reach=4500.0, policy=policy).unit == 2


def test_without_a_release_there_is_nothing() -> None:
    assert wait_of() == "nothing is missing"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_layer": -1},
        {"low_water": -1.0},
        {"low_water": math.nan},
        {"least_worth": -1.0},
        {"least_worth": math.inf},
        {"least_worth": None},
        {"max_layer": 1.5},
        *({field.name: "text"} for field in fields(Policy)),
        *({field.name: np.zeros(2)} for field in fields(Policy)),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r": expected ") as caught:
        Policy(**wrong)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_numbers_of_numpy_are_numbers() -> None:
    policy = Policy(low_water=np.float32(2), max_layer=np.int64(1), least_worth=np.float64(0.5))  # type: ignore[arg-type]
    assert (policy.low_water, policy.max_layer, policy.least_worth) == (2.0, 1, 0.5)


def test_a_unit_whose_base_is_missing_waits_for_it() -> None:
    assert choice_of(candidate(LADDER, {1})).unit == 0
    assert wait_of(candidate(LADDER, {1}, {0})) == "nothing is missing"
