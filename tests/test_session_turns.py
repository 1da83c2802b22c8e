"""Whose bytes go next over a shared link."""

import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from midstream.errors import ErrorCode, UsageError
from midstream.session import Turns
from midstream.session.turns import LEAST_WORTH, LONGEST_TURN

UNIT = 1 << 15


def give(turns: Turns, member: int, size: int = UNIT) -> None:
    """One turn of a member that goes on asking."""
    worth, is_first = turns._members[member].worth, turns._members[member].is_first
    turns.spend(member, size)
    turns.end(member)
    turns.ask(member, worth=worth, is_first=is_first)


def serve(turns: Turns, members: list[int], turns_given: int) -> dict[int, int]:
    """How many turns each had."""
    had = dict.fromkeys(members, 0)
    for _ in range(turns_given):
        (due,) = [member for member in members if turns.take(member)]
        had[due] += 1
        give(turns, due)
    return had


def two(weights: tuple[float, float], worths: tuple[float, float]) -> tuple[Turns, list[int]]:
    turns = Turns()
    members = [turns.join(weight) for weight in weights]
    for member, worth in zip(members, worths, strict=True):
        turns.ask(member, worth=worth)
    return turns, members


@pytest.mark.parametrize(
    ("weights", "worths", "share"),
    [
        ((1.0, 1.0), (5.0, 5.0), 0.5),
        ((3.0, 1.0), (5.0, 5.0), 0.75),
        ((1.0, 1.0), (6.0, 2.0), 0.75),
        ((1.0, 1.0), (0.06, 0.02), 0.75),
        ((1.0, 3.0), (6.0, 2.0), 0.5),
        ((1.0, 1.0), (5.0, 0.0), 16 / 17),
        ((1.0, 1.0), (0.0, 0.0), 0.5),
    ],
)
def test_bytes_are_shared_by_weight_and_worth(
    weights: tuple[float, float], worths: tuple[float, float], share: float
) -> None:
    turns, members = two(weights, worths)
    had = serve(turns, members, 400)
    assert had[members[0]] / 400 == pytest.approx(share, abs=0.01)


def test_one_at_a_time_has_the_turn() -> None:
    turns, (one, other) = two((1.0, 1.0), (5.0, 5.0))
    assert turns.take(one)
    assert not turns.take(one)
    assert not turns.take(other)
    turns.end(one)
    assert turns.take(other)


def test_who_does_not_ask_has_no_turn() -> None:
    turns = Turns()
    one = turns.join(1.0)
    assert not turns.take(one)
    turns.ask(one, worth=1.0)
    turns.end(one)
    assert not turns.take(one)


def test_who_has_nothing_that_runs_goes_first() -> None:
    turns, (one, other) = two((9.0, 1.0), (9.0, 1.0))
    turns.ask(other, worth=0.0, is_first=True)
    assert not turns.take(one)
    assert turns.take(other)


def test_a_turn_ends_for_a_first_base_at_once() -> None:
    turns, (one, other) = two((1.0, 1.0), (5.0, 5.0))
    assert turns.take(one)
    assert not turns.is_over(one)
    turns.ask(other, worth=1.0, is_first=True)
    assert turns.is_over(one)


def test_a_long_turn_ends_where_another_is_due() -> None:
    turns, (one, other) = two((1.0, 1.0), (5.0, 5.0))
    assert turns.take(one)
    turns.spend(one, LONGEST_TURN - 1)
    assert not turns.is_over(one)
    turns.spend(one, 1)
    assert turns.is_over(one)
    turns.end(other)
    assert not turns.is_over(one)


def test_a_turn_that_was_lent_is_over_once_it_has_found_a_taker() -> None:
    turns, (one, other) = two((1.0, 1.0), (1.0, 1.0))
    assert turns.take(one)
    turns.lend(other)  # which has none
    assert not turns.take(other)
    turns.lend(one)
    assert not turns.is_over(one)
    assert turns.take(other)
    assert turns.is_over(one)
    turns.end(one)  # of a turn that it has not any more
    assert not turns.take(one)


def test_bytes_that_come_after_a_turn_was_lent_are_on_the_account_of_who_asked() -> None:
    turns, (one, other) = two((1.0, 1.0), (1.0, 1.0))
    assert turns.take(one)
    turns.lend(one)
    turns.spend(one, UNIT)
    turns.ask(one, worth=1.0)
    assert not turns.take(one)
    assert turns.take(other)


def test_a_rest_is_no_credit() -> None:
    turns, (one, other) = two((1.0, 1.0), (5.0, 5.0))
    turns.end(other)
    serve(turns, [one], 100)
    turns.ask(other, worth=5.0)
    assert serve(turns, [one, other], 10)[other] <= 6


def test_who_leaves_is_waited_for_no_more() -> None:
    turns, (one, other) = two((1.0, 1.0), (5.0, 5.0))
    assert turns.take(one)
    turns.leave(one)
    turns.leave(one)
    assert turns.take(other)
    assert turns.holder == other


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf, "text", None])
def test_a_weight_that_makes_no_sense_is_refused(weight: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Turns().join(weight)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


MEMBER = st.tuples(st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 1.0, 10.0, 1e6]))
SIZE = st.sampled_from([1, 1000, LONGEST_TURN, LONGEST_TURN])
STEP = st.tuples(st.integers(0, 4), SIZE, st.integers(0, 9).map(lambda draw: draw == 0))


@settings(max_examples=40, deadline=None)
@given(st.lists(MEMBER, min_size=2, max_size=5), st.lists(STEP, min_size=80, max_size=120))
def test_nobody_starves(
    members: list[tuple[float, float]], steps: list[tuple[int, int, bool]]
) -> None:
    """[DEL-29] While one asks, each other one gets a bounded number of bytes before it.

    On an account are at most a longest turn over the least worth and weight more than on the
    least one's. So long another may go on; then it has one more turn.
    """
    turns = Turns()
    numbers = [turns.join(weight) for weight, _ in members]
    weight = dict(zip(numbers, (weight for weight, _ in members), strict=True))
    waited = {number: dict.fromkeys(numbers, 0) for number in numbers}
    for number, (_, worth) in zip(numbers, members, strict=True):
        turns.ask(number, worth=worth)
    for at, size, rests in steps:
        taken = [number for number in numbers if turns.take(number)]
        assert len(taken) == 1  # while anybody asks, somebody has the turn, and nobody else
        (due,) = taken
        turns.spend(due, size)
        turns.end(due)
        for other in numbers:
            waited[other][due] += size
        waited[due] = dict.fromkeys(numbers, 0)
        if not rests or due == numbers[0]:
            turns.ask(due, worth=members[due - 1][1])
        back = numbers[at % len(numbers)]
        if not turns._members[back].is_asking:
            waited[back] = dict.fromkeys(numbers, 0)
            turns.ask(back, worth=members[back - 1][1])
        for one in numbers:
            if not turns._members[one].is_asking:
                waited[one] = dict.fromkeys(numbers, 0)
            for other, size_before in waited[one].items():
                account = LONGEST_TURN / (LEAST_WORTH * weight[one])
                assert size_before <= account * weight[other] + LONGEST_TURN
