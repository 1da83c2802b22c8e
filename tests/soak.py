"""A publisher, an origin that is restarted, bad links, players that stay, leave and are killed.

This process is the players', with the links that they are behind; the publisher, the origin and
one player that is killed now and then have processes of their own. Each model that a player runs
or rebuilds is compared with what was published; memory, file descriptors and tasks are sampled
all the time, and what they show is the client's.

python tests/soak.py SECONDS [SEED]
"""

import asyncio
import hashlib
import json
import math
import multiprocessing
import random
import sys
import tempfile
import time
from asyncio.subprocess import Process
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path

from midstream import connect
from midstream.runtime import find_backend
from midstream.testing import FakeBackend, LinkFaults, TcpProxy, tcp_proxy
from published import NAME
from soakorigin import origin, running
from soakreport import Report, measure, tell
from soakworld import LADDER, LIMITS, TAKEN, WRONG, Player, World

PLAYERS = 3
STAYS = 1
"""The player that does not leave; it has the runtime that is installed."""
HERE = Path(__file__)
LAST = 120.0
"""Seconds that all have to come to the newest release once links are good again."""


def any_faults(rng: random.Random) -> LinkFaults:
    """Half of the time a good link."""
    if rng.random() < 0.5:
        return LinkFaults(delay=0.002)
    names = ("loss", "damage", "reorder", "duplicate", "stall", "reset")
    rates = {name: rng.choice([0, 0, 0, 0.003, 0.03]) for name in names}
    return LinkFaults(
        seed=rng.randrange(1 << 30), delay=0.002, split=rng.choice([50, 1460, 9000]), **rates
    )


