"""Clients that listen at an origin, in one process: says when each has swapped.

    python news_worker.py URL ROOT CLIENTS

Run by `news.py`. A line of JSON once all listen, then one for each release that all have
swapped to; until it is told to end.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import midstream
from delivery_parts.releases import NAME

_HOUR = 3600.0
_LISTENING = 2.0
"""Seconds until the last one listens, and another look is due."""


async def main(url: str, root: Path, clients: int) -> None:
    """Follow a network until the process is ended."""
    swapped = _Swapped(clients)
    async with AsyncExitStack() as stack:
        for _ in range(clients):
            live = midstream.connect(
                url,
                NAME,
                root=root,
                swap=midstream.SwapMode.IMMEDIATE,
                poll=_HOUR,  # so that it is the announcement that tells
                on_event=swapped,
            )
            model = await stack.enter_async_context(live)
            await model.complete()
        await asyncio.sleep(_LISTENING)
        _say({})
        release = 2
        while True:
            before = time.process_time()
            times = await swapped.to(release)
            _say({"swapped": times, "processor_s": time.process_time() - before})
            release += 1


def _say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


class _Swapped:
    """When each client first decided by each release."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._times: dict[int, list[float]] = {}
        self._came = asyncio.Event()

    def __call__(self, event: midstream.Event) -> None:
        if not isinstance(event, midstream.GenerationSwapped):
            return
        self._times.setdefault(event.generation.release, []).append(time.monotonic())
        self._came.set()

    async def to(self, release: int) -> list[float]:
        """Wait until all have."""
        while len(self._times.get(release, ())) < self._clients:
            self._came.clear()
            await self._came.wait()
        return self._times[release]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
