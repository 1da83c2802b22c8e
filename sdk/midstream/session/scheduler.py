"""Which unit next, or why none. Knows nothing of requests, packets or clocks.

Rules, in this order: a base before anything else, whatever the link does, since without it
nothing runs; nothing below the player's low-water mark, nothing over what its report allows;
while media play, no layer that is worth less than the policy's least; before an activation, the
best network that can be there in time; the newest release first; then the most gain per byte,
with all that a unit lacks counted (`worth`). A unit that is larger than what may come now is
begun, and goes on after the next report.
"""

import math
from collections.abc import Iterator, Sequence

from midstream.session.allowance import Allowance, Policy, Wait
from midstream.session.events import Choice
from midstream.session.worth import Candidate, Goal, goals, runs, snr_here
from midstream.types import UnitKind

__all__ = ["LEAST_PART", "NO_UNIT", "choose", "choose_adapter"]

LEAST_PART = 256
"""Bytes below which a part of a unit is not worth a request."""
NO_UNIT = -1
"""Index of what is no unit of the manifest."""


def choose(
    candidates: Sequence[Candidate],
    allowance: Allowance,
    policy: Policy,
    *,
    reach: float | None = None,
) -> Choice | Wait:
    """The next unit.

    Args:
        candidates: Releases, the newest last.
        allowance: What the player reported last, and what came since.
        policy: What it allows.
        reach: Bytes that can be here, and staged, by the activation that the player aims at;
            None where it aims at none.
    """
    is_first = not any(runs(candidate) for candidate in candidates)
    found = None
    if reach is not None and not is_first:
        found = _best_in_reach(candidates, policy, reach)
    if found is not None:
        candidate, goal = found
        why = f"{_name(candidate, goal)}, the best of the {reach:.0f} bytes that can come in time"
    else:
        found = _most_per_byte(candidates, policy)
        if found is None:
            return Wait(reason="nothing is missing")
        candidate, goal = found
        if is_first:
            size = candidate.manifest.units[goal.first].size
            return _chosen(candidate, goal, f"base first, {size} bytes: nothing runs yet")
        why = _name(candidate, goal)
    return _permit(candidate, goal, why, allowance, policy)


def choose_adapter(
    provider: str,
    *,
    release: int,
    size: int,
    received: int,
    allowance: Allowance,
    policy: Policy,
) -> Choice | Wait:
    """Whether an adapter may be begun, or gone on with.

    Adapters come when all units of their release are here, so there is nothing better to fetch.

    Args:
        provider: Whose it is.
        release: Number of the release that it is to.
        size: Its bytes.
        received: Those of them that are here.
        allowance: What the player reported last, and what came since.
        policy: What it allows.
    """
    missing = max(size - received, 1)
    wait = allowance.hold(policy, least=min(missing, LEAST_PART))
    if wait is not None:
        return wait
    reason = f"adapter of {provider}: {size} bytes, buffer {allowance.link.buffer:.1f} s"
    if (room := allowance.room(policy)) < missing:
        reason += f"; {math.floor(room)} of {missing} bytes now"
    return Choice(release=release, unit=NO_UNIT, size=size, reason=reason)


def _most_per_byte(
    candidates: Sequence[Candidate], policy: Policy
) -> tuple[Candidate, Goal] | None:
    for candidate in reversed(candidates):
        wanted = list(goals(candidate, policy))
        if wanted:
            return candidate, max(wanted, key=lambda goal: (goal.density, -goal.unit))
    return None


def _best_in_reach(
    candidates: Sequence[Candidate], policy: Policy, reach: float
) -> tuple[Candidate, Goal] | None:
    """The best network that can be there, of the newest release that has a better one."""
    for at in reversed(range(len(candidates))):
        candidate = candidates[at]
        older = max((snr_here(other) for other in candidates[:at]), default=0.0)
        found = [
            goal
            for goal in goals(candidate, policy)
            if goal.missing <= reach
            and goal.gain
            and goal.snr >= older
            and _worth(candidate, goal) >= policy.least_worth
        ]
        if found:
            return candidate, max(found, key=lambda goal: (goal.snr, -goal.missing))
    return None


def _permit(
    candidate: Candidate, goal: Goal, why: str, allowance: Allowance, policy: Policy
) -> Choice | Wait:
    entry = candidate.manifest.units[goal.first]
    missing = max(entry.size - candidate.received.get(goal.first, 0), 1)
    worth = _worth(candidate, goal)
    wait = allowance.hold(policy, least=min(missing, LEAST_PART), worth=worth)
    if wait is not None:
        return wait
    room = allowance.room(policy)
    return _chosen(candidate, goal, "; ".join(_reasons(goal, why, missing, room, allowance)))


def _worth(candidate: Candidate, goal: Goal) -> float:
    """Gain for a kilobyte, dB; infinite where a base comes first, since a release is no layer."""
    is_base = candidate.manifest.units[goal.first].parent is None
    return math.inf if is_base else goal.density


def _reasons(
    goal: Goal, why: str, missing: int, room: float, allowance: Allowance
) -> Iterator[str]:
    link = allowance.link
    facts = [f"{goal.density:.2f} dB/kB", f"buffer {link.buffer:.1f} s"]
    if link.throughput:
        facts.append(f"{missing / link.throughput:.1f} s at this rate")
    yield f"{why}: {', '.join(facts)}"
    if room < missing:
        yield f"{math.floor(room)} of {missing} bytes now"


def _name(candidate: Candidate, goal: Goal) -> str:
    units = candidate.manifest.units
    first, last = units[goal.first], units[goal.unit]
    name = "new release" if first.kind is UnitKind.BASE else f"layer {first.layer}"
    return name if first is last else f"{name}, on the way to layer {last.layer}"


def _chosen(candidate: Candidate, goal: Goal, reason: str) -> Choice:
    manifest = candidate.manifest
    return Choice(
        release=manifest.release,
        unit=goal.first,
        size=manifest.units[goal.first].size,
        reason=reason,
        worth=goal.density,
    )
