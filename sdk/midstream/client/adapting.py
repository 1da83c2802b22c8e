"""Adapters of providers merged into the newest release, as a signed policy says.

Knows nothing of how units come. What is refused costs the adapters, never what runs; and what a
provider made whose right was taken away is left as soon as that is known.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from midstream.client.delivery import Delivery
from midstream.client.events import AdaptersMerged, AdaptersRefused
from midstream.client.metering import Meter
from midstream.client.threads import in_thread
from midstream.errors import ErrorCode, MidstreamError, TransportError, UsageError
from midstream.limits import Limits
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
        self._merged: Adapted | None = None
        self._turn = asyncio.Lock()
        self.pause: float | None = None
        """Seconds after which to try once more, though there is no news; None for never."""

    async def step(self, stage: Stage) -> bool:
        """Merge what is on offer for the newest release, where that is news.

        The exact model of the release has to be here. A generation with adapters counts as one
        layer above the last.

        Returns:
            Whether a new generation is staged.
        """
        async with self._turn:
            manifest = self._delivery.manifest
            looked = manifest.release, self._delivery.source.version
            if looked == self._looked or not self._delivery.has_exact(manifest.release):
                return False
            self._looked = looked
            offer = await self._offer(manifest)
            if offer is None or offer.place == self._place:
                return False
            if manifest.release != self._delivery.manifest.release:
                return False  # a newer one came while the player let no adapters come
            self._place = offer.place
            return await self._take(manifest, offer, stage)

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
        try:
            offer = await self._delivery.source.offer(self._policy, manifest.release, self._meter)
            adapted = await self._adapt(manifest, offer)
        except MidstreamError as error:
            self._note(AdaptersRefused(release=manifest.release, error=error))
            raise
        self._note(_merged(manifest, adapted))
        return adapted

    async def _offer(self, manifest: Manifest) -> Offer | None:
        try:
            offer = await self._delivery.source.offer(self._policy, manifest.release, self._meter)
        except MidstreamError as error:
            if error.code is not ErrorCode.NOT_FOUND or isinstance(error, TransportError):
                self._looked = None  # what was damaged or away may do better the next time
                self.pause = min(2 * (self.pause or _PAUSE), _LONGEST_PAUSE)
            self._refuse(manifest, error)
            return None
        self.pause = None
        return offer

    async def _take(self, manifest: Manifest, offer: Offer, stage: Stage) -> bool:
        last = manifest.units[-1].layer
        try:
            adapted = await self._adapt(manifest, offer)
        except MidstreamError as error:
            self._refuse(manifest, error)
            if not self._has_revoked(offer):
                return False
            self._merged = None
            plain = await self._delivery.rebuild(release=manifest.release)
            return await stage(bytes(plain), manifest.release, last)
        self._merged = adapted
        event = _merged(manifest, adapted)
        self._note(event)
        self._tell(event)
        return await stage(adapted.model, manifest.release, last + 1)

    async def _adapt(self, manifest: Manifest, offer: Offer) -> Adapted:
        model = bytes(await self._delivery.rebuild(release=manifest.release))
        now = datetime.now(UTC)

        def merge() -> Adapted:
            return adapt(
                manifest, model, offer.policy, offer.parcels, offer.role, now, limits=self._limits
            )

        return await in_thread(merge)

    def _has_revoked(self, offer: Offer) -> bool:
        """Whether what was merged last is of somebody who may contribute no more."""
        known = {one.name for one in providers.providers(offer.role)}
        return self._merged is not None and not set(self._merged.shares) <= known

    def _refuse(self, manifest: Manifest, error: MidstreamError) -> None:
        event = AdaptersRefused(release=manifest.release, error=error)
        self._note(event)
        self._tell(event)


def _merged(manifest: Manifest, adapted: Adapted) -> AdaptersMerged:
    return AdaptersMerged(
        release=manifest.release,
        shares=adapted.shares,
        left_out=adapted.left_out,
        sha256=hashlib.sha256(adapted.model).hexdigest(),
    )
