"""What the best plan from here on is worth, for each first rung, knowing the future exactly.

A forward search over the coming segments. States that agree in their first rung, in the last
one and in a bucket of buffer levels are merged into the best of them. Merging never crosses
first rungs, so each of these has a value of its own and none is lost.
"""

import numpy as np
from numpy.typing import NDArray

from fleet import REBUFFER_PENALTY, Fleet, Floats, Ints, Roads, play, transfer
from video import LADDER_KBPS

__all__ = ["HORIZON", "plan_values"]

HORIZON = 8
"""Segments a plan looks ahead."""

_RATES = np.array(LADDER_KBPS) / 1000.0
_RUNGS = len(LADDER_KBPS)
_BUCKETS = np.concatenate(
    (np.arange(0.5, 8.0, 0.5), np.arange(8.0, 20.0), np.arange(20.0, 64.0, 4))
)
"""Upper edges, in seconds of buffer: fine where a stall is near."""


class _Front:
    """The states that a search holds: arrays over states."""

    def __init__(self, session: Ints, group: Ints, fleet: Fleet) -> None:
        self.session = session
        self.group = group
        self.at = fleet.at[session]
        self.buffer = fleet.buffer[session]
        self.last = fleet.last[session]
        self.value = np.zeros(len(session))

    def take(self, chosen: Ints) -> None:
        self.session, self.group = self.session[chosen], self.group[chosen]
        self.at, self.buffer = self.at[chosen], self.buffer[chosen]
        self.last, self.value = self.last[chosen], self.value[chosen]

    def fetch(self, roads: Roads, fleet: Fleet, sizes: Floats, rungs: Ints) -> None:
        delay, end = transfer(
            roads, fleet.traces[self.session], self.at, sizes[rungs] / fleet.scales[self.session]
        )
        stalled, self.buffer, idle = play(self.buffer, delay)
        self.at = end + idle
        change = np.abs(_RATES[rungs] - _RATES[self.last])
        self.value = self.value + _RATES[rungs] - REBUFFER_PENALTY * stalled - change
        self.last = rungs


def plan_values(roads: Roads, fleet: Fleet, *, horizon: int = HORIZON) -> Floats:
    """QoE_lin of the best plan that starts with each rung, (sessions, rungs).

    Args:
        roads: The traces the fleet runs on.
        fleet: Sessions that are not over; they are left as they are.
        horizon: Segments to look ahead; fewer where the video ends.
    """
    sessions = len(fleet.at)
    group = np.arange(sessions * _RUNGS)
    front = _Front(group // _RUNGS, group, fleet)
    last = min(fleet.segment + horizon, len(fleet.sizes))
    for segment in range(fleet.segment, last):
        if segment == fleet.segment:
            rungs = group % _RUNGS
        else:
            states = len(front.value)
            front.take(np.repeat(np.arange(states), _RUNGS))
            rungs = np.tile(np.arange(_RUNGS), states)
        front.fetch(roads, fleet, fleet.sizes[segment], rungs)
        front.take(_merge(front, sessions * _RUNGS))
    values = np.full(sessions * _RUNGS, -np.inf)
    np.maximum.at(values, front.group, front.value)
    return values.reshape(sessions, _RUNGS)


def _merge(front: _Front, groups: int) -> Ints:
    """Which states to keep: the best of each bucket, where no fuller buffer is as good."""
    buckets = len(_BUCKETS) + 1
    bucket = np.searchsorted(_BUCKETS, front.buffer, side="right")
    key = (front.group * _RUNGS + front.last) * buckets + bucket
    best = np.full(groups * _RUNGS * buckets, -np.inf)
    np.maximum.at(best, key, front.value)
    holder = np.zeros(len(best), np.int64)
    winners = np.flatnonzero(front.value == best[key])
    holder[key[winners]] = winners
    table = best.reshape(-1, buckets)
    fuller = np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1]
    beaten = np.column_stack((table[:, :-1] <= fuller[:, 1:], np.zeros(len(table), np.bool_)))
    kept: NDArray[np.bool_] = np.isfinite(table) & ~beaten
    return holder[kept.ravel()]
