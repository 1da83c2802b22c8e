"""Which unit next, or why none. Knows nothing of requests, packets or clocks.

Rules, in this order: a base before anything else, whatever the link does, since without it
nothing runs; nothing below the player's low-water mark; nothing over the byte budget; the
newest release first; then the unit with the most gain per byte. The mark and the budget also
hold a unit that is under way: it rests where it is and goes on when they let it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError
from midstream.session.events import Choice
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import UnitKind

__all__ = ["Candidate", "Link", "Policy", "Wait", "choose", "hold"]

_SNR_CEILING = 40.0
"""dB above which outputs, and so decisions, no longer change (an exact unit reaches it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the player allows model bytes to do.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    low_water: float = 8.0
    """Seconds of media in the buffer below which nothing is fetched but the first base."""
    max_layer: int | None = None
    """The highest layer that is wanted; None for all. The base is wanted in any case."""

    def __post_init__(self) -> None:
        if not self.low_water >= 0:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT, f"low water {self.low_water}: expected 0 s or more"
            )
        if self.max_layer is not None and self.max_layer < 0:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT, f"highest layer {self.max_layer}: expected 0 or more"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the player knows of the link that media and models share."""

    buffer: float = math.inf
    """Seconds of media in the buffer; infinite where there is no player."""
    budget: int | None = None
    """Bytes of units that may come until the next report; None for no bound."""
    throughput: float | None = None
    """Bytes per second, as the player estimates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A release, and which of its units are settled."""

    manifest: Manifest
    """The release."""
    verified: frozenset[int]
    """Indices of units that are there."""
    failed: frozenset[int]
    """Indices of units that are given up for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing is started now."""

    reason: str
    """Why, for logs."""


def hold(link: Link, policy: Policy, *, spent: int) -> Wait | None:
    """Why nothing more may come now, whatever it is; None where it may.

    Args:
        link: What the player reported last.
        policy: What it allows.
        spent: Bytes of units that came since that report.
    """
    if link.buffer < policy.low_water:
        return Wait(reason=f"buffer {link.buffer:.1f} s is below {policy.low_water:.1f} s")
    if link.budget is not None and spent >= link.budget:
        return Wait(reason=f"the budget of {link.budget} bytes is spent")
    return None


def choose(
    candidates: Sequence[Candidate], link: Link, policy: Policy, *, spent: int = 0
) -> Choice | Wait:
    """The next unit.

    Args:
        candidates: Releases, the newest last.
        link: What the player reported last.
        policy: What it allows.
        spent: Bytes of units that came since that report.
    """
    running = any(_runs(candidate) for candidate in candidates)
    for candidate in reversed(candidates):
        options = list(_options(candidate, policy))
        if options:
            score, unit = max(options, key=lambda option: (option[0], -option[1]))
            if not running:
                return _chosen(candidate, unit, "base first: nothing runs yet")
            return _permit(candidate, unit, score, link, policy, spent)
    return Wait(reason="nothing is missing")


def _runs(candidate: Candidate) -> bool:
    """Whether a base is there; without one, the units on it are of no use."""
    return any(candidate.manifest.units[unit].parent is None for unit in candidate.verified)


def _options(candidate: Candidate, policy: Policy) -> Iterator[tuple[float, int]]:
    """Units whose ancestors are all there, with their gain in dB per kilobyte."""
    manifest = candidate.manifest
    units = manifest.units
    for index, entry in enumerate(units):
        if index in candidate.verified or index in candidate.failed:
            continue
        has_ancestors = candidate.verified.issuperset(manifest.chain(index)[:-1])
        if has_ancestors and _is_wanted(entry, policy):
            parent = None if entry.parent is None else units[entry.parent]
            yield _gain(entry, parent) / entry.size * 1000, index


def _is_wanted(entry: UnitEntry, policy: Policy) -> bool:
    is_base = entry.parent is None
    return is_base or policy.max_layer is None or entry.layer <= policy.max_layer


def _gain(entry: UnitEntry, parent: UnitEntry | None) -> float:
    below = 0.0 if parent is None else _snr(parent)
    return max(_snr(entry) - below, 0.0)


def _snr(entry: UnitEntry) -> float:
    fidelity = entry.fidelity
    snr = fidelity.weight_snr if fidelity.output_snr is None else fidelity.output_snr
    return min(snr, _SNR_CEILING)


def _permit(
    candidate: Candidate, unit: int, score: float, link: Link, policy: Policy, spent: int
) -> Choice | Wait:
    if (wait := hold(link, policy, spent=spent)) is not None:
        return wait
    entry = candidate.manifest.units[unit]
    if link.budget is not None and entry.size > link.budget - spent:
        left = f", {spent} of it spent" if spent else ""
        return Wait(reason=f"{entry.size} bytes are over the budget of {link.budget}{left}")
    what = "new release" if entry.kind is UnitKind.BASE else f"layer {entry.layer}"
    return _chosen(
        candidate,
        unit,
        f"{what}: {score:.2f} dB/kB, buffer {link.buffer:.1f} s{_duration(entry, link)}",
    )


def _chosen(candidate: Candidate, unit: int, reason: str) -> Choice:
    manifest = candidate.manifest
    return Choice(
        release=manifest.release, unit=unit, size=manifest.units[unit].size, reason=reason
    )


def _duration(entry: UnitEntry, link: Link) -> str:
    return f", {entry.size / link.throughput:.1f} s at this rate" if link.throughput else ""
