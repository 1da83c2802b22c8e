"""The accepted environment for many sessions at once, in NumPy. Knows nothing of policies.

`Link` walks a trace sample by sample; here the walk is two look-ups: from time to the bytes that
the trace has carried by then, and from bytes back to time. Both agree within 1e-7 s.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from link import PAYLOAD, ROUND_TRIP
from midstream.abr.features import HISTORY, policy_inputs
from traces import Trace
from video import LADDER_KBPS, SEGMENT_SECONDS, Video

__all__ = ["BUFFER_CAP", "FIRST_RUNG", "REBUFFER_PENALTY", "Fleet", "Roads"]

BUFFER_CAP = 60.0
"""Seconds of media that a player holds at most."""
DRAIN_STEP = 0.5
"""A full buffer is drained in steps of so many seconds."""
FIRST_RUNG = 1
"""The rung of the first segment, which nobody decides."""
REBUFFER_PENALTY = 4.3
"""QoE_lin of a second without picture."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RATES = np.array(LADDER_KBPS) / 1000.0
_WINDOWS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Roads:
    """Many traces, laid end to end, so that one look-up serves all of them."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        times = [_lap(trace) for trace in traces]
        rates = [np.array(trace.mbps[1:]) * 125_000.0 * PAYLOAD for trace in traces]
        sizes = [
            np.concatenate(([0.0], np.cumsum(rate * np.diff(time))))
            for rate, time in zip(rates, times, strict=True)
        ]
        self.starts = np.array([trace.seconds[0] for trace in traces])
        self.lap_seconds = np.array([time[-1] for time in times])
        self.lap_bytes = np.array([size[-1] for size in sizes])
        self._time_offsets = np.cumsum(self.lap_seconds + 1.0) - self.lap_seconds - 1.0
        self._byte_offsets = np.cumsum(self.lap_bytes + 1.0) - self.lap_bytes - 1.0
        self._times = np.concatenate(
            [t + o for t, o in zip(times, self._time_offsets, strict=True)]
        )
        self._bytes = np.concatenate(
            [s + o for s, o in zip(sizes, self._byte_offsets, strict=True)]
        )
        # the last knot of a lap is only met by rounding; it goes on as the lap began
        self._rates = np.concatenate([np.append(rate, rate[rate > 0.0][0]) for rate in rates])

    def carried(self, trace: Ints, at: Floats) -> Floats:
        """Bytes carried from a trace's start to a second of it; seconds may lie in later laps.

        Args:
            trace: Which trace, any shape.
            at: Seconds, same shape.
        """
        laps, rest = np.divmod(at, self.lap_seconds[trace])
        key = self._time_offsets[trace] + rest
        knot = np.searchsorted(self._times, key, side="right") - 1
        inside = self._bytes[knot] - self._byte_offsets[trace]
        carried = inside + (key - self._times[knot]) * self._rates[knot]
        total: Floats = laps * self.lap_bytes[trace] + carried
        return total

    def reached(self, trace: Ints, size: Floats) -> Floats:
        """The second by which so many bytes are carried; the inverse of `carried`.

        Args:
            trace: Which trace, any shape.
            size: Bytes since its start, same shape.
        """
        laps, rest = np.divmod(size, self.lap_bytes[trace])
        key = self._byte_offsets[trace] + rest
        knot = np.searchsorted(self._bytes, key, side="right") - 1
        inside = self._times[knot] - self._time_offsets[trace]
        seconds: Floats = inside + (key - self._bytes[knot]) / self._rates[knot]
        seconds += laps * self.lap_seconds[trace]
        return seconds


def _lap(trace: Trace) -> Floats:
    return np.concatenate(([0.0], np.array(trace.seconds[1:])))


class Fleet:
    """Sessions of one video side by side, all at the same segment."""

    def __init__(
        self,
        roads: Roads,
        video: Video,
        *,
        traces: Ints,
        starts: Floats | None = None,
        scales: Floats | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Start sessions and fetch their first segment.

        Args:
            roads: The traces.
            video: The video.
            traces: Which trace each session runs on, (sessions,).
            starts: From which second of it; as it begins where not given.
            scales: Factor on each session's rates; 1 where not given.
            rng: Noise of a tenth on each delay; none where not given.
        """
        sessions = len(traces)
        self._roads = roads
        self.sizes = video.array
        self.traces = traces
        self.scales = np.ones(sessions) if scales is None else scales
        self._rng = rng
        self.at = roads.starts[traces] if starts is None else starts
        self.buffer = np.zeros(sessions)
        self.last = np.full(sessions, FIRST_RUNG)
        self.segment = 0
        self.throughputs = np.zeros((sessions, HISTORY))
        self.delays = np.zeros((sessions, HISTORY))
        self.step(self.last)

    @property
    def is_over(self) -> bool:
        """Whether the last segment is fetched."""
        return self.segment == len(self.sizes)

    def step(self, rungs: Ints) -> Floats:
        """Fetch the next segment and return its QoE_lin, (sessions,).

        Args:
            rungs: On which rung, (sessions,).
        """
        size = self.sizes[self.segment, rungs]
        delay, self.at = transfer(self._roads, self.traces, self.at, size / self.scales)
        if self._rng is not None:
            delay *= self._rng.uniform(0.9, 1.1, len(delay))
        stalled, self.buffer, idle = play(self.buffer, delay)
        self.at = self.at + idle
        change = np.abs(_RATES[rungs] - _RATES[self.last])
        self.throughputs = np.column_stack((self.throughputs[:, 1:], size / delay))
        self.delays = np.column_stack((self.delays[:, 1:], delay))
        self.last = rungs
        self.segment += 1
        reward: Floats = _RATES[rungs] - REBUFFER_PENALTY * stalled - change
        return reward

    def inputs(self) -> NDArray[np.float32]:
        """What a policy is shown now, (sessions, 25)."""
        return policy_inputs(
            throughputs=self.throughputs,
            delays=self.delays,
            sizes=np.broadcast_to(self.sizes[self.segment], (len(self.at), self.sizes.shape[1])),
            buffer=self.buffer,
            segments_left=np.full(len(self.at), len(self.sizes) - self.segment),
            last_kbps=_RATES[self.last] * 1000.0,
        )

    def foresight(self) -> NDArray[np.float32]:
        """Log mean throughput over the coming seconds, (sessions, 6); for a critic only."""
        now = self._roads.carried(self.traces, self.at)
        columns = [
            (self._roads.carried(self.traces, self.at + window) - now) * self.scales / window
            for window in _WINDOWS
        ]
        logs: NDArray[np.float32] = np.log(
            np.maximum(np.column_stack(columns) / 125_000.0, 1e-3)
        ).astype(np.float32)
        return logs


def transfer(roads: Roads, trace: Ints, at: Floats, size: Floats) -> tuple[Floats, Floats]:
    """How long requests take, the round trip included, and the trace's second after them.

    Args:
        roads: The traces.
        trace: Which trace, any shape.
        at: Its second, same shape.
        size: Bytes, same shape.
    """
    end = roads.reached(trace, roads.carried(trace, at) + size)
    return end - at + ROUND_TRIP, end


def play(buffer: Floats, delay: Floats) -> tuple[Floats, Floats, Floats]:
    """Stall, buffer afterwards and idle seconds while a segment took its delay to arrive.

    Args:
        buffer: Seconds of media before, any shape.
        delay: Seconds from request to last byte, same shape.
    """
    stalled = np.maximum(delay - buffer, 0.0)
    after = np.maximum(buffer - delay, 0.0) + SEGMENT_SECONDS
    idle = np.ceil(np.maximum(after - BUFFER_CAP, 0.0) / DRAIN_STEP) * DRAIN_STEP
    return stalled, after - idle, idle
