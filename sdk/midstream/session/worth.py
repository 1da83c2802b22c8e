"""What each unit that is missing would bring, and cost. Knows nothing of links or players.

A unit may be worth little by itself and open one that is worth much. So each unit that is
wanted is looked at with all that it lacks: the gain is that of the network which runs then over
the best that runs now, the cost all bytes that are still to come.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from midstream.session.allowance import Policy
from midstream.session.paths import Way
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = ["Candidate", "Goal", "goals", "runs", "snr_here"]

_SNR_CEILING = 40.0
"""dB above which outputs, and so decisions, no longer change (an exact unit reaches it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A release, and what of its units is here."""

    manifest: Manifest
    """The release."""
    verified: frozenset[int]
    """Indices of units that are there."""
    failed: frozenset[int]
    """Indices of units that are given up for now."""
    received: Mapping[int, int] = field(default_factory=dict)
    """Bytes that are here of units that are not whole, by index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A unit to get to, by all that it lacks."""

    unit: int
    """Its index."""
    first: int
    """Index of the unit that comes first on the way."""
    missing: int
    """Bytes still to come, the ways' units together; 1 at least."""
    snr: float
    """dB of the network that runs then, 40 at most."""
    gain: float
    """dB more than the best that runs now; 0 at least."""

    @property
    def density(self) -> float:
        """Gain for a kilobyte, dB."""
        return self.gain / self.missing * 1000


def goals(candidate: Candidate, policy: Policy) -> Iterator[Goal]:
    """Every unit that is wanted, missing, and not beyond one that was given up."""
    manifest = candidate.manifest
    here = snr_here(candidate)
    for index, entry in enumerate(manifest.units):
        chain = manifest.chain(index)
        if index in candidate.verified or not candidate.failed.isdisjoint(chain):
            continue
        if _is_wanted(manifest, entry, policy):
            lacking = [unit for unit in chain if unit not in candidate.verified]
            snr = _snr(entry)
            yield Goal(
                unit=index,
                first=lacking[0],
                missing=max(sum(_missing(candidate, unit) for unit in lacking), 1),
                snr=snr,
                gain=max(snr - here, 0.0),
            )


def runs(candidate: Candidate) -> bool:
    """Whether a base is there; without one, the units on it are of no use."""
    return any(candidate.manifest.units[unit].parent is None for unit in candidate.verified)


def snr_here(candidate: Candidate) -> float:
    """SNR of the best network that can be made of what is there, dB; 0 without a base."""
    manifest, verified = candidate.manifest, candidate.verified
    whole = (unit for unit in verified if verified.issuperset(manifest.chain(unit)))
    return max((_snr(manifest.units[unit]) for unit in whole), default=0.0)


def _is_wanted(manifest: Manifest, entry: UnitEntry, policy: Policy) -> bool:
    # a way leads to what the policy allows; its layers are steps, however many
    is_needed = entry.parent is None or isinstance(manifest, Way)
    return is_needed or policy.max_layer is None or entry.layer <= policy.max_layer


def _missing(candidate: Candidate, unit: int) -> int:
    return candidate.manifest.units[unit].size - candidate.received.get(unit, 0)


def _snr(entry: UnitEntry) -> float:
    fidelity = entry.fidelity
    snr = fidelity.weight_snr if fidelity.output_snr is None else fidelity.output_snr
    return min(snr, _SNR_CEILING)
