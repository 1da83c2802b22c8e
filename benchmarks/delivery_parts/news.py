"""From a release's publication to its swap, in many clients that listen at one origin.

The origin is a process of its own, `midstream serve`; the clients share one event loop, each
with a store in memory and the runtime that is installed. A release is published when its
timestamp takes the place of the one before; a client has swapped when decisions are made by the
new release, verified, decoded and tested.
"""

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import midstream
from reach.figures import Figure

__all__ = ["measure_news", "news_figures"]

_NAME = "abr"
_TIMESTAMP = Path("metadata/timestamp.json")
_HOUR = 3600.0
_IN_TIME = 120.0


def measure_news(
    models: Sequence[Path], clients: int, advance: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds to each swap, by the release that was swapped to.

    Args:
        models: Model files, one for each release; the first is there at the start.
        clients: How many listen.
        advance: Told of each release but the first.
    """
    with tempfile.TemporaryDirectory() as made:
        releases = _publish(models, Path(made))
        served = Path(made) / "served"
        shutil.copytree(releases[0], served)
        with _origin(served) as url:
            return asyncio.run(_follow(url, served, releases, clients, advance))


def news_figures(times: Mapping[str, Sequence[float]]) -> list[Figure]:
    """The middle of all swaps, and the one in a hundred that takes longest."""
    cuts = {
        release: statistics.quantiles(all_, n=100, method="inclusive")
        for release, all_ in times.items()
    }
    note = (
        "release in place to swapped, 100 clients on one event loop, origin beside them, loopback"
    )
    return [
        Figure(
            name=f"publish to swapped, p{percent}",
            unit="ms",
            must=must,
            aim=aim,
            values={release: 1000 * cut[percent - 1] for release, cut in cuts.items()},
            note=note,
        )
        for percent, must, aim in ((50, 300, 100), (99, 1000, 300))
    ]


def _publish(models: Sequence[Path], folder: Path) -> list[Path]:
    """The repository's folder after each release."""
    publisher = midstream.Publisher(folder / "work", signer=midstream.Signer.generate())
    releases = []
    for number, model in enumerate(models, start=1):
        publisher.publish(model, name=_NAME)
        releases.append(Path(shutil.copytree(folder / "work", folder / str(number))))
    return releases


@contextmanager
def _origin(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "midstream", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def _follow(
    url: str,
    served: Path,
    releases: Sequence[Path],
    clients: int,
    advance: Callable[[str], None],
) -> dict[str, list[float]]:
    swapped = _Swapped(clients)
    times = {}
    async with AsyncExitStack() as stack, asyncio.timeout(_IN_TIME):
        for _ in range(clients):
            live = midstream.connect(
                url,
                _NAME,
                root=served / "1.root.json",
                swap=midstream.SwapMode.IMMEDIATE,
                poll=_HOUR,  # so that it is the announcement that tells
                on_event=swapped,
            )
            model = await stack.enter_async_context(live)
            await model.complete()
        await asyncio.sleep(2)  # until the last one listens
        for number, release in enumerate(releases[1:], start=2):
            advance(f"news of release {number}")
            began = _put(release, served)
            times[f"release {number}"] = [at - began for at in await swapped.to(number)]
            await asyncio.sleep(2)  # finer layers, and a second since the last look
    return times


def _put(release: Path, served: Path) -> float:
    """Publish a release as a publisher does, the timestamp last; says when."""
    ignore = shutil.ignore_patterns(_TIMESTAMP.name, "*.lock")
    shutil.copytree(release, served, ignore=ignore, dirs_exist_ok=True)
    new = served / ".new-timestamp"
    shutil.copy(release / _TIMESTAMP, new)
    began = time.perf_counter()
    new.replace(served / _TIMESTAMP)
    return began


class _Swapped:
    """When each client first decided by each release."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._times: dict[int, list[float]] = {}
        self._came = asyncio.Event()

    def __call__(self, event: midstream.Event) -> None:
        if not isinstance(event, midstream.GenerationSwapped):
            return
        self._times.setdefault(event.generation.release, []).append(time.perf_counter())
        self._came.set()

    async def to(self, release: int) -> list[float]:
        """Wait until all have."""
        while len(self._times.get(release, ())) < self._clients:
            self._came.clear()
            await self._came.wait()
        return self._times[release]
