"""Asks a policy, and never lets the player down. Knows nothing of networks, links or clocks.

It is called where players call: synchronously, on their own thread, once a segment. It does not
wait and does not raise for what a policy does wrong; a rule decides then, and it is counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from midstream.abr.features import pensieve_features
from midstream.abr.observation import Decision, Observation, Reason
from midstream.abr.rules import RobustMpc, Rule
from midstream.errors import ErrorCode, MidstreamError, UsageError

__all__ = ["BUDGET", "Controller", "Features", "Policy"]

BUDGET = 0.002
"""Seconds that a policy may take for one decision."""

Features = Callable[[Observation], NDArray[np.float32]]
"""From what the player knows to a policy's input."""
Policy = Callable[[NDArray[np.float32]], object]
"""From its input to one score for each rung: `PinnedNetwork.run`, or any function."""


class Controller:
    """Decides which rung to fetch next: by a policy while it behaves, else by a rule."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        clock: Callable[[], float],
        features: Features = pensieve_features,
        fallback: Rule | None = None,
        guard: Rule | None = None,
        budget: float = BUDGET,
    ) -> None:
        """Set up for one player.

        Args:
            policy: What to ask where `decide` is given nothing else.
            clock: Seconds that only rise, such as `time.perf_counter`.
            features: What the policy is shown.
            fallback: The rule that decides in its place; RobustMPC where none is given.
            guard: A rule whose choice the policy's may not be above; none where none is given.
            budget: Seconds the policy may take.

        Raises:
            UsageError: The budget is not above 0.
        """
        if not budget > 0.0:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"budget of {budget} s, expected above 0")
        self._policy = policy
        self._clock = clock
        self._features = features
        self._fallback: Rule = RobustMpc() if fallback is None else fallback
        self._guard = guard
        self._budget = budget
        self._counts: Counter[Reason] = Counter()

    @property
    def counts(self) -> Mapping[Reason, int]:
        """How often each reason was given so far."""
        return dict(self._counts)

    @property
    def fallbacks(self) -> int:
        """How often a rule decided in the policy's place."""
        return sum(count for reason, count in self._counts.items() if reason.is_fallback)

    def decide(
        self,
        observation: Observation,
        *,
        policy: Policy | None = None,
        generation: int | None = None,
    ) -> Decision:
        """Choose the rung of the next segment.

        Args:
            observation: What the player knows.
            policy: What to ask this time: the `run` of a pinned network.
            generation: The number of that network's generation, for the record.

        Returns:
            The decision; its `index` is always a rung of the observation's ladder.
        """
        asked = policy or self._policy
        index, reason = self._ask(asked, observation)
        if reason.is_fallback:
            index = self._fallback(observation)
        elif self._guard is not None and (safest := self._guard(observation)) < index:
            index, reason = safest, Reason.GUARDED
        self._counts[reason] += 1
        return Decision(
            index=index,
            reason=reason,
            generation=generation if asked is not None else None,
            fallback=reason.is_fallback,
        )

    def _ask(self, policy: Policy | None, observation: Observation) -> tuple[int, Reason]:
        if policy is None:
            return 0, Reason.NO_POLICY
        begun = self._clock()
        try:
            answer = policy(self._features(observation))
            scores = np.asarray(answer, np.float64)
        # what a policy of somebody else's raises is not known; these are what numbers raise
        except (MidstreamError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            return 0, Reason.FAILED
        is_late = self._clock() - begun > self._budget
        if scores.size != observation.rungs or max(scores.shape, default=0) != scores.size:
            return 0, Reason.WRONG_SHAPE
        if not np.isfinite(scores).all():
            return 0, Reason.NOT_FINITE
        return int(scores.argmax()), Reason.OVER_BUDGET if is_late else Reason.POLICY
