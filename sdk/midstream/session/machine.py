"""Client protocol state machine. Knows nothing of sockets, clocks or files.

The owner feeds it verified manifests, bytes and clock values, and takes requests and events::

    IDLE ──release──> STARTING ──base verified──> REFINING ──nothing missing──> COMPLETE
                          │                          ^                             │
                     base failed                     └───────────release───────────┘
                          v
                        FAILED ──release or retry──> STARTING
    any state ──close──> CLOSED

Time is an argument everywhere; `next_timeout` says when to call `handle_timeout`.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.session.assembly import Assembly, State
from midstream.session.estimator import Estimator
from midstream.session.events import (
    Choice,
    Counters,
    Event,
    ReleaseOpened,
    Request,
    UnitChosen,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from midstream.session.scheduler import Candidate, Link, Policy, Wait, choose, hold
from midstream.trust import tree
from midstream.trust.manifest import Manifest

__all__ = ["TRANSITIONS", "Happening", "Session", "SessionState"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
_RETRY_FAILED = 30.0
"""Seconds until a unit that was given up is tried again."""


class SessionState(Enum):
    """Where a session is."""

    IDLE = auto()
    STARTING = auto()
    REFINING = auto()
    COMPLETE = auto()
    FAILED = auto()
    CLOSED = auto()


class Happening(Enum):
    """What moves it."""

    RELEASE = auto()
    BASE = auto()
    BASE_LOST = auto()
    NOTHING_MISSING = auto()
    RETRY = auto()


TRANSITIONS: dict[tuple[SessionState, Happening], SessionState] = {
    (SessionState.IDLE, Happening.RELEASE): SessionState.STARTING,
    (SessionState.STARTING, Happening.RELEASE): SessionState.STARTING,
    (SessionState.STARTING, Happening.BASE): SessionState.REFINING,
    (SessionState.STARTING, Happening.RETRY): SessionState.STARTING,
    (SessionState.STARTING, Happening.BASE_LOST): SessionState.FAILED,
    (SessionState.REFINING, Happening.RELEASE): SessionState.REFINING,
    (SessionState.REFINING, Happening.BASE_LOST): SessionState.REFINING,
    (SessionState.REFINING, Happening.RETRY): SessionState.REFINING,
    (SessionState.REFINING, Happening.NOTHING_MISSING): SessionState.COMPLETE,
    (SessionState.COMPLETE, Happening.RELEASE): SessionState.REFINING,
    (SessionState.FAILED, Happening.RELEASE): SessionState.STARTING,
    (SessionState.FAILED, Happening.BASE): SessionState.REFINING,
    (SessionState.FAILED, Happening.BASE_LOST): SessionState.FAILED,
    (SessionState.FAILED, Happening.RETRY): SessionState.STARTING,
}
"""A pair that is missing here is an error of ours, but for CLOSED, where all is refused."""


@dataclass(slots=True, kw_only=True)
class _Release:
    manifest: Manifest
    verified: set[int] = field(default_factory=set)
    failed: dict[int, float] = field(default_factory=dict)  # unit: when it was given up

    @property
    def has_base(self) -> bool:
        return any(self.manifest.units[unit].parent is None for unit in self.verified)

    def candidate(self) -> Candidate:
        return Candidate(
            manifest=self.manifest,
            verified=frozenset(self.verified),
            failed=frozenset(self.failed),
        )


class Session:
    """State of one client that follows one network.

    Args:
        policy: What the player allows model bytes to do.
        limits: Bounds on what is read from outside.
    """

    def __init__(self, *, policy: Policy | None = None, limits: Limits = LIMITS) -> None:
        self.state = SessionState.IDLE
        """Where it is."""
        self.counters = Counters()
        """Running totals."""
        self.estimator = Estimator()
        """Throughput of model bytes."""
        self.wait: Wait | None = None
        """Why nothing was chosen when last asked."""
        self._policy = policy or Policy()
        self._limits = limits
        self._link = Link()
        self._came_before = 0  # bytes of units, when the link was reported
        self._releases: list[_Release] = []
        self._assembly: Assembly | None = None
        self._not_before = 0.0
        self._events: deque[Event] = deque()

    @property
    def manifest(self) -> Manifest | None:
        """The newest release."""
        return self._releases[-1].manifest if self._releases else None

    @property
    def assembly(self) -> Assembly | None:
        """The unit on its way in."""
        return self._assembly

    def open_release(self, manifest: Manifest, now: float) -> None:
        """Take a verified manifest; one that is not newer than the newest changes nothing.

        Of those before it, only the one whose base is here goes on, until this one's base is.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        self._refuse_if_closed()
        if self.manifest is not None and manifest.release <= self.manifest.release:
            return
        running = [release for release in self._releases if release.has_base]
        self._keep([*running, _Release(manifest=manifest)])
        self._not_before = now
        self.wait = None
        self._happened(Happening.RELEASE)
        self._events.append(ReleaseOpened(manifest=manifest))

    def offer(self, release: int, unit: int, data: bytes) -> bool:
        """Take a whole unit from elsewhere, a bundle or a store; say whether it is as signed.

        Raises:
            UsageError: BAD_STATE after `close`, BAD_ARGUMENT where that release is not open.
        """
        self._refuse_if_closed()
        found = self._find(release)
        entry = found.manifest.units[unit]
        if unit in found.verified or len(data) != entry.size:
            return False
        if tree.root(tree.leaves(data, entry.packet_size)) != entry.source_root:
            return False
        if self._assembly and _place(self._assembly.choice) == (release, unit):
            self._assembly = None
        self._verified(found, unit, data, repaired=0)
        return True

    def restore(self, offset: int, data: bytes) -> None:
        """Give the unit under way bytes that an earlier run received."""
        if self._assembly is not None:
            self._assembly.restore(offset, data)

    @property
    def has_failed(self) -> bool:
        """Whether a unit of the newest release is given up for now."""
        return bool(self._releases and self._releases[-1].failed)

    def report(self, link: Link) -> None:
        """Take what the player knows of the link."""
        self._link = link
        self._came_before = self.counters.total
        self.wait = None

    @property
    def is_held(self) -> bool:
        """Whether the player wants no more bytes for now of the unit under way."""
        return self._hold() is not None

    def choose(self, now: float) -> Choice | None:
        """The unit to go on with, or the one that would be started now; see `wait` where None.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        self._refuse_if_closed()
        if self._assembly is not None:
            self.wait = self._hold()
            return None if self.wait else self._assembly.choice
        self._retry(now)
        releases = [release.candidate() for release in self._releases]
        chosen = choose(releases, self._link, self._policy, spent=self._spent)
        self.wait = chosen if isinstance(chosen, Wait) else None
        return None if isinstance(chosen, Wait) else chosen

    def begin(self, choice: Choice) -> Assembly:
        """Start a unit; bytes of an earlier run may be restored before the first request."""
        assert self._assembly is None, "one unit at a time"
        entry = self._find(choice.release).manifest.units[choice.unit]
        self._assembly = Assembly(entry, choice, self.counters, limits=self._limits)
        self._events.append(UnitChosen(choice=choice))
        return self._assembly

    def next_request(self, now: float) -> Request | None:
        """The bytes wanted now; None where it waits for a timeout, a report or a release.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        self._refuse_if_closed()
        if now < self._not_before:
            return None
        if self._assembly is None and (choice := self.choose(now)):
            self.begin(choice)
        if self._assembly is not None:
            if self._assembly.state is State.WANTED:
                self._assembly.start()
            else:
                self._assembly.look()
            self._settle(now)
        if self._assembly is not None and (wait := self._hold()):
            self.wait = wait
            return None
        request = self._assembly.request() if self._assembly else None
        self.counters.requests += request is not None
        return request

    def receive_data(self, request: Request, offset: int, data: bytes | memoryview) -> bool:
        """Take bytes that answer a request, from wherever in the object they are.

        Returns:
            Whether any of them was missing.
        """
        if self._assembly is None or self._assembly.choice != request.choice:
            return False
        return self._assembly.receive(request.purpose, offset, data)

    def finish_request(
        self, request: Request, now: float, error: MidstreamError | None = None
    ) -> None:
        """A request ended: by itself, or early with `error`; what came of it counts.

        One that ends while `is_held` is no attempt: its owner may have ended it for that.
        """
        assembly = self._assembly
        if assembly is None or assembly.choice != request.choice:
            return
        before = assembly.state
        if self.is_held:
            assembly.rest()
        else:
            assembly.finish(error)
        if assembly.state is State.REPAIR and before is not State.REPAIR:
            self._events.append(UnitDamaged(choice=assembly.choice, erasures=assembly.erasures))
        if assembly.attempts:
            pause = _FIRST_PAUSE * 2 ** (assembly.attempts - 1)
            self._not_before = now + min(pause, _LONGEST_PAUSE)
        self._settle(now)

    def next_timeout(self) -> float | None:
        """When `next_request` may have something new to say without anything happening."""
        if self.wait is None:
            return self._not_before or None
        if self._assembly is not None:
            return None
        failed = [t + _RETRY_FAILED for r in self._releases for t in r.failed.values()]
        return min(failed, default=None)

    @property
    def has_events(self) -> bool:
        """Whether there is an event that was not taken yet."""
        return bool(self._events)

    def next_event(self) -> Event | None:
        """The oldest event not taken yet."""
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """End; everything but taking events is refused from now on."""
        self.state = SessionState.CLOSED
        self._assembly = None

    @property
    def _spent(self) -> int:
        """Bytes of units since the last report."""
        return self.counters.total - self._came_before

    def _hold(self) -> Wait | None:
        """Why the unit under way rests; before the first base runs, nothing holds it."""
        if not any(release.has_base for release in self._releases):
            return None
        return hold(self._link, self._policy, spent=self._spent)

    def _keep(self, releases: list[_Release]) -> None:
        """Follow these releases alone; a unit of another one is not finished."""
        self._releases = releases
        numbers = [release.manifest.release for release in releases]
        if self._assembly is not None and self._assembly.choice.release not in numbers:
            self._assembly = None

    def _find(self, release: int) -> _Release:
        for known in self._releases:
            if known.manifest.release == release:
                return known
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"release {release} is not open here")

    def _settle(self, now: float) -> None:
        """Take the result of an assembly that is through."""
        assembly = self._assembly
        if assembly is None or assembly.state not in (State.VERIFIED, State.FAILED):
            return
        self._assembly = self.wait = None
        release, unit = self._find(assembly.choice.release), assembly.choice.unit
        if assembly.state is State.VERIFIED:
            self._not_before = now
            self._verified(release, unit, assembly.data, repaired=assembly.repaired)
            return
        assert assembly.error is not None, "a failed assembly says why"
        self._failed(release, unit, assembly.error, now)

    def _verified(self, release: _Release, unit: int, data: bytes, *, repaired: int) -> None:
        entry = release.manifest.units[unit]
        release.verified.add(unit)
        self.counters.units_verified += 1
        self._events.append(
            UnitVerified(
                release=release.manifest.release,
                unit=unit,
                entry=entry,
                data=data,
                repaired=repaired,
            )
        )
        if entry.parent is None and release is self._releases[-1]:
            self._keep([release])  # no byte is spent on what it replaces
        if entry.parent is None and self.state in (SessionState.STARTING, SessionState.FAILED):
            self._happened(Happening.BASE)
        if self.state is SessionState.REFINING and self._is_complete():
            self._happened(Happening.NOTHING_MISSING)

    def _is_complete(self) -> bool:
        if any(release.failed for release in self._releases):
            return False
        everything = choose([r.candidate() for r in self._releases], Link(), self._policy)
        return isinstance(everything, Wait)

    def _failed(self, release: _Release, unit: int, error: MidstreamError, now: float) -> None:
        release.failed[unit] = now
        self.counters.units_failed += 1
        self._events.append(UnitFailed(release=release.manifest.release, unit=unit, error=error))
        if release.manifest.units[unit].parent is None:
            self._happened(Happening.BASE_LOST)

    def _retry(self, now: float) -> None:
        for release in self._releases:
            due = [unit for unit, at in release.failed.items() if now - at >= _RETRY_FAILED]
            for unit in due:
                del release.failed[unit]
                self._happened(Happening.RETRY)

    def _happened(self, what: Happening) -> None:
        self.state = TRANSITIONS[self.state, what]

    def _refuse_if_closed(self) -> None:
        if self.state is SessionState.CLOSED:
            raise UsageError(ErrorCode.BAD_STATE, "the session is closed")


def _place(choice: Choice) -> tuple[int, int]:
    return choice.release, choice.unit
