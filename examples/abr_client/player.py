"""A simulated player on a virtual clock: one link, one buffer. Knows nothing of what decides.

The environment is the accepted one (Mao et al., Pensieve, SIGCOMM 2017): the first segment on
rung 1, a buffer of at most 60 s drained in steps of half a second. Model bytes use the same
link, between segments: what the player would have waited with a full buffer costs nothing,
the rest drains the buffer, and a stall they cause counts like any other.
"""

import math

from link import Link
from midstream.abr import Observation, Transfer, TransferFilter
from traces import Trace
from video import Video

__all__ = ["BUFFER_CAP", "DRAIN_STEP", "FIRST_RUNG", "REBUFFER_PENALTY", "Player"]

FIRST_RUNG = 1
"""Rung of the first segment, which nobody decides."""
BUFFER_CAP = 60.0
"""Seconds of media that a player holds."""
DRAIN_STEP = 0.5
"""Seconds that it waits at a time while its buffer is over the cap."""
REBUFFER_PENALTY = 4.3
"""QoE of a second without picture, in Mbit/s."""

_CHANGES_FROM = 1  # QoE counts from the second segment on, the first one that was decided
_RECENT = 5


class Player:
    """Plays one video over one trace.

    Args:
        trace: The link's throughput.
        video: The sizes of its segments.
    """

    def __init__(self, trace: Trace, video: Video) -> None:
        self.video = video
        """What is played."""
        self.clock = 0.0
        """Virtual seconds since the start."""
        self.startup = 0.0
        """Seconds of model bytes before the first segment."""
        self.model_stall = 0.0
        """Seconds of stall while model bytes were on the link, after the start."""
        self.rungs: list[int] = []
        """Rung of each segment fetched."""
        self.stalls: list[float] = []
        """Seconds of stall before each segment fetched."""
        self._link = Link(trace)
        self._buffer = 0.0
        self._samples = TransferFilter()

    @property
    def segment(self) -> int:
        """Segments fetched so far."""
        return len(self.rungs)

    @property
    def is_over(self) -> bool:
        """Whether the last segment is fetched."""
        return self.segment == self.video.segments

    @property
    def buffer(self) -> float:
        """Seconds of media not yet played."""
        return self._buffer

    @property
    def throughput(self) -> float:
        """Bytes per second, the harmonic mean of the last segments; 0 before the first."""
        recent = self._samples.throughputs[-_RECENT:]
        return len(recent) / sum(1 / rate for rate in recent) if recent else 0.0

    @property
    def qoe(self) -> float:
        """QoE_lin, the mean over decided segments; model bytes' stalls and start-up included."""
        rates = [self.video.ladder_kbps[rung] / 1000 for rung in self.rungs]
        total = -REBUFFER_PENALTY * (self.startup + self.model_stall)
        for index in range(_CHANGES_FROM, len(rates)):
            total += rates[index] - abs(rates[index] - rates[index - 1])
            total -= REBUFFER_PENALTY * self.stalls[index]
        return total / (len(rates) - _CHANGES_FROM)

    def start(self, model_bytes: int) -> float:
        """Fetch model bytes before anything plays, and the first segment.

        Args:
            model_bytes: How many; 0 where there is no model.

        Returns:
            Seconds that the model bytes took.
        """
        if model_bytes:
            self.startup = self._link.download(model_bytes)
            self.clock += self.startup
        self.download(FIRST_RUNG)
        return self.startup

    def observe(self) -> Observation:
        """What a policy may know before it decides the next segment."""
        self._drain()
        return Observation(
            throughputs=self._samples.throughputs,
            delays=self._samples.delays,
            buffer=self._buffer,
            last_index=self.rungs[-1],
            sizes=self.video.sizes[self.segment :],
            segments_left=self.video.segments - self.segment,
            ladder_kbps=self.video.ladder_kbps,
            segment_seconds=self.video.segment_seconds,
        )

    def download(self, rung: int) -> float:
        """Fetch the next segment.

        Args:
            rung: On which rung.

        Returns:
            Seconds of stall.
        """
        self._drain()
        size = self.video.sizes[self.segment][rung]
        delay = self._link.download(size)
        self._samples.add(self._transfer(size, delay, is_model=False))
        stall = self._pass(delay)
        self._buffer += self.video.segment_seconds
        self.rungs.append(rung)
        self.stalls.append(stall)
        return stall

    def spend(self, model_bytes: int, *, is_asked: bool = False) -> float:
        """Fetch model bytes between two segments.

        Args:
            model_bytes: How many, everything that came over the wire.
            is_asked: Whether they belong to a request that was made before.

        Returns:
            Seconds of stall they caused.
        """
        delay = (self._link.carry if is_asked else self._link.download)(model_bytes)
        # media and models have this link one after the other; where they have it at once, say when
        # models did: add(transfer, busy=model.busy(since=transfer.start))
        self._samples.add(self._transfer(model_bytes, delay, is_model=True))
        stall = self._pass(delay)
        self.model_stall += stall
        return stall

    def room(self, floor: float) -> int:
        """Bytes that the player expects the link to carry until the buffer is down to a floor.

        Args:
            floor: Seconds of buffer to leave.
        """
        return int(max(0.0, self._buffer - floor) * self.throughput)

    def _transfer(self, size: int, delay: float, *, is_model: bool) -> Transfer:
        """One that begins now, for the filter of samples."""
        end = self.clock + delay
        return Transfer(
            size=size, start=self.clock, first_byte=self.clock, end=end, is_model=is_model
        )

    def _pass(self, seconds: float) -> float:
        """Time passes while the link is busy; the buffer plays, and may run dry."""
        self.clock += seconds
        stall = max(seconds - self._buffer, 0.0)
        self._buffer = max(self._buffer - seconds, 0.0)
        return stall

    def _drain(self) -> None:
        """Wait until the buffer is below its cap."""
        excess = max(self._buffer - BUFFER_CAP, 0.0)
        wait = math.ceil(excess / DRAIN_STEP) * DRAIN_STEP
        if wait:
            self._link.wait(wait)
            self._pass(wait)
