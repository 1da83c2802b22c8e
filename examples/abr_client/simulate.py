"""Sessions of strategies over traces, and what they score. Knows nothing of real networks.

A strategy brings a `decide` callable and the model bytes that it wants carried, each with what
happens when they are there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from midstream.abr import Controller, Decision, Observation, Policy, Reason, Rule
from player import Player, Segment
from traces import Trace
from video import Video

__all__ = [
    "Decide",
    "Delivery",
    "Plan",
    "Session",
    "Stage",
    "Strategy",
    "Summary",
    "by_network",
    "by_rule",
    "play_session",
    "summarise",
]

Decide = Callable[[Observation], Decision]
"""From what the player knows to a decision."""

_WORST_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Model bytes to be carried, and what happens then."""

    size: int
    """Bytes."""
    after: int = 0
    """Not before so many segments are fetched; 0 is before the first one."""
    low_water: float = 0.0
    """Not while the buffer holds less, seconds; nobody waits for bytes meant for the start."""
    requests: int = 1
    """Requests, one after the other."""
    then: Callable[[], None] | None = None
    """Called when they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a strategy does in one session."""

    decide: Decide
    """Asked before each segment but the first."""
    deliveries: tuple[Delivery, ...] = ()
    """In order; one waits for the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to choose rungs."""

    name: str
    """For tables."""
    begin: Callable[[], Plan]
    """A fresh plan, for one session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A network, and what it costs to have it."""

    policy: Policy
    """What it answers."""
    size: int
    """Bytes until it can run, beyond those of the stage before."""
    generation: int
    """Its number."""
    after: int = 0
    """Fetched after so many segments; 0 is before the first one."""
    low_water: float = 0.0
    """Not fetched while the buffer holds less, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What happened in one session."""

    strategy: str
    """Whose it was."""
    trace: str
    """On which trace."""
    segments: tuple[Segment, ...]
    """What was fetched."""
    decisions: tuple[Decision, ...]
    """For each segment but the first."""
    model_bytes: int
    """Model bytes carried."""
    startup: float
    """Seconds from the start to the first picture."""
    model_startup: float
    """Seconds of them due to model bytes."""
    qoe: float
    """Mean QoE_lin of segments 2 on, the above charged as rebuffering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one strategy scored over all traces."""

    strategy: str
    """Whose it is."""
    sessions: int
    """How many."""
    mean: float
    """QoE_lin."""
    median: float
    """QoE_lin."""
    worst: float
    """Mean QoE_lin of the worst 5 %."""
    startup: float
    """Mean seconds to the first picture."""
    model_bytes: float
    """Mean bytes of model traffic in one session."""


def play_session(strategy: Strategy, trace: Trace, video: Video) -> Session:
    """Play one video to its end.

    Args:
        strategy: Who decides.
        trace: The link.
        video: The video.
    """
    player, plan = Player(trace, video), strategy.begin()
    waiting, decisions = list(plan.deliveries), []
    while not player.is_over:
        while waiting and _is_due(waiting[0], player):
            _deliver(waiting.pop(0), player)
        if player.is_first:
            player.download()
            continue
        decisions.append(plan.decide(player.observe()))
        player.download(decisions[-1].index)
    return Session(
        strategy=strategy.name,
        trace=trace.name,
        segments=tuple(player.segments),
        decisions=tuple(decisions),
        model_bytes=player.model_bytes,
        startup=player.startup,
        model_startup=player.model_startup,
        qoe=player.qoe,
    )


def _is_due(delivery: Delivery, player: Player) -> bool:
    fetched = len(player.segments)
    if fetched < delivery.after:
        return False
    return delivery.after == 0 or player.buffer >= delivery.low_water


def _deliver(delivery: Delivery, player: Player) -> None:
    player.spend(delivery.size, requests=delivery.requests)
    if delivery.then is not None:
        delivery.then()


def summarise(sessions: Sequence[Session]) -> list[Summary]:
    """What each strategy scored, in order of appearance.

    Args:
        sessions: Of any strategies, on any traces.
    """
    by_strategy: dict[str, list[Session]] = {}
    for session in sessions:
        by_strategy.setdefault(session.strategy, []).append(session)
    return [_summary(name, group) for name, group in by_strategy.items()]


def _summary(name: str, sessions: list[Session]) -> Summary:
    scores = np.sort([session.qoe for session in sessions])
    worst = scores[: max(1, round(_WORST_SHARE * len(scores)))]
    return Summary(
        strategy=name,
        sessions=len(sessions),
        mean=float(scores.mean()),
        median=float(np.median(scores)),
        worst=float(worst.mean()),
        startup=float(np.mean([session.startup for session in sessions])),
        model_bytes=float(np.mean([session.model_bytes for session in sessions])),
    )


def by_rule(name: str, rule: Rule) -> Strategy:
    """A strategy of one rule, without any model.

    Args:
        name: For tables.
        rule: Who decides.
    """

    def decide(observation: Observation) -> Decision:
        return Decision(index=rule(observation), reason=Reason.NO_POLICY, fallback=True)

    return Strategy(name=name, begin=lambda: Plan(decide=decide))


def by_network(name: str, stages: Sequence[Stage], *, clock: Callable[[], float]) -> Strategy:
    """A strategy of one network, or of several, each better than the one before.

    Until the first one is there, the controller's rule decides.

    Args:
        name: For tables.
        stages: In the order in which they are fetched.
        clock: For the controller's budget; a constant where decisions shall not depend on the
            machine.
    """

    def begin() -> Plan:
        controller = Controller(clock=clock)
        running: list[Stage] = []

        def decide(observation: Observation) -> Decision:
            if not running:
                return controller.decide(observation)
            stage = running[-1]
            return controller.decide(observation, policy=stage.policy, generation=stage.generation)

        def start(stage: Stage) -> Callable[[], None]:
            return lambda: running.append(stage)

        deliveries = tuple(
            Delivery(
                size=stage.size, after=stage.after, low_water=stage.low_water, then=start(stage)
            )
            for stage in stages
        )
        return Plan(decide=decide, deliveries=deliveries)

    return Strategy(name=name, begin=begin)
