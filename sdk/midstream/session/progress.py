"""What a session has come to: releases, where it is with them, totals and events.

Knows nothing of the link, nor of units that are not whole.
"""

from abc import ABC, abstractmethod
from collections import deque

from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.session.allowance import Allowance, Policy, Wait
from midstream.session.events import Counters, Event, UnitFailed, UnitVerified
from midstream.session.followed import Followed, find
from midstream.session.scheduler import choose
from midstream.session.states import TRANSITIONS, Happening, SessionState
from midstream.trust.manifest import Manifest

__all__ = ["Progress"]


class Progress(ABC):
    """Releases that are followed, and whole units of them; whoever inherits it brings these.

    Args:
        policy: Which units are wanted.
    """

    def __init__(self, policy: Policy) -> None:
        self.state = SessionState.IDLE
        """Where it is."""
        self.counters = Counters()
        """Running totals."""
        self._policy = policy
        self._releases: list[Followed] = []
        self._events: deque[Event] = deque()

    @property
    def manifest(self) -> Manifest | None:
        """The newest release."""
        return self._releases[-1].manifest if self._releases else None

    @property
    def has_failed(self) -> bool:
        """Whether a unit of the newest release is given up for now."""
        return bool(self._releases and self._releases[-1].failed)

    @property
    def runs(self) -> bool:
        """Whether a base is here; before that, nothing holds the first one."""
        return any(release.has_base for release in self._releases)

    def settle(self, release: int) -> None:
        """All of a release is here, though its units did not come this way.

        Raises:
            UsageError: BAD_STATE after `close`, BAD_ARGUMENT where that release is not open.
        """
        self._refuse_if_closed()
        found = find(self._releases, release)
        found.verified.update(range(len(found.manifest.units)))
        self._keep([found])
        if self.state is SessionState.STARTING:
            self._happened(Happening.BASE)
        if self.state is SessionState.REFINING:
            self._happened(Happening.NOTHING_MISSING)

    @property
    def has_events(self) -> bool:
        """Whether there is an event that was not taken yet."""
        return bool(self._events)

    def next_event(self) -> Event | None:
        """The oldest event not taken yet."""
        return self._events.popleft() if self._events else None

    @abstractmethod
    def _keep(self, releases: list[Followed]) -> None:
        """Follow these releases alone."""

    def _verified(self, release: Followed, unit: int, data: bytes, *, repaired: int) -> None:
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
        everything = choose([r.candidate({}) for r in self._releases], Allowance(), self._policy)
        return isinstance(everything, Wait)

    def _failed(self, release: Followed, unit: int, error: MidstreamError, now: float) -> None:
        release.failed[unit] = now
        self.counters.units_failed += 1
        self._events.append(UnitFailed(release=release.manifest.release, unit=unit, error=error))
        if release.manifest.units[unit].parent is None:
            self._happened(Happening.BASE_LOST)

    def _retry(self, now: float) -> None:
        for _ in range(sum(release.retry(now) for release in self._releases)):
            self._happened(Happening.RETRY)

    def _happened(self, what: Happening) -> None:
        self.state = TRANSITIONS[self.state, what]

    def _refuse_if_closed(self) -> None:
        if self.state is SessionState.CLOSED:
            raise UsageError(ErrorCode.BAD_STATE, "the session is closed")
