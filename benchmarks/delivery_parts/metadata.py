"""Bytes of metadata for a client that looks for news: bodies and heads, both ways.

The client is the real one, with a channel for news or without; units are left out, since it
fetches none.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import midstream
from delivery_parts.releases import MODELS, NAME, publish_all, put
from delivery_parts.wire import Wire, metered
from midstream.origin import serve
from reach.figures import Figure

__all__ = ["measure_metadata", "metadata_figures"]

_HOUR = 3600.0
_OFTEN = 0.05
_POLLS = 5
_IN_TIME = 60.0
_LISTENS = 0.5
"""Seconds after which a client has looked and listens, on loopback."""


def measure_metadata(advance: Callable[[str], None]) -> dict[str, float]:
    """Bytes of each case.

    Args:
        advance: Told of the one step.
    """
    advance("bytes of metadata")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        releases = publish_all(MODELS, folder)
        return asyncio.run(_measure(releases, folder / "served"))


def metadata_figures(found: Mapping[str, float]) -> list[Figure]:
    """What learning of a release costs, and learning that there is none."""
    note = "bodies and heads, both ways, of the whole connection, without units"
    return [
        Figure(
            name="metadata of a new release",
            unit="B",
            must=4500,
            aim=3000,
            values={case: size for case, size in found.items() if case != "no news"},
            note=f"{note}; that a newer root was looked for is in it",
        ),
        Figure(
            name="metadata of a poll without news",
            unit="B",
            must=600,
            aim=400,
            values={case: size for case, size in found.items() if case == "no news"},
            note=f"{note}; mean of {_POLLS}",
        ),
    ]


async def _measure(releases: list[Path], served: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for case, push, poll in (("announced", True, _HOUR), ("polled", False, _OFTEN)):
        shutil.copytree(releases[0], served)
        async with asyncio.timeout(_IN_TIME), _watching(served, poll, push=push) as (wire, told):
            if push:
                await asyncio.sleep(_LISTENS)
            else:
                found["no news"] = await _polls(wire, told, _POLLS)
            before, asked = wire.bytes, len(told.delivery.trace)
            put(releases[1], served)
            await told.opened.wait()
            looks = [record.status for record in told.delivery.trace[asked:]].count(304)
            found[case] = wire.bytes - before - looks * found.get("no news", 0.0)
        shutil.rmtree(served)
    return found


class _Told:
    """A delivery, and whether it has opened the second release."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.delivery: midstream.Delivery

    def __call__(self, event: midstream.Event) -> None:
        if isinstance(event, midstream.ReleaseOpened) and event.manifest.release > 1:
            self.opened.set()


@asynccontextmanager
async def _watching(
    served: Path, poll: float, *, push: bool
) -> AsyncIterator[tuple[Wire, "_Told"]]:
    told = _Told()
    root = (served / "1.root.json").read_bytes()
    async with (
        serve(served) as url,
        metered(url) as wire,
        midstream.Delivery.open(wire.url, NAME, root=root, on_event=told) as delivery,
    ):
        told.delivery = delivery
        watch = asyncio.create_task(delivery.watch(poll=poll, push=push))
        try:
            yield wire, told
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _polls(wire: Wire, told: _Told, count: int) -> float:
    """Bytes of a poll without news."""
    trace = told.delivery.trace

    async def until(length: int) -> tuple[int, int]:
        while len(trace) < length or not trace[-1].ended:  # noqa: ASYNC110 - it is but a list
            await asyncio.sleep(0.001)
        return wire.bytes, len(trace)

    begun, first = await until(len(trace) + 3)  # the first one looks for a newer root
    ended, last = await until(first + count)
    assert all(record.status == 304 for record in trace[first:last]), "nothing was published"
    return (ended - begun) / (last - first)
