"""What a Pensieve-like policy is shown: 25 numbers. Knows nothing of networks or players."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midstream.abr.observation import Observation
from midstream.errors import ErrorCode, UsageError

__all__ = ["FEATURES", "HISTORY", "RUNGS", "pensieve_features", "policy_inputs"]

HISTORY = 8
"""Segments whose throughput and delay a policy is shown."""
RUNGS = 6
"""Rungs whose next sizes a policy is shown."""
FEATURES = 2 * HISTORY + RUNGS + 3
"""Inputs of a policy."""

_MBIT = 125_000.0
_CLIP = 3.0
_TINY = 1e-9
_MOST_LEFT = 48.0


def pensieve_features(observation: Observation) -> NDArray[np.float32]:
    """What a policy is shown of one observation, float32, (1, 25).

    Args:
        observation: What the player knows, with a ladder of six rungs.

    Raises:
        UsageError: The ladder has another number of rungs.
    """
    sizes = observation.sizes[0]
    if len(sizes) != RUNGS:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"ladder of {len(sizes)} rungs, this policy knows {RUNGS}"
        )
    return policy_inputs(
        throughputs=[_latest(observation.throughputs)],
        delays=[_latest(observation.delays)],
        sizes=[sizes],
        buffer=[observation.buffer],
        segments_left=[observation.segments_left],
        last_kbps=[observation.ladder_kbps[observation.last_index]],
    )


def policy_inputs(
    *,
    throughputs: ArrayLike,
    delays: ArrayLike,
    sizes: ArrayLike,
    buffer: ArrayLike,
    segments_left: ArrayLike,
    last_kbps: ArrayLike,
) -> NDArray[np.float32]:
    """What a policy is shown in many sessions at once.

    Each input is brought to about zero mean and unit deviation on mobile networks; throughput
    and delay count by their logarithm, for both span two decades.

    Args:
        throughputs: Of the last eight segments, the newest last, bytes per second,
            (sessions, 8); 0 where there was none.
        delays: From request to last byte of the same, seconds, (sessions, 8).
        sizes: Of the next segment on each rung, bytes, (sessions, 6).
        buffer: Seconds of media not yet played, (sessions,).
        segments_left: Segments not yet fetched, (sessions,).
        last_kbps: Bit rate of the last segment, kbit/s, (sessions,).

    Returns:
        float32, (sessions, 25).
    """
    columns = (
        _logarithm(np.asarray(throughputs, np.float64) / _MBIT, 0.5, 0.8),
        _logarithm(np.asarray(delays, np.float64), -0.7, 0.8),
        (np.log(np.maximum(np.asarray(sizes, np.float64), 1.0)) - 13.0) / 0.9,
        (np.asarray(buffer, np.float64)[:, None] - 15.0) / 12.0,
        np.minimum(np.asarray(segments_left, np.float64), _MOST_LEFT)[:, None] / 24.0 - 1.0,
        np.asarray(last_kbps, np.float64)[:, None] / 2000.0 - 1.0,
    )
    return np.concatenate(columns, axis=1).astype(np.float32)


def _logarithm(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    logs = (np.log(np.maximum(values, _TINY)) - centre) / width
    return np.where(values > 0.0, np.clip(logs, -_CLIP, _CLIP), 0.0)


def _latest(samples: tuple[float, ...]) -> list[float]:
    recent = samples[-HISTORY:]
    return [0.0] * (HISTORY - len(recent)) + list(recent)
