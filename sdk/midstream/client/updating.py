"""New releases over updates: which way, and from a held model to the new one.

Knows nothing of how units come. Every way ends in the bits that the manifest signs for; where
one fails, the fresh units are fetched instead, and what runs goes on running.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from midstream import decoder
from midstream.client.holdings import Holdings
from midstream.client.images import Image
from midstream.client.keeping import Keeper
from midstream.client.workers import Step, in_worker
from midstream.decoder import Exact
from midstream.errors import DataError
from midstream.limits import Limits
from midstream.session import Event, Policy, UnitVerified
from midstream.session.paths import cheapest, steps
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.updates import UpdateEntry, updates_of

__all__ = ["UpdateApplied", "UpdateRefused", "Updates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateApplied(Event):
    """A release came by updates; its exact layer is here."""

    release: int
    """Its number."""
    parent: int
    """The release that they were applied to."""
    size: int
    """Bytes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRefused(Event):
    """Updates were no way to a release after all; its fresh units are fetched instead."""

    release: int
    """Its number."""
    error: DataError
    """Why."""


@dataclass(slots=True, kw_only=True)
class _Under:
    """A way that is being fetched."""

    manifest: Manifest
    updates: tuple[UpdateEntry, ...]
    came: dict[int, bytes] = field(default_factory=dict)


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

    def way(self, manifest: Manifest) -> Manifest:
        """A release as it is to be fetched: over updates, or as it is where they do not pay."""
        self._under = None
        way = self._cheapest(manifest)
        if not way or sum(update.unit.size for update in way) >= self._missing(manifest):
            return manifest
        self._under = _Under(manifest=manifest, updates=way)
        return steps(manifest, way)

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
    ) -> bool:
        """Take a unit, and apply the updates to its release once all of them are here.

        Args:
            event: It may be of any release.
            keeper: Keeps what comes of it.
            tell: Told of what became of the updates.

        Returns:
            False where they are no way to the release after all.
        """
        under = self._under
        if under is None or under.manifest.release != event.release:
            return True
        under.came[event.unit] = event.data
        if len(under.came) < len(under.updates):
            return True
        try:
            model, applied = await in_worker(Step.DECODE, self._apply, under)
        except DataError as error:
            tell(UpdateRefused(release=event.release, error=error))
            return False
        self._under = None
        self._held.put_model(event.release, model)
        tell(applied)  # before the disk, which may take its time
        await keeper.keep_image(under.manifest, model)
        await keeper.keep(*self.in_use(under.manifest))
        return True

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
        parent = under.updates[0].parent
        state = decoder.apply_updates(
            self._exact(parent),
            [under.came[index] for index in range(len(under.updates))],
            parents=[update.parent_id for update in under.updates],
            sha256=under.manifest.model_sha256,
            limits=self._limits,
        )
        size = sum(map(len, under.came.values()))
        release = under.manifest.release
        return state, UpdateApplied(release=release, parent=parent, size=size)

    def _cheapest(self, manifest: Manifest) -> tuple[UpdateEntry, ...]:
        if manifest.release in self._refused:
            return ()
        held = self._held.exact_releases()
        memory = self._limits.decode_memory
        return cheapest(self.listed(manifest), held, manifest.release, memory=memory) or ()

    def _missing(self, manifest: Manifest) -> int:
        """Bytes of the fresh units that are wanted and not here."""
        most = self._policy.max_layer
        return sum(
            entry.size
            for entry in manifest.units
            if (most is None or entry.layer <= most) and self._held.find(entry.id) is None
        )

    def _exact(self, release: int) -> Exact:
        """The exact model of a release that is here."""
        if (model := self._held.model(release)) is not None:
            return model
        units = self._held.units(release, None)
        stack = decoder.read_stack(units, limits=self._limits)
        model_file = decoder.rebuild(units, limits=self._limits)
        return Exact(topology=stack.head.topology, model=model_file)
