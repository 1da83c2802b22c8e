"""A network that runs while it gets better: verified units in, generations in two slots.

Knows nothing of the wire. Decisions never wait for it, and its failures are events.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

from midstream.client.adapting import Adapting
from midstream.client.delivery import Delivery
from midstream.client.events import (
    CheckFailed,
    UpdateApplied,
)
from midstream.client.staging import Staging, SwapMode
from midstream.client.threads import Pulse
from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.runtime import Generation, PinnedNetwork, Slots
from midstream.session import Counters, Event, Link, SessionState, UnitVerified
from midstream.transport import RequestRecord
from midstream.trust.manifest import Manifest
from midstream.types import is_number

__all__ = ["Model", "SwapMode"]


class Model:
    """A live network; made by `connect`.

    `pin`, `swap` and `revert` never wait and may be called on any thread; coroutines belong
    to the event loop.
    """

    def __init__(self, slots: Slots, *, mode: SwapMode, on_event: Callable[[Event], None]) -> None:
        self._slots = slots
        self._on_event = on_event
        self._delivery: Delivery | None = None
        self._adapting: Adapting | None = None
        self._wake = asyncio.Event()
        self._has_news = asyncio.Event()
        self._changed = Pulse()
        self._staging = Staging(slots, mode=mode, on_event=on_event, changed=self._changed)
        self._crash: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def generation(self) -> Generation | None:
        """The active generation; None before the first."""
        return self._slots.active

    @property
    def manifest(self) -> Manifest:
        """The newest release known."""
        return self.delivery.manifest

    @property
    def counters(self) -> Counters:
        """Totals of what was received and repaired."""
        return self.delivery.counters

    @property
    def trace(self) -> list[RequestRecord]:
        """The last 1,024 requests made, in order."""
        return self.delivery.trace

    def busy(self, *, since: float = -math.inf) -> list[tuple[float, float]]:
        """When model bytes had the link: units and metadata, from request to last byte.

        A media transfer at such a time says less than the link carries: it is no sample of
        throughput, and `midstream.abr.TransferFilter` leaves it out if it is told.

        Args:
            since: What ended before is left out.

        Returns:
            Spans (began, ended) of `time.monotonic`, rising and apart; one that is under way
            ends now.
        """
        return self.delivery.busy(since=since)

    @property
    def delivery(self) -> Delivery:
        """The units underneath."""
        assert self._delivery is not None, "set before the model is handed out"
        return self._delivery

    async def ready(self, timeout: float | None = None) -> Generation:  # noqa: ASYNC109 - API
        """Wait until the base is verified, decoded, warmed up and active.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            MidstreamError: The reason why the base cannot be had or run. In the background it
                goes on being tried, so another call may do better.
            UsageError: BAD_STATE after `aclose`.
            TimeoutError: It took longer than `timeout`.
        """
        async with asyncio.timeout(timeout):
            if not self._tasks and self.generation is None:
                self._staging.check_open()
                await self.delivery.base()
                await self.stage()
            while (generation := self.generation) is None:
                self._raise_if_not_ready()
                await self._changed.wait()
        return generation

    def pin(self) -> AbstractContextManager[PinnedNetwork]:
        """One generation for one decision, whatever is swapped meanwhile.

        Raises:
            UsageError: NO_GENERATION before `ready`.
        """
        return self._slots.pin()

    async def infer(self, inputs: Mapping[str, Any] | Any) -> Any:
        """Run the active generation off the event loop.

        Args:
            inputs: As for `PinnedNetwork.run`: one array, or all in order or by name.

        Returns:
            A copy of the output, or of each of them where there are several.

        Raises:
            UsageError: NO_GENERATION before `ready`; BAD_ARGUMENT for wrong inputs.
            RefusedError: RUN_FAILED where the runtime failed.
        """

        def run() -> Any:
            with self._slots.pin() as network:
                return network.run(inputs)

        return await asyncio.to_thread(run)

    def swap(self) -> Generation | None:
        """Make the staged generation the active one: one reference assignment.

        Returns:
            The generation that is active now, or None where nothing was staged.
        """
        return self._staging.swap()

    def revert(self) -> Generation | None:
        """Go back to the generation before; the one left is not used again.

        Returns:
            The generation that is active now, or None where there is none to go back to.
        """
        return self._staging.revert()

    def report(
        self,
        *,
        buffer: float,
        throughput: float | None = None,
        budget: int | None = None,
    ) -> None:
        """Tell what the player knows of the link that models share with the media.

        Below the policy's low-water mark, when the budget is spent, and when as much has come as
        takes the buffer down to the mark at this throughput, nothing is fetched: a unit under way
        rests where it is, and goes on after a better report. The first base is excepted, since
        without it nothing runs.

        Args:
            buffer: Seconds of media in the buffer.
            throughput: Bytes per second, as the player estimates it.
            budget: Bytes of units allowed until the next report.

        Raises:
            UsageError: BAD_ARGUMENT where one of them is negative or not a number.
        """
        self.delivery.report(Link(buffer=buffer, throughput=throughput, budget=budget))

    def aim(self, *, within: float | None) -> None:
        """Tell when the player means to swap: the best that can be ready by then is preferred.

        Seconds are this machine's; for a moment of the media, give what the playhead has still
        to go. When they are over, or where nothing can be ready in time, all is as ever.

        Args:
            within: Seconds from now; None for no such moment.

        Raises:
            UsageError: BAD_ARGUMENT where it is negative or not a number.
        """
        if within is not None and not (is_number(within) and within >= 0):
            raise UsageError(
                ErrorCode.BAD_ARGUMENT, f"activation within {within!r}: expected 0 s or more"
            )
        self.delivery.aim(within=within)

    async def check(self) -> bool:
        """Look for a newer release now; say whether there is one.

        Raises:
            TrustError: What was found is not signed as it must be; nothing changes.
            TransportError: The origin does not answer; nothing changes.
        """
        return await self.delivery.check()

    async def complete(self) -> None:
        """Wait until all that the policy wants has arrived and the best of it is staged.

        Raises:
            MidstreamError: The reason why a unit cannot be had.
        """
        if not self._tasks:
            self._staging.check_open()
            await self.delivery.complete()
        while self.delivery.state is not SessionState.COMPLETE:
            self._raise_if_stopped()
            await self._changed.wait()
        await self.stage()
        await self.adapt()

    async def stage(self) -> bool:
        """Decode, load and test the best generation that has arrived, off the loop.

        Returns:
            Whether a new one is staged (and active, where it is the first).

        Raises:
            UsageError: BAD_STATE after `aclose`.
        """
        return await self._staging.stage()

    async def adapt(self) -> bool:
        """Merge providers' adapters into the newest release, where a policy was named.

        Adapters come last: the exact layer has to be here. What is refused is an event,
        `AdaptersRefused`.

        Returns:
            Whether a new generation is staged (and active, where that is the mode).

        Raises:
            UsageError: BAD_STATE after `aclose`.
        """
        self._staging.check_open()
        if self._adapting is None:
            return False
        return await self._adapting.step(self._staging.stage_adapted, self._slots)

    async def aclose(self) -> None:
        """Stop fetching and let go of the interpreters; calling it again does nothing."""
        self._staging.close()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._changed.beat()
        await asyncio.to_thread(self._slots.close)

    def start(
        self,
        delivery: Delivery,
        *,
        adapting: Adapting | None,
        poll: float | None,
        push: bool,
        background: bool,
    ) -> None:
        """Begin to follow a delivery; with `background`, in tasks of its own."""
        self._delivery = delivery
        self._staging.begin(delivery)
        self._adapting = adapting
        delivery.source.on_change = self._has_news.set
        if background:
            jobs = [self._fetch(), self._stage_all(), self._look(poll, push=push)]
            jobs += [self._adapt_all(adapting)] if adapting is not None else []
            self._tasks = [asyncio.create_task(job) for job in jobs]
            for task in self._tasks:
                task.add_done_callback(self._ended)

    def heard(self, event: Event) -> None:
        """Take an event of the delivery and pass it on."""
        if isinstance(event, UnitVerified | UpdateApplied):
            self._wake.set()
            self._has_news.set()
        self._changed.beat()
        self._on_event(event)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An error that is not ours, a callback's perhaps, is for whoever waits next."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._crash = error
        self._changed.beat()
        context = {"message": "a model's task has ended", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)

    def _raise_if_stopped(self) -> None:
        """What is waited for will not come by itself, or not soon."""
        self._staging.check_open()
        if self._crash is not None:
            raise self._crash
        if (failure := self.delivery.failure) is not None:
            raise failure

    def _raise_if_not_ready(self) -> None:
        self._staging.check_open()
        error = self._crash or self._staging.refusal
        if error is None and self.delivery.layer_here(self.manifest.release) is None:
            error = self.delivery.failure
        if error is not None:
            raise error

    async def _fetch(self) -> None:
        await self.delivery.run()

    async def _stage_all(self) -> None:
        while True:
            while await self.stage():
                pass
            await self._wake.wait()
            self._wake.clear()

    async def _adapt_all(self, adapting: Adapting) -> None:
        while True:
            await self.adapt()
            with suppress(TimeoutError):
                async with asyncio.timeout(adapting.pause):
                    await self._has_news.wait()
            self._has_news.clear()

    async def _look(self, poll: float | None, *, push: bool) -> None:
        """Newer roots are looked for once the base runs, and from then on newer releases."""
        while self.generation is None and not (self._staging.refusal or self.delivery.failure):
            await self._changed.wait()
        if poll is not None:
            return await self.delivery.watch(poll=poll, push=push)
        try:
            await self.delivery.check()
        except MidstreamError as error:
            self._on_event(CheckFailed(error=error))
