"""Rules that need no network: buffer-based, rate-based, RobustMPC. Each is a pure function.

None of them keeps anything between two decisions, so none carries an error from one session
into the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.abr.observation import Observation

__all__ = ["BufferBased", "RateBased", "RobustMpc", "Rule", "SafeRung", "harmonic_mean"]

Rule = Callable[[Observation], int]
"""From what the player knows to a rung."""

_MEMORY = 5
_MAX_PLANS = 10_000
_BYTES_PER_KBIT = 125.0


def harmonic_mean(values: tuple[float, ...]) -> float:
    """Harmonic mean of positive numbers: a few fast samples hide no slow one.

    Args:
        values: At least one.
    """
    return len(values) / sum(1.0 / value for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferBased:
    """Rungs rise with the buffer alone (Huang et al., SIGCOMM 2014)."""

    reservoir: float = 5.0
    """Seconds of buffer below which the lowest rung is taken."""
    cushion: float = 10.0
    """Seconds above the reservoir over which rungs rise to the highest."""

    def __call__(self, observation: Observation) -> int:
        """Choose a rung."""
        share = (observation.buffer - self.reservoir) / self.cushion
        return int(min(max(share, 0.0), 1.0) * (observation.rungs - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBased:
    """The highest rung that the last five segments' harmonic mean throughput carries."""

    safety: float = 1.0
    """Part of the estimate that is used."""

    def __call__(self, observation: Observation) -> int:
        """Choose a rung; the lowest where there are no samples."""
        if not observation.throughputs:
            return 0
        budget = self.safety * harmonic_mean(observation.throughputs[-_MEMORY:])
        rates = [kbps * _BYTES_PER_KBIT for kbps in observation.ladder_kbps]
        return max(sum(rate <= budget for rate in rates) - 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustMpc:
    """The first rung of the best plan over the next segments (Yin et al., SIGCOMM 2015).

    Plans are valued by QoE_lin under the harmonic mean of the last five throughputs, divided by
    one plus its largest relative error over the last five segments. That error is computed from
    the observation's own samples.
    """

    horizon: int = 5
    """Segments of a plan; fewer where there would be too many plans."""
    rebuffer_penalty: float = 4.3
    """QoE of a second without picture, in Mbit/s."""

    def __call__(self, observation: Observation) -> int:
        """Choose a rung; the lowest where there are no samples."""
        if not observation.throughputs:
            return 0
        rungs = observation.rungs
        seconds = _planned_sizes(observation, self._depth(observation)) / _robust(
            observation.throughputs
        )
        mbps = np.array(observation.ladder_kbps) / 1000.0
        value, buffer = np.zeros(1), np.full(1, observation.buffer)
        last = np.full(1, observation.last_index)
        for row in seconds:
            # (plans so far, rungs), flattened: a plan's first rung is its leading digit
            short = buffer[:, None] - row
            gain = mbps - np.abs(mbps - mbps[last][:, None])
            gain += self.rebuffer_penalty * np.minimum(short, 0.0)
            value = (value[:, None] + gain).ravel()
            buffer = np.maximum(short, 0.0).ravel() + observation.segment_seconds
            last = np.tile(np.arange(rungs), len(last))
        return int(value.argmax()) * rungs // len(value)

    def _depth(self, observation: Observation) -> int:
        depth = min(self.horizon, observation.segments_left)
        while depth > 1 and observation.rungs**depth > _MAX_PLANS:
            depth -= 1
        return depth


def _planned_sizes(observation: Observation, depth: int) -> NDArray[np.float64]:
    """Bytes of the next segments, (depth, rungs); those not known are as their bit rate says."""
    known = list(observation.sizes[:depth])
    seconds = observation.segment_seconds
    usual = tuple(round(kbps * _BYTES_PER_KBIT * seconds) for kbps in observation.ladder_kbps)
    return np.array(known + [usual] * (depth - len(known)), np.float64)


def _robust(throughputs: tuple[float, ...]) -> float:
    """A lower bound on the coming throughput, bytes per second."""
    errors = [
        abs(harmonic_mean(throughputs[max(index - _MEMORY, 0) : index]) - throughputs[index])
        / throughputs[index]
        for index in range(max(len(throughputs) - _MEMORY, 1), len(throughputs))
    ]
    return harmonic_mean(throughputs[-_MEMORY:]) / (1.0 + max(errors, default=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeRung:
    """The highest rung whose next segment arrives well before the buffer runs dry.

    A guard for the tail: neural policies win the median outside their training networks and
    lose the mean. The slowest of the last five segments stands for the coming one.
    """

    share: float = 0.7
    """Part of the buffer that the next segment may take to arrive."""

    def __call__(self, observation: Observation) -> int:
        """Choose a rung; the lowest where there are no samples."""
        if not observation.throughputs:
            return 0
        slowest = min(observation.throughputs[-_MEMORY:])
        budget = self.share * observation.buffer * slowest
        return max(sum(size <= budget for size in observation.sizes[0]) - 1, 0)
