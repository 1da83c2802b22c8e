"""What a client refuses, put down in its store off the event loop. Knows nothing of why."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from midstream.client.events import (
    AdaptersMerged,
    AdaptersRefused,
    CheckFailed,
    GenerationRefused,
    UpdateRefused,
)
from midstream.client.keeping import StoreFailed
from midstream.client.threads import in_thread
from midstream.errors import DataError, MidstreamError, StoreError, UsageError
from midstream.session import Event, UnitFailed
from midstream.store.refusals import MOST, Refusal, RefusalLog

__all__ = ["Refusals"]


class Refusals:
    """Refusals of one network in one run; use `kept`.

    Args:
        log: Where they are put down; None for nowhere.
        network: The network.
        on_event: Told of what could not be put down.
    """

    def __init__(
        self, log: RefusalLog | None, network: str, on_event: Callable[[Event], None]
    ) -> None:
        self._log = log
        self._network = network
        self._on_event = on_event
        self._waiting: deque[Refusal] = deque(maxlen=MOST)
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def kept(
        cls, log: RefusalLog | None, network: str, on_event: Callable[[Event], None]
    ) -> AsyncIterator["Refusals"]:
        """Put down refusals until the end, where all of them are on disk."""
        made = cls(log, network, on_event)
        try:
            yield made
        finally:
            if made._writing is not None:
                await made._writing

    def heard(self, event: Event) -> None:
        """Put down what an event refuses, and pass it on."""
        self.note(event)
        self._on_event(event)

    def note(self, event: Event) -> None:
        """Put down what an event refuses, if it does; on the loop only."""
        now = datetime.now(UTC)
        found = [Refusal.of(error, self._network, now, **more) for error, more in _refused(event)]
        if not found or self._log is None:
            return
        self._waiting.extend(found)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._put(self._log))

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Put down that metadata is refused, where that is raised."""
        try:
            yield
        except MidstreamError as error:
            self.note(CheckFailed(error=error))
            raise

    async def _put(self, log: RefusalLog) -> None:
        """All that wait at once: a record that another process holds is waited for, too."""
        while self._waiting:
            found = list(self._waiting)
            self._waiting.clear()
            try:
                await in_thread(log.add, found)
            except StoreError as error:
                self._on_event(StoreFailed(error=error))


def _refused(event: Event) -> Iterator[tuple[MidstreamError, dict[str, Any]]]:
    """Errors of an event that are refusals, and what each is of; links that fail refuse nothing."""
    match event:
        case UpdateRefused():
            yield event.error, {"what": "update", "release": event.release, "unit": event.unit}
        case GenerationRefused():
            what = f"generation, layer {event.layer}"
            yield event.error, {"what": what, "release": event.release}
        case UnitFailed(error=DataError()):
            yield event.error, {"what": f"unit {event.unit}", "release": event.release}
        case AdaptersRefused(error=DataError() | UsageError()):
            yield event.error, {"what": "adapters", "release": event.release}
        case AdaptersMerged():
            for provider, error in event.left_out.items():
                more = {"what": "adapter", "provider": provider, "release": event.release}
                yield error, more
        case CheckFailed(error=DataError() | UsageError()):
            yield event.error, {"what": "metadata"}
        case _:
            pass
