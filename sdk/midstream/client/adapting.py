"""Adapters of providers merged into the newest release, as a signed policy says.

Knows nothing of how units come. What is refused costs the adapters, never what runs; and what a
provider made whose right was taken away is left as soon as that is known.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from midstream.client.delivery import Delivery
from midstream.client.events import AdaptersMerged, AdaptersRefused
from midstream.client.metering import Meter
from midstream.client.offers import Seen
from midstream.client.threads import in_thread
from midstream.errors import ErrorCode, MidstreamError, TransportError, UsageError
from midstream.limits import Limits
from midstream.runtime import Slots
from midstream.session import Event
from midstream.session.adapting import Adapted, adapt
from midstream.transport.adapters import Offer
from midstream.trust import providers
from midstream.trust.manifest import Manifest

__all__ = ["Adapting"]

_PAUSE, _LONGEST_PAUSE = 2.0, 600.0

Stage = Callable[[bytes, int, int], Awaitable[bool]]
"""Makes a generation of a model file, a release and a layer; says whether it passed."""


class Adapting:
    """Adapters for one client.

    Args:
        delivery: Brings releases, and what is on offer.
        policy: The policy's name.
        tell: Told of what became of adapters.
        meter: What adapters may take of the link.
        limits: Bounds on what adapters claim.
    """

    def __init__(
        self,
        delivery: Delivery,
        policy: str,
        *,
        tell: Callable[[Event], None],
        meter: Meter,
        limits: Limits,
    ) -> None:
        self._delivery = delivery
        self._policy = policy
        self._tell = tell
        self._meter = meter
        self._note = delivery.refusals.note
        self._limits = limits
        self._looked: tuple[int, str | None] | None = None
        self._place: tuple[int, int] | None = None
        self._made: dict[str, Mapping[str, frozenset[str]]] = {}
        """Model files that are loaded, each with the keys of those whose adapters are in it."""
        self._turn = asyncio.Lock()
        self.pause: float | None = None
        """Seconds after which to try once more, though there is no news; None for never."""

    async def step(self, stage: Stage, slots: Slots) -> bool:
        """Merge what is on offer for the newest release, where that is news.

        The exact model of the release has to be here; until it is, adapters of the one before are
        followed, if they run. A generation with adapters counts as one layer above the last.

        Args:
            stage: Makes a generation.
            slots: Where generations are; told of what is not to be gone back to.

        Returns:
            Whether a new generation is staged.
        """
        async with self._turn:
            if (manifest := self._followed) is None:
                return False
            looked = manifest.release, self._delivery.source.version
            if looked == self._looked:
                return False
            try:
                self._looked = looked
                return await self._look(manifest, stage, slots)
            except asyncio.CancelledError:
                self._looked = self._place = None  # the next step does all of it
                raise

    async def _look(self, manifest: Manifest, stage: Stage, slots: Slots) -> bool:
        is_plain = False

        async def leave(offer: Offer) -> None:
            """What was revoked waits for no adapter that comes in its place."""
            nonlocal is_plain
            if self._leave(offer, slots):
                is_plain = await self._stage_plain(manifest, stage)

        offer = await self._offer(manifest, leave)
        if offer is None or offer.place == self._place:
            return is_plain
        if manifest is not self._followed:
            return is_plain  # a newer one came while the player let no adapters come
        self._place = offer.place
        return await self._take(manifest, offer, stage, slots) or is_plain

    @property
    def _followed(self) -> Manifest | None:
        """The release whose adapters are looked for: whose right is taken away may run now."""
        newest = self._delivery.manifest.release
        here = [one for one in self._delivery.releases if self._delivery.has_exact(one)]
        is_due = bool(here) and (here[0] == newest or bool(self._made))
        return self._delivery.manifest_of(here[0]) if is_due else None

    async def check(self) -> None:
        """Refuse a policy that nobody signed for, before anything is fetched for it.

        Raises:
            MidstreamError: Why it cannot be had.
        """
        with self._noting(self._delivery.manifest):
            await self._delivery.source.check_policy(self._policy)

    async def adapted(self) -> Adapted:
        """The newest release with what is on offer for it, for those who only want the file.

        Raises:
            UsageError: BAD_STATE where not all of the release is here.
            MidstreamError: Why it cannot be had.
        """
        manifest = self._delivery.manifest
        if not self._delivery.has_exact(manifest.release):
            raise UsageError(
                ErrorCode.BAD_STATE,
                f"{manifest.name} release {manifest.release}: its exact model is not here, and "
                "adapters are of that",
            )
        with self._noting(manifest):
            offer = await self._delivery.source.offer(self._policy, manifest.release, self._meter)
            adapted = await self._adapt(manifest, offer)
        self._note(_merged(manifest, adapted))
        return adapted

    @contextmanager
    def _noting(self, manifest: Manifest) -> Iterator[None]:
        """Put down what is refused, where that is raised."""
        try:
            yield
        except MidstreamError as error:
            self._note(AdaptersRefused(release=manifest.release, error=error))
            raise

    async def _offer(self, manifest: Manifest, seen: Seen) -> Offer | None:
        source = self._delivery.source
        try:
            offer = await source.offer(self._policy, manifest.release, self._meter, seen=seen)
        except MidstreamError as error:
            if error.code is not ErrorCode.NOT_FOUND or isinstance(error, TransportError):
                self._looked = None  # what was damaged or away may do better the next time
                self.pause = min(2 * (self.pause or _PAUSE), _LONGEST_PAUSE)
            self._refuse(manifest, error)
            return None
        self.pause = None
        return offer

    async def _take(self, manifest: Manifest, offer: Offer, stage: Stage, slots: Slots) -> bool:
        is_left = self._leave(offer, slots)
        last = manifest.units[-1].layer
        try:
            adapted = await self._adapt(manifest, offer)
        except MidstreamError as error:
            self._refuse(manifest, error)
        else:
            event = _merged(manifest, adapted)
            self._note(event)
            self._tell(event)
            self._made[event.sha256] = _keys(offer, adapted.shares)
            if await stage(adapted.model, manifest.release, last + 1):
                return True
        return is_left and await self._stage_plain(manifest, stage)

    async def _stage_plain(self, manifest: Manifest, stage: Stage) -> bool:
        plain = await self._delivery.rebuild(release=manifest.release)
        return await stage(bytes(plain), manifest.release, manifest.units[-1].layer)

    def _leave(self, offer: Offer, slots: Slots) -> bool:
        """Go back to nothing that holds what somebody made who may contribute no more [CON-14].

        Returns:
            Whether that runs, and after the next swap too.
        """
        loaded = {one.sha256 for one in (slots.standby, slots.active, slots.previous) if one}
        self._made = {name: keys for name, keys in self._made.items() if name in loaded}
        left = [name for name, keys in self._made.items() if _is_revoked(offer, keys)]
        for sha256 in left:
            slots.leave(sha256)
        next_one = slots.standby or slots.active
        return next_one is not None and next_one.sha256 in left

    async def _adapt(self, manifest: Manifest, offer: Offer) -> Adapted:
        model = bytes(await self._delivery.rebuild(release=manifest.release))
        now = datetime.now(UTC)

        def merge() -> Adapted:
            return adapt(
                manifest, model, offer.policy, offer.parcels, offer.role, now, limits=self._limits
            )

        return await in_thread(merge)

    def _refuse(self, manifest: Manifest, error: MidstreamError) -> None:
        event = AdaptersRefused(release=manifest.release, error=error)
        self._note(event)
        self._tell(event)


def _keys(offer: Offer, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Keys that providers have now, of those who are providers."""
    known = {one.name: frozenset(one.keyids) for one in providers.providers(offer.role)}
    return {name: known[name] for name in names if name in known}


def _is_revoked(offer: Offer, counted: Mapping[str, frozenset[str]]) -> bool:
    """Whether one of several is no provider any more, or is one anew, with other keys."""
    now = _keys(offer, counted)
    return any(not keys & now.get(name, frozenset()) for name, keys in counted.items())


def _merged(manifest: Manifest, adapted: Adapted) -> AdaptersMerged:
    return AdaptersMerged(
        release=manifest.release,
        shares=adapted.shares,
        left_out=adapted.left_out,
        sha256=hashlib.sha256(adapted.model).hexdigest(),
    )
