"""Which generation is loaded next, and how it gets into the slots. Knows nothing of the link."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from enum import Enum

from midstream.client.delivery import Delivery
from midstream.client.events import GenerationRefused, GenerationStaged, GenerationSwapped
from midstream.client.threads import Pulse, to_its_end
from midstream.client.workers import Step, in_worker
from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.runtime import Generation, Slots
from midstream.session import Event

__all__ = ["Staging", "SwapMode"]


class SwapMode(Enum):
    """When a staged generation becomes the active one."""

    MANUAL = "manual"
    """When the player calls `swap`; the first one is taken at once."""
    IMMEDIATE = "immediate"
    """As soon as it is staged; a decision under way keeps the one it pinned."""


class Staging:
    """The way from units that are here to generations that run.

    Args:
        slots: Where generations are loaded.
        mode: When a staged one becomes the active one.
        on_event: Told what was staged, swapped and refused.
        changed: Beaten when there is something new for those who wait.
    """

    def __init__(
        self, slots: Slots, *, mode: SwapMode, on_event: Callable[[Event], None], changed: Pulse
    ) -> None:
        self.refusal: MidstreamError | None = None
        """Why the last one that was refused does not run."""
        self._slots = slots
        self._mode = mode
        self._on_event = on_event
        self._changed = changed
        self._delivery: Delivery | None = None
        self._turn = asyncio.Lock()
        self._refused: set[tuple[int, int]] = set()
        self._fidelities: dict[tuple[int, int], float] = {}
        """Of what is loaded, by release and layer: the release itself may be long past."""
        self._is_closed = False

    def begin(self, delivery: Delivery) -> None:
        """Take units from a delivery from now on."""
        self._delivery = delivery

    def close(self) -> None:
        """Load nothing any more; what is being loaded is not made active."""
        self._is_closed = True

    def check_open(self) -> None:
        """Refuse to go on after `close`.

        Raises:
            UsageError: BAD_STATE.
        """
        if self._is_closed:
            raise UsageError(ErrorCode.BAD_STATE, "the model is closed")

    def swap(self) -> Generation | None:
        """Make the staged generation the active one; None where nothing was staged."""
        generation = self._slots.swap()
        if generation is not None:
            self._on_event(GenerationSwapped(generation=generation))
        return generation

    def revert(self) -> Generation | None:
        """Go back to the generation before, and never load the one left again."""
        left = self._slots.active
        generation = self._slots.revert()
        if generation is not None and left is not None:
            self._refused.add((left.release, left.layer))
            self._on_event(GenerationSwapped(generation=generation))
        return generation

    async def stage(self) -> bool:
        """Decode, load and test the best generation that has arrived; say whether it is new.

        Raises:
            UsageError: BAD_STATE after `close`.
        """
        async with self._turn:  # who finds another at work would only do the same again
            self.check_open()
            best = self._best()
            return best is not None and await self._try(*best)

    @property
    def _source(self) -> Delivery:
        """The units underneath."""
        assert self._delivery is not None, "set before the model is handed out"
        return self._delivery

    async def _try(self, release: int, layer: int) -> bool:
        """Stage one generation; one that is refused is not tried again."""

        async def rebuilt() -> bytes:
            return bytes(await self._source.rebuild(layer, release=release))

        return await self._stage_made(rebuilt, release, layer)

    async def stage_adapted(self, model: bytes, release: int, layer: int) -> bool:
        """Stage a model that was merged; one that is refused is not tried again."""

        async def made() -> bytes:
            return model

        async with self._turn:
            return await self._stage_made(made, release, layer)

    async def _stage_made(
        self, make: Callable[[], Awaitable[bytes]], release: int, layer: int
    ) -> bool:
        began = time.monotonic()
        try:
            model, fidelity = await make(), self._source.fidelity(release, layer)
            await to_its_end(self._load(model, (release, layer), fidelity))
            self._source.staged(time.monotonic() - began)
        except MidstreamError as error:
            self._refused.add((release, layer))
            self.refusal = error
            self._changed.beat()
            event = GenerationRefused(release=release, layer=layer, error=error)
            self._source.refusals.note(event)
            self._on_event(event)
            return False
        return True

    async def _load(self, model: bytes, place: tuple[int, int], fidelity: float) -> None:
        """Take a model file into the standby slot; not to be cancelled in between."""
        await in_worker(Step.STAGE, self._stage, model, *place)
        loaded, before = self._loaded, self._fidelities | {place: fidelity}
        self._fidelities = {place: known for place, known in before.items() if place in loaded}
        if self._is_closed:
            return
        self._on_event(GenerationStaged(release=place[0], layer=place[1]))
        if self._slots.active is None or self._mode is SwapMode.IMMEDIATE:
            self.swap()
        self._changed.beat()

    def _stage(self, model: bytes, release: int, layer: int) -> None:
        digest = hashlib.sha256(model).hexdigest()
        self._slots.stage(model, release=release, layer=layer, sha256=digest)

    def _best(self) -> tuple[int, int] | None:
        """The newest release's best layer here, if it is worth more than what is loaded."""
        loaded = self._slots.standby or self._slots.active
        for release in self._source.releases:
            layer = self._source.layer_here(release)
            if layer is None or (release, layer) in self._refused:
                continue
            here = (release, layer)
            is_better = loaded is None or self._is_better(here, (loaded.release, loaded.layer))
            return here if is_better else None
        return None

    def _is_better(self, here: tuple[int, int], known: tuple[int, int]) -> bool:
        """A new release is taken once it is as near to its original as the old one was."""
        if here[0] <= known[0]:
            return here > known
        is_last = self._source.is_last(*here)
        return is_last or self._source.fidelity(*here) >= self._fidelities[known]

    @property
    def _loaded(self) -> list[tuple[int, int]]:
        """Releases and layers in the slots."""
        slots = (self._slots.standby, self._slots.active, self._slots.previous)
        return [(one.release, one.layer) for one in slots if one is not None]
