"""Client protocol state machine. Knows nothing of sockets, clocks or files.

The owner feeds it verified manifests, bytes and clock values, and takes requests and events.
Where it is and what moves it is in `states`.

Time is an argument everywhere; `next_timeout` says when to call `handle_timeout`.
"""

import math
from collections.abc import Callable

from midstream.errors import MidstreamError
from midstream.limits import LIMITS, Limits
from midstream.session.aiming import Aim
from midstream.session.allowance import Allowance, Link, Policy, Wait
from midstream.session.assembly import Assembly, State
from midstream.session.estimator import Estimator
from midstream.session.events import (
    Choice,
    ReleaseOpened,
    Request,
    UnitChosen,
    UnitDamaged,
)
from midstream.session.followed import Followed, find
from midstream.session.progress import Progress
from midstream.session.scheduler import LEAST_PART, choose
from midstream.session.states import Happening, SessionState
from midstream.trust.manifest import Manifest

__all__ = ["Session"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class Session(Progress):
    """State of one client that follows one network.

    Args:
        policy: What the player allows model bytes to do.
        limits: Bounds on what is read from outside.
        allowance: What may come, where sessions share a link; each has its own elsewhere.
    """

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        limits: Limits = LIMITS,
        allowance: Allowance | None = None,
    ) -> None:
        super().__init__(policy or Policy())
        self.estimator = Estimator()
        """Throughput of model bytes."""
        self.wait: Wait | None = None
        """Why nothing was chosen when last asked."""
        self.staging = 0.0
        """Seconds from a unit's last byte to a network that can be activated."""
        self._limits = limits
        self._allowance = allowance or Allowance()
        self._reports_seen = 0
        self._has_news = False  # that may make another unit the better one
        self._aim = Aim()
        self._sends_parts = True
        self._assembly: Assembly | None = None
        self._parked: dict[tuple[int, int], Assembly] = {}
        self._not_before = 0.0

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
        self._keep([*running, Followed(manifest=manifest)])
        self._not_before = now
        self._has_news = True
        self.wait = None
        self._happened(Happening.RELEASE)
        self._events.append(ReleaseOpened(manifest=manifest))

    def offer(self, release: int, unit: int, data: bytes) -> bool:
        """Take a whole unit from elsewhere, a bundle or a store; say whether it is as signed.

        Raises:
            UsageError: BAD_STATE after `close`, BAD_ARGUMENT where that release is not open.
        """
        self._refuse_if_closed()
        found = find(self._releases, release)
        if not found.takes(unit, data):
            return False
        self._parked.pop((release, unit), None)
        if self._assembly and self._assembly.place == (release, unit):
            self._assembly = None
        self._has_news = True
        self._verified(found, unit, data, repaired=0)
        return True

    def reopen(self, manifest: Manifest, now: float) -> None:
        """Take another way to the newest release; what came of it so far does not count.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        self._refuse_if_closed()
        self._keep([r for r in self._releases if r.manifest.release != manifest.release])
        self.open_release(manifest, now)

    def restore(self, offset: int, data: bytes) -> None:
        """Give the unit under way bytes that an earlier run received."""
        if self._assembly is not None:
            self._assembly.restore(offset, data)

    def report(self, link: Link, now: float) -> None:
        """Take what the player knows of the link; the budget begins anew."""
        self._allowance.report(link, now)
        self.wait = None

    def aim(self, within: float | None, now: float) -> None:
        """Prefer what can be activated within so many seconds; None for no such moment."""
        self._aim.set(within, now)
        self._has_news = True
        self.wait = None

    @property
    def link(self) -> Link:
        """What the player reported last."""
        return self._allowance.link

    def within(self, now: float) -> float | None:
        """Seconds until the activation that the player aims at; None where there is none."""
        return self._aim.within(now)

    @property
    def is_held(self) -> bool:
        """Whether the player wants no more bytes for now of the unit under way."""
        return self._hold() is not None

    def wants(self, request: Request, now: float) -> bool:
        """Whether more bytes of a request are wanted; not where its unit rests or was dropped."""
        self._look_again(now)
        assembly = self._assembly
        return assembly is not None and assembly.choice == request.choice and not self.is_held

    def choose(self, now: float) -> Choice | None:
        """The unit to go on with, or the one that would be started now; see `wait` where None.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        self._refuse_if_closed()
        self._look_again(now)
        if self._assembly is not None:
            self.wait = self._hold(least=self._least)
            return None if self.wait else self._assembly.choice
        self._retry(now)
        chosen = self._best(now)
        self.wait = chosen if isinstance(chosen, Wait) else None
        return None if isinstance(chosen, Wait) else chosen

    def begin(self, choice: Choice) -> Assembly:
        """Start a unit, or go on with one that was dropped.

        Bytes of an earlier run may be restored before the first request.
        """
        assert self._assembly is None, "one unit at a time"
        place = (choice.release, choice.unit)
        entry = find(self._releases, choice.release).manifest.units[choice.unit]
        self._assembly = self._parked.pop(place, None) or Assembly(
            entry, choice, self.counters, limits=self._limits
        )
        self._assembly.choice = choice
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
        self._look_again(now)
        if self._assembly is None and (choice := self.choose(now)):
            self.begin(choice)
        self.look(now)
        if self._assembly is None:
            return None
        self.wait = self._hold(least=self._least)
        request = None if self.wait else self._assembly.request(self._room)
        self.counters.requests += request is not None
        return request

    def look(self, now: float) -> None:
        """See whether what has arrived of the unit under way is enough; it asks for nothing."""
        if self._assembly is None:
            return
        if self._assembly.state is State.WANTED:
            self._assembly.start()
        else:
            self._assembly.look()
        self._settle(now)

    def receive_data(self, request: Request, offset: int, data: bytes | memoryview) -> bool:
        """Take bytes that answer a request, from wherever in the object they are.

        Returns:
            Whether any of them was missing.
        """
        self._allowance.spend(len(data))
        self._sends_parts &= offset >= request.start
        if self._assembly is None or self._assembly.choice != request.choice:
            return False
        return self._assembly.receive(request.purpose, offset, data)

    def finish_request(
        self, request: Request, now: float, error: MidstreamError | None = None
    ) -> None:
        """A request ended: by itself, or early with `error`; what came of it counts.

        One that ends while nothing more of it is wanted is no attempt: its owner may have ended
        it for that.
        """
        self._look_again(now)
        self._end(request, now, lambda it: it.rest() if self.is_held else it.finish(error))

    def leave_request(self, request: Request, now: float) -> None:
        """A request was ended early for another session's sake: it is no attempt, and goes on."""
        self._end(request, now, Assembly.rest)

    @property
    def sends_parts(self) -> bool:
        """Whether the origin answers ranges, as far as is known; if not, a rest costs much."""
        return self._sends_parts

    def next_timeout(self) -> float | None:
        """When `next_request` may have something new to say without anything happening."""
        if self.wait is None:
            return self._not_before or None
        if self._assembly is not None:
            return None
        due = [release.next_retry for release in self._releases]
        return min((at for at in due if at is not None), default=None)

    def close(self) -> None:
        """End; everything but taking events is refused from now on."""
        self.state = SessionState.CLOSED
        self._assembly = None

    def _end(self, request: Request, now: float, how: Callable[[Assembly], None]) -> None:
        """See what came of a request for the unit under way."""
        assembly = self._assembly
        if assembly is None or assembly.choice != request.choice:
            return
        before = assembly.state
        how(assembly)
        if assembly.state is State.REPAIR and before is not State.REPAIR:
            self._events.append(UnitDamaged(choice=assembly.choice, erasures=assembly.erasures))
        if assembly.attempts:
            pause = _FIRST_PAUSE * 2 ** (assembly.attempts - 1)
            self._not_before = now + min(pause, _LONGEST_PAUSE)
        self._settle(now)

    def _best(self, now: float) -> Choice | Wait:
        """What the scheduler would start now, or go on with."""
        under_way = [*self._parked.values(), *([self._assembly] if self._assembly else [])]
        received = {assembly.place: assembly.received.total for assembly in under_way}
        return choose(
            [release.candidate(received) for release in self._releases],
            self._allowance,
            self._policy,
            reach=self._aim.reach(now, rate=self._rate, staging=self.staging),
        )

    @property
    def _rate(self) -> float | None:
        """Bytes per second to count on: by the player's reports, or by what came so far."""
        rate = self._allowance.rate()
        return self.estimator.throughput if rate is None else rate

    def _look_again(self, now: float) -> None:
        """Drop the unit under way where news makes another the better one; it keeps its bytes."""
        is_reported = self._reports_seen != self._allowance.reports
        has_news = self._aim.lapse(now) or self._has_news or is_reported
        self._has_news, self._reports_seen = False, self._allowance.reports
        assembly = self._assembly
        if not has_news or assembly is None or assembly.is_nearly_there:
            return
        best = self._best(now)
        if isinstance(best, Choice) and (best.release, best.unit) != assembly.place:
            self._parked[assembly.place] = assembly
            self._assembly = None

    def _hold(self, *, least: int = 1) -> Wait | None:
        """Why the unit under way rests."""
        worth = math.inf if self._assembly is None else self._assembly.worth
        hold = self._allowance.hold
        return hold(self._policy, least=least, worth=worth) if self.runs else None

    @property
    def _least(self) -> int:
        """Bytes of the unit under way that are worth a request."""
        assert self._assembly is not None, "asked of the unit under way"
        if not self._sends_parts:
            return self._assembly.entry.size  # all of it comes, whatever is asked for
        return min(self._assembly.missing, LEAST_PART)

    @property
    def _room(self) -> float:
        """Bytes that the next request may bring."""
        return self._allowance.room(self._policy) if self.runs else math.inf

    def _keep(self, releases: list[Followed]) -> None:
        """Follow these releases alone; a unit of another one is not finished."""
        self._releases = releases
        numbers = [release.manifest.release for release in releases]
        self._parked = {at: kept for at, kept in self._parked.items() if at[0] in numbers}
        if self._assembly is not None and self._assembly.choice.release not in numbers:
            self._assembly = None

    def _settle(self, now: float) -> None:
        """Take the result of an assembly that is through."""
        assembly = self._assembly
        if assembly is None or assembly.state not in (State.VERIFIED, State.FAILED):
            return
        self._assembly = self.wait = None
        release, unit = find(self._releases, assembly.choice.release), assembly.choice.unit
        if assembly.state is State.VERIFIED:
            self._not_before = now
            self._verified(release, unit, assembly.data, repaired=assembly.repaired)
            return
        assert assembly.error is not None, "a failed assembly says why"
        self._failed(release, unit, assembly.error, now)
