"""New releases over updates: which way, and from a held model to the new one.

Knows nothing of how units come. Every way ends in the bits that the manifest signs for; where
one fails, the fresh units are fetched instead, and what runs goes on running.
"""

import hashlib
import math
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from midstream import decoder
from midstream.bitstream.lossy import stack_id
from midstream.client.applying import apply_once
from midstream.client.events import UpdateApplied, UpdateRefused
from midstream.client.holdings import Holdings
from midstream.client.images import Image
from midstream.client.keeping import Keeper, is_unit
from midstream.client.workers import Step, in_worker
from midstream.decoder import Exact
from midstream.errors import BitstreamError, DataError, ErrorCode, TrustError
from midstream.limits import Limits
from midstream.session import Event, Policy, UnitVerified
from midstream.session.paths import cheapest, cheapest_lossy, steps
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.updates import UpdateEntry, updates_of

__all__ = ["Opening", "Updates"]


@dataclass(slots=True, kw_only=True)
class _Under:
    """A way that is being fetched."""

    manifest: Manifest
    updates: tuple[UpdateEntry, ...]
    came: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A release that is new to this run, with what earlier ones left of it."""

    way: Manifest
    """As it is to be fetched: over updates, or as it is."""
    is_settled: bool
    """Whether its exact model is here, so that nothing is to be fetched."""
    stored: Mapping[str, bytes]
    """Units of it that are in the store, by id, where there are updates to weigh them against."""


_Way = tuple[tuple[UpdateEntry, ...], float]
"""Updates in order, and bytes of all that is then to come."""


def _size_of(way: _Way) -> float:
    return way[1]


def _ends_exact(manifest: Manifest) -> bool:
    """Whether the last unit of a release is exact."""
    return math.isinf(manifest.units[-1].fidelity.weight_snr)


def _another(update: UpdateEntry) -> BitstreamError:
    return BitstreamError(
        ErrorCode.WRONG_PARENT,
        f"release {update.parent}: the manifest's updates are for another model",
    )


def _applied(under: _Under) -> UpdateApplied:
    return UpdateApplied(
        release=under.manifest.release,
        parent=under.updates[0].parent,
        size=sum(map(len, under.came.values())),
    )


class Updates:
    """Ways over updates for one client.

    Args:
        held: What is here of releases.
        policy: Which layers are wanted.
        limits: Bounds on what units claim, and on memory.
    """

    def __init__(self, held: Holdings, policy: Policy, limits: Limits) -> None:
        self._held = held
        self._policy = policy
        self._limits = limits
        self._under: _Under | None = None
        self._refused: set[int] = set()

    async def open(
        self, manifest: Manifest, keeper: Keeper, tell: Callable[[Event], None]
    ) -> Opening:
        """Take what earlier runs left of a release, and decide how the rest is to come.

        Args:
            manifest: The release.
            keeper: Has what earlier runs left.
            tell: Told where the list of updates is malformed.
        """
        try:
            updates_of(manifest, limits=self._limits)
        except DataError as error:
            tell(UpdateRefused(release=manifest.release, error=error))
        # what runs stays until what replaces it is here
        await keeper.keep(*self.in_use(manifest))
        if (image := await self._image(manifest, keeper)) is not None:
            self._held.put_model(manifest.release, image)
            return Opening(way=manifest, is_settled=True, stored={})
        stored = await keeper.units(manifest.units) if self.listed(manifest) else {}
        return Opening(way=self._way(manifest, stored), is_settled=False, stored=stored)

    async def _image(self, manifest: Manifest, keeper: Keeper) -> Exact | None:
        """The exact model of a release that is here; no rung of one without it ends in that."""
        if not _ends_exact(manifest):
            return None
        found = await keeper.image(manifest, self._limits)
        return found or await self._same_model(manifest, keeper)

    async def _same_model(self, manifest: Manifest, keeper: Keeper) -> Exact | None:
        """The exact model of a release that another one here has too; None where none has [CON-17].

        Where the other has the very units of the release, these are taken as they are.
        """
        for number in self._held.exact_releases():
            other = self._held.manifest(number)
            is_other = other.units != manifest.units or self._held.model(number) is not None
            if is_other and other.model_sha256 == manifest.model_sha256:
                with suppress(DataError):  # signed, and malformed all the same
                    found = await in_worker(Step.DECODE, self._exact, number)
                    if hashlib.sha256(found.model).digest() == manifest.model_sha256:
                        await keeper.keep_image(manifest, found)
                        return found
        return None

    def _way(self, manifest: Manifest, stored: Container[str]) -> Manifest:
        """A release as it is to be fetched: over updates, or as it is where they do not pay."""
        self._under = None
        missing = self._missing(manifest, stored)
        lossy = self._cheapest_lossy(manifest, missing)
        way, size = min(self._cheapest(manifest), lossy, key=_size_of)
        if not way or size >= sum(missing.values()):
            return manifest
        self._under = _Under(manifest=manifest, updates=way)
        return steps(manifest, way)

    async def of_use(
        self, earlier: Iterable[Manifest], newest: Manifest, keeper: Keeper
    ) -> list[Manifest]:
        """Releases of earlier runs to open before the newest, since updates may lead from them.

        Args:
            earlier: Those that are known, the newest first.
            newest: The newest release.
            keeper: Has what earlier runs left.
        """
        before = [manifest for manifest in earlier if manifest.release < newest.release]
        if not before or not await self._may_pay(newest, keeper):
            return []
        same = [older for older in before[1:] if older.model_sha256 == newest.model_sha256]
        return [*same, before[0]]

    async def _may_pay(self, manifest: Manifest, keeper: Keeper) -> bool:
        """Whether updates to a release may be of use: some are listed, and it is not stored."""
        has_image = _ends_exact(manifest) and await keeper.has([Image.name(manifest)])
        if not self.listed(manifest) or has_image:
            return False
        wanted = self._wanted(manifest)
        return not await keeper.has([e.id for e in manifest.units if e.layer in wanted])

    def listed(self, manifest: Manifest) -> tuple[UpdateEntry, ...]:
        """The updates that a manifest lists; none where they are malformed, though signed."""
        try:
            return updates_of(manifest, limits=self._limits)
        except DataError:
            return ()  # the units are there all the same

    def is_under(self, release: int) -> bool:
        """Whether units that come of this release are updates."""
        return self._under is not None and self._under.manifest.release == release

    def in_use(self, manifest: Manifest) -> tuple[list[UnitEntry], list[str]]:
        """Units of a release, of the ways to it and of what is here; and names of models."""
        updates = [update.unit for update in self.listed(manifest)]
        images = [Image.name(manifest), *map(Image.name, self._held.images())]
        return [*manifest.units, *updates, *self._held.all_entries()], images

    async def arrived(
        self, event: UnitVerified, keeper: Keeper, tell: Callable[[Event], None]
    ) -> Manifest | None:
        """Take a unit, and apply the updates to its release once all of them are here.

        Args:
            event: It may be of any release.
            keeper: Keeps what comes of it.
            tell: Told of what became of the updates.

        Returns:
            The release as it is to be fetched from here on: without updates, where they were no way
            to it after all, or where they gave some of its units. None where it stays as it is.
        """
        under = self._under
        if under is None or under.manifest.release != event.release:
            return None
        under.came[event.unit] = event.data
        if len(under.came) < len(under.updates):
            return None
        try:
            if under.updates[-1].rung is not None:
                return await self._refill(under, tell)
            model, applied = await in_worker(Step.DECODE, self._apply, under)
        except DataError as error:
            unit = under.updates[-1].unit.id
            tell(UpdateRefused(release=event.release, unit=unit, error=error))
            return self.give_up()
        self._under = None
        self._held.put_model(event.release, model)
        tell(applied)  # before the disk, which may take its time
        await keeper.keep_image(under.manifest, model)
        await keeper.keep(*self.in_use(under.manifest))
        return None

    async def _refill(self, under: _Under, tell: Callable[[Event], None]) -> Manifest:
        """Hold the units at the end of a way over lossy updates, as if they had come fresh.

        Raises:
            DataError: As `_apply_lossy` says.
        """
        units, applied = await in_worker(Step.DECODE, self._apply_lossy, under)
        self._under = None
        for index, data in enumerate(units):
            self._held.put(under.manifest.release, index, data)
        tell(applied)
        return under.manifest

    def _apply_lossy(self, under: _Under) -> tuple[tuple[bytes, ...], UpdateApplied]:
        """The units at the end of a way over lossy updates.

        Raises:
            DataError: An update is malformed or for other units, or does not give units that were
                signed for.
        """
        first = under.updates[0]
        units = tuple(self._held.units(first.parent, first.rung))
        for index, update in enumerate(under.updates):
            if update.parent_id != stack_id(units):
                raise _another(update)
            units = decoder.apply_lossy_update(units, under.came[index], limits=self._limits)
        entries = under.manifest.units[: len(units)]
        if len(entries) < len(units) or not all(map(is_unit, entries, units)):
            raise TrustError(
                ErrorCode.BAD_HASH,
                f"{under.manifest.name} release {under.manifest.release}: its updates do not give "
                "the units that were signed for",
            )
        return units, _applied(under)

    def give_up(self) -> Manifest:
        """Updates are no way to this release; gives it as it is."""
        assert self._under is not None, "asked before"
        under, self._under = self._under, None
        self._refused.add(under.manifest.release)
        return under.manifest

    def _apply(self, under: _Under) -> tuple[Exact, UpdateApplied]:
        """The exact model at the end of a way.

        Raises:
            DataError: An update is malformed or for another model, or does not give the model
                that was signed for, or the model before it is damaged.
        """
        state = apply_once(
            self._exact(under.updates[0].parent),
            [under.came[index] for index in range(len(under.updates))],
            parents=[update.parent_id for update in under.updates],
            sha256=under.manifest.model_sha256,
            limits=self._limits,
        )
        return state, _applied(under)

    def _cheapest(self, manifest: Manifest) -> _Way:
        """The cheapest way over exact updates, and its bytes: without end where there is none."""
        if manifest.release in self._refused:
            return (), math.inf
        held = self._held.exact_releases()
        memory = self._limits.decode_memory
        way = cheapest(self.listed(manifest), held, manifest.release, memory=memory)
        return (way, sum(update.unit.size for update in way)) if way else ((), math.inf)

    def _cheapest_lossy(self, manifest: Manifest, missing: Mapping[int, int]) -> _Way:
        """The same over lossy ones, and the fresh units after them."""
        if manifest.release in self._refused:
            return (), math.inf
        wanted = self._wanted(manifest)
        rest = {
            layer: sum(size for above, size in missing.items() if above > layer) for layer in wanted
        }
        listed, held = self.listed(manifest), self._held.rungs()
        memory = self._limits.decode_memory
        way = cheapest_lossy(listed, held, rest, manifest.release, memory=memory)
        return way if way is not None else ((), math.inf)

    def _wanted(self, manifest: Manifest) -> frozenset[int]:
        """The layers that the policy wants, the base always."""
        most = self._policy.max_layer
        above = [e.layer for e in manifest.units if most is None or e.layer <= most]
        return frozenset([manifest.base.layer, *above])

    def _missing(self, manifest: Manifest, stored: Container[str]) -> dict[int, int]:
        """Bytes of the fresh unit of each layer that is wanted and not here."""
        wanted = self._wanted(manifest)
        return {
            entry.layer: entry.size
            for entry in manifest.units
            if entry.layer in wanted
            and entry.id not in stored
            and self._held.find(entry.id) is None
        }

    def _exact(self, release: int) -> Exact:
        """The exact model of a release that is here."""
        if (model := self._held.model(release)) is not None:
            return model
        units = self._held.units(release, None)
        stack = decoder.read_stack(units, limits=self._limits)
        model_file = decoder.rebuild(units, limits=self._limits)
        return Exact(topology=stack.head.topology, model=model_file)
