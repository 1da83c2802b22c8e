"""A video player on a virtual clock. Knows nothing of what decides or where models come from.

One thing is on the link at a time: a segment, or bytes of a model. Model bytes are carried
between two segments and delay the next one by exactly what they take; while the buffer is full
and the player would idle, they delay nothing.

Start-up: model bytes that are carried before the first segment delay the first picture. The
accepted QoE_lin does not count the first segment, so neither is its own delay counted here; what
a model adds to it is counted as rebuffering, once (`model_startup`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fleet import BUFFER_CAP, DRAIN_STEP, FIRST_RUNG, REBUFFER_PENALTY
from link import ROUND_TRIP, Link
from midstream.abr import Observation, Transfer, TransferFilter
from midstream.errors import ErrorCode, UsageError
from traces import Trace
from video import Video

__all__ = ["KNOWN_AHEAD", "Player", "Segment", "session_qoe"]

KNOWN_AHEAD = 8
"""Segments whose sizes a player knows in advance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment, fetched."""

    number: int
    """Which one, from 0."""
    rung: int
    """On which rung."""
    transfer: Transfer
    """Its bytes and times, on the virtual clock."""
    stalled: float
    """Seconds without picture since the segment before it, whatever caused them."""
    buffer: float
    """Seconds of media after it came; above the cap where the player will idle."""
    qoe: float
    """Its QoE_lin."""


class Player:
    """Plays one video over one link."""

    def __init__(self, trace: Trace, video: Video) -> None:
        self._link = Link(trace)
        self._video = video
        self._filter = TransferFilter(smallest=1)
        self._stalled = 0.0  # not charged to a segment yet
        self._last = FIRST_RUNG
        self.segments: list[Segment] = []
        """What was fetched so far."""
        self.clock = 0.0
        """Virtual seconds since the start."""
        self.buffer = 0.0
        """Seconds of media not yet played."""
        self.model_bytes = 0
        """Model bytes carried so far."""
        self.model_startup = 0.0
        """Seconds by which model bytes delayed the first segment."""

    @property
    def is_over(self) -> bool:
        """Whether the last segment is fetched."""
        return len(self.segments) == self._video.segments

    @property
    def is_first(self) -> bool:
        """Whether the first segment is still to come; nobody decides its rung."""
        return not self.segments

    @property
    def startup(self) -> float:
        """Seconds from the start to the first picture; 0 before it."""
        return self.segments[0].transfer.end if self.segments else 0.0

    @property
    def idle(self) -> float:
        """Seconds that the player will wait because its buffer is full."""
        return math.ceil(max(self.buffer - BUFFER_CAP, 0.0) / DRAIN_STEP) * DRAIN_STEP

    @property
    def idle_room(self) -> int:
        """Model bytes that one request can carry now without delaying a segment."""
        return self._link.room(self.idle)

    @property
    def qoe(self) -> float:
        """QoE_lin so far, see `session_qoe`."""
        return session_qoe(self.segments, self.model_startup)

    def observe(self) -> Observation:
        """What the player knows before it asks for the next segment, after idling.

        Raises:
            UsageError: The video is over.
        """
        self._require_more()
        self._settle()
        ahead = len(self.segments)
        return Observation(
            throughputs=self._filter.throughputs,
            delays=self._filter.delays,
            buffer=self.buffer,
            last_index=self._last,
            sizes=self._video.sizes[ahead : ahead + KNOWN_AHEAD],
            segments_left=self._video.segments - ahead,
            ladder_kbps=self._video.ladder_kbps,
            segment_seconds=self._video.segment_seconds,
        )

    def download(self, rung: int = FIRST_RUNG) -> Segment:
        """Fetch the next segment.

        Args:
            rung: On which rung.

        Raises:
            UsageError: The video is over, or there is no such rung.
        """
        self._require_more()
        if not 0 <= rung < len(self._video.ladder_kbps):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"rung {rung} is not on the ladder")
        self._settle()
        number = len(self.segments)
        transfer = self._carry(self._video.sizes[number][rung], self._link.download)
        self._filter.add(transfer)
        stalled, self._stalled = self._stalled, 0.0
        self.buffer += self._video.segment_seconds
        segment = Segment(
            number=number,
            rung=rung,
            transfer=transfer,
            stalled=stalled,
            buffer=self.buffer,
            qoe=self._value(rung, stalled),
        )
        self._last = rung
        self.segments.append(segment)
        return segment

    def spend(self, size: int, *, requests: int = 1) -> float:
        """Carry model bytes now, and return the seconds that takes.

        Args:
            size: How many, metadata and repair symbols included.
            requests: Requests one after the other, each of one round trip.

        Raises:
            UsageError: The size or the number of requests is below 0.
        """
        if size < 0 or requests < 0:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{size} bytes in {requests} requests")
        transfer = self._carry(size, lambda count: self._link.carry(count) + requests * ROUND_TRIP)
        self.model_bytes += size
        if self.is_first:
            self.model_startup += transfer.delay
        return transfer.delay

    def _carry(self, size: int, carry: Callable[[float], float]) -> Transfer:
        start, seconds = self.clock, carry(size)
        self.clock += seconds
        self._stalled += max(seconds - self.buffer, 0.0)
        self.buffer = max(self.buffer - seconds, 0.0)
        first_byte = start + min(ROUND_TRIP, seconds)
        return Transfer(size=size, start=start, first_byte=first_byte, end=start + seconds)

    def _settle(self) -> None:
        """Idle until the buffer has room for a segment."""
        idle = self.idle
        self._link.wait(idle)
        self.clock += idle
        self.buffer -= idle

    def _value(self, rung: int, stalled: float) -> float:
        mbps = [kbps / 1000.0 for kbps in self._video.ladder_kbps]
        change = abs(mbps[rung] - mbps[self._last])
        return mbps[rung] - REBUFFER_PENALTY * stalled - change

    def _require_more(self) -> None:
        if self.is_over:
            raise UsageError(ErrorCode.BAD_STATE, "the video is over: no segment is left")


def session_qoe(segments: list[Segment], model_startup: float) -> float:
    """Mean QoE_lin of a session over its segments from the second on.

    Seconds that a model added to start-up are charged like rebuffering.

    Args:
        segments: What was fetched.
        model_startup: Seconds by which model bytes delayed the first one.
    """
    counted = segments[1:]
    if not counted:
        return 0.0
    charge = REBUFFER_PENALTY * model_startup
    return (sum(segment.qoe for segment in counted) - charge) / len(counted)