class Soak:
    """All of it.

    Args:
        folder: Where it may write.
        seconds: How long faults go on.
        seed: Of all that is drawn by lot.
    """

    def __init__(self, folder: Path, seconds: float, seed: int = 1) -> None:
        self._folder = folder
        self._seconds = seconds
        self._rng = random.Random(seed)
        self.report = Report()
        self._world = World(folder, seed, self.report)
        self._began, self._ends = 0.0, math.inf
        self._is_served = asyncio.Event()
        self._proxies: list[TcpProxy] = []
        self._players: list[Player] = []
        self._last_is_published = asyncio.Event()
        # started anew, not forked: this process has threads
        self._publisher = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self._process_has = 0
        """The release that the process has whole in its last life, of what is known."""

    @property
    def _goes_on(self) -> bool:
        return time.monotonic() < self._ends

    async def run(self) -> Report:
        """From the first release to the last look."""
        with self._publisher:
            return await self._run()

    async def _run(self) -> Report:
        await self._world.publish(self._publisher)
        before = measure()
        async with AsyncExitStack() as stack:
            url = await self._open(stack)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._serve(url))
                await self._is_served.wait()
                self._began = time.monotonic()
                self._ends = self._began + self._seconds
                for job in (self._break(), self._publish(), self._sample()):
                    tasks.create_task(job)
                for player in self._players:
                    tasks.create_task(self._play(player))
                tasks.create_task(self._kill())
        self.report.seconds = time.monotonic() - self._began
        await asyncio.sleep(0.1)  # sockets close a turn later
        after = measure()
        self.report.left = {what: after[what] - before[what] for what in ("descriptors", "tasks")}
        return self.report

    async def _open(self, stack: AsyncExitStack) -> str:
        """Proxies and players; the origin's address, kept for all its lives."""
        async with origin(self._world.repo) as url:
            pass
        fake = FakeBackend(inputs=(TAKEN,))
        backends = [fake, find_backend(), fake]
        root = (self._world.repo / "1.root.json").read_bytes()
        for number in range(PLAYERS + 1):
            proxy = await stack.enter_async_context(tcp_proxy(url, LinkFaults()))
            self._proxies.append(proxy)
            if number < PLAYERS:
                # two of them share a store
                store = self._folder / f"store-{min(number, 1)}"
                player = Player(self._world, proxy, store, backends[number])
                player.root = root
                self._players.append(player)
        return url

    async def _serve(self, url: str) -> None:
        """The origin, which goes away now and then, until all have come to the end."""
        port = int(url.rpartition(":")[2])
        while True:
            async with origin(self._world.repo, port=port):
                self.report.counts["origins started"] += 1
                self._is_served.set()
                lasts = self._rng.uniform(20, 60)
                while lasts > 0 or not self._goes_on:
                    await asyncio.sleep(0.1)
                    lasts -= 0.1
                    if not self._goes_on and self._has_come:
                        return
            await asyncio.sleep(self._rng.uniform(0, 2))

    @property
    def _has_come(self) -> bool:
        """Whether all players have the newest release whole, or it took too long."""
        assert time.monotonic() < self._ends + LAST, (
            f"release {self._world.newest} did not come, but "
            f"{self._process_has} and {[player.release for player in self._players]}"
        )
        releases = [self._process_has, *(player.release for player in self._players)]
        return releases == [self._world.newest] * len(releases)

    async def _break(self) -> None:
        """Other faults every now and then; none at the end."""
        while self._goes_on:
            for proxy in self._proxies:
                proxy.faults = any_faults(self._rng)
                is_odd = self._rng.random() < 0.1
                proxy.upward = any_faults(self._rng) if is_odd else LinkFaults()
            await asyncio.sleep(self._rng.uniform(0.2, 3))
        for proxy in self._proxies:
            proxy.faults = proxy.upward = LinkFaults()

    async def _publish(self) -> None:
        while self._goes_on:
            await asyncio.sleep(min(self._rng.uniform(5, 20), max(self._seconds / 2, 0.1)))
            if self._goes_on:
                await self._world.publish(self._publisher)
        self._last_is_published.set()

    async def _sample(self) -> None:
        self.report.sample()
        while self._goes_on:
            await asyncio.sleep(min(2.0, self._seconds / 8))
            self.report.sample()

    async def _play(self, player: Player) -> None:
        """Lives of one player; the last one ends when all have come to the end."""
        while self._goes_on or not self._has_come:
            now = time.monotonic()
            # one stays for all releases that there are, if nothing ends it
            lasts = math.inf if player is self._players[STAYS] else self._rng.uniform(3, 60)
            ends = min(now + lasts, self._ends) if self._goes_on else now + 1.0
            await player.live(ends)

    async def _kill(self) -> None:
        """A player that is a process, killed and started again; the last one is let end."""
        proxy, store = self._proxies[-1], self._folder / "store-2"
        while self._goes_on:
            async with self._process(proxy.url, store) as process:
                lasts = self._rng.uniform(2, 20)
                await self._listen(process, min(time.monotonic() + lasts, self._ends))
                if process.returncode is None:
                    process.kill()
                    self.report.counts["processes killed"] += 1
        await self._last_is_published.wait()
        async with self._process(proxy.url, store) as process:
            await self._listen(process, self._ends + LAST, is_last=True)
            process.kill()

    def _process(self, url: str, store: Path) -> AbstractAsyncContextManager[Process]:
        return running(HERE, "player", url, store, self._world.repo / "1.root.json")

    async def _listen(self, process: Process, until: float, *, is_last: bool = False) -> None:
        """Check what it says until the time is over; in its last life, until it has come."""
        assert process.stdout is not None, "it was asked for"
        with suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                while line := await process.stdout.readline():
                    number, sha256 = json.loads(line)
                    self._world.check(number, len(LADDER) - 1, sha256, "process")
                    self._process_has = number if is_last else 0
                    if self._process_has == self._world.newest:
                        return
                assert await process.wait() < 0, "it ends when it is killed"
        assert not is_last, f"the process came to release {self._process_has} alone"


async def follow_for_ever(url: str, store: Path, root: bytes) -> None:
    """The player that is a process: says what it has rebuilt, and ends by no error of ours."""
    said = 0
    while True:
        with suppress(*WRONG):
            async with connect(
                url, NAME, root=root, store=store, backend=FakeBackend(), poll=0.5, limits=LIMITS
            ) as model:
                while True:
                    await model.complete()
                    release = model.manifest.release
                    if release != said:
                        built = await model.delivery.rebuild(release=release)
                        tell(json.dumps([release, hashlib.sha256(built).hexdigest()]))
                        said = release
                    model.swap()
                    await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)


async def soak(seconds: float, seed: int = 1) -> Report:
    """Run it in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return await Soak(Path(folder), seconds, seed).run()


if __name__ == "__main__":
    if sys.argv[1] == "player":
        pinned = Path(sys.argv[4]).read_bytes()
        asyncio.run(follow_for_ever(sys.argv[2], Path(sys.argv[3]), pinned))
    else:
        tell(str(asyncio.run(soak(float(sys.argv[1]), *map(int, sys.argv[2:3])))))
