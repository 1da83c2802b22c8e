"""The controller: a policy while it behaves, else a rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from midstream.abr import BufferBased, Controller, Observation, RateBased, Reason
from midstream.errors import ErrorCode, RefusedError, UsageError

LADDER = (300.0, 750.0, 1200.0, 1850.0, 2850.0, 4300.0)
SIZES = tuple(round(kbps * 500) for kbps in LADDER)


def observation(**changes: object) -> Observation:
    values: dict[str, object] = {
        "throughputs": (250_000.0,) * 3,
        "delays": (1.0,) * 3,
        "buffer": 12.0,
        "last_index": 1,
        "sizes": (SIZES,) * 8,
        "segments_left": 40,
        "ladder_kbps": LADDER,
    }
    return Observation(**(values | changes))  # type: ignore[arg-type]  # checked when it is made


def still() -> float:
    return 0.0


class Ticking:
    """A clock that moves by a step at each reading."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_the_best_score_wins() -> None:
    controller = Controller(lambda _: [0, 1, 5, 2, 0, 0], clock=still)
    decision = controller.decide(observation())
    assert (decision.index, decision.reason, decision.fallback) == (2, Reason.POLICY, False)


def test_the_policy_is_shown_float32_features() -> None:
    seen: list[NDArray[np.float32]] = []

    def policy(features: NDArray[np.float32]) -> list[float]:
        seen.append(features)
        return [0.0] * 6

    Controller(policy, clock=still).decide(observation())
    assert (seen[0].shape, seen[0].dtype) == ((1, 25), np.float32)


def test_a_decision_carries_the_generation_that_was_asked() -> None:
    controller = Controller(clock=still)
    decision = controller.decide(observation(), policy=lambda _: np.eye(6)[[3]], generation=7)
    assert (decision.index, decision.generation) == (3, 7)


def test_without_a_policy_the_rule_decides_and_no_generation_is_named() -> None:
    controller = Controller(clock=still, fallback=BufferBased())
    decision = controller.decide(observation(buffer=40.0), generation=7)
    assert decision.index == 5
    assert decision.reason is Reason.NO_POLICY
    assert decision.fallback
    assert decision.generation is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([1, 2, np.nan, 4, 5, 6], Reason.NOT_FINITE),
        ([1, 2, np.inf, 4, 5, 6], Reason.NOT_FINITE),
        ([1, 2, 3], Reason.WRONG_SHAPE),
        ([], Reason.WRONG_SHAPE),
        (3.0, Reason.WRONG_SHAPE),
        ([[1, 2, 3], [4, 5, 6]], Reason.WRONG_SHAPE),
        ("no numbers", Reason.FAILED),
        (None, Reason.WRONG_SHAPE),  # one NaN, so one score for six rungs
    ],
)
def test_an_answer_without_sense_means_the_rule(answer: object, reason: Reason) -> None:
    controller = Controller(lambda _: answer, clock=still, fallback=lambda _: 4)
    decision = controller.decide(observation())
    assert (decision.index, decision.reason, decision.fallback) == (4, reason, True)


@pytest.mark.parametrize(
    "error",
    [
        RefusedError(ErrorCode.STALE_PIN, "stale"),
        ZeroDivisionError(),
        RuntimeError(),
        ValueError(),
        KeyError(),
        TypeError(),
    ],
)
def test_an_error_of_the_policy_means_the_rule(error: Exception) -> None:
    def policy(_: object) -> object:
        raise error

    decision = Controller(policy, clock=still, fallback=lambda _: 3).decide(observation())
    assert (decision.index, decision.reason) == (3, Reason.FAILED)


def test_a_late_answer_means_the_rule() -> None:
    late = Controller(lambda _: np.eye(6)[0], clock=Ticking(0.003), fallback=lambda _: 5)
    assert late.decide(observation()).reason is Reason.OVER_BUDGET
    in_time = Controller(lambda _: np.eye(6)[0], clock=Ticking(0.001), fallback=lambda _: 5)
    assert in_time.decide(observation()).reason is Reason.POLICY


def test_fallbacks_are_counted_by_their_reason() -> None:
    controller = Controller(clock=still)
    controller.decide(observation())
    controller.decide(observation(), policy=lambda _: [np.nan] * 6)
    controller.decide(observation(), policy=lambda _: [1.0] * 6)
    assert controller.fallbacks == 2
    assert controller.counts == {Reason.NO_POLICY: 1, Reason.NOT_FINITE: 1, Reason.POLICY: 1}


def test_a_guard_lowers_a_policys_choice_and_never_raises_it() -> None:
    controller = Controller(clock=still, guard=lambda _: 2)
    high = controller.decide(observation(), policy=lambda _: np.eye(6)[5])
    low = controller.decide(observation(), policy=lambda _: np.eye(6)[1])
    assert (high.index, high.reason, high.fallback) == (2, Reason.GUARDED, False)
    assert (low.index, low.reason) == (1, Reason.POLICY)


def test_a_ladder_the_features_do_not_know_means_the_rule() -> None:
    three = observation(ladder_kbps=LADDER[:3], sizes=(SIZES[:3],))
    controller = Controller(lambda _: [0.0, 1.0, 0.0], clock=still, fallback=RateBased())
    assert controller.decide(three).reason is Reason.FAILED


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_of_nothing_is_refused(budget: float) -> None:
    with pytest.raises(UsageError, match="budget"):
        Controller(clock=still, budget=budget)


@given(st.lists(st.floats() | st.integers(), max_size=8))
def test_whatever_the_scores_the_index_is_a_rung(answer: list[float]) -> None:
    decision = Controller(lambda _: answer, clock=still).decide(observation())
    assert 0 <= decision.index < 6
