"""A day of releases for a player that stays, one after the other as fast as they can come.

Says what memory the player has after each: as the system gives it out by itself, and where it
is told to give small pieces back.

python tests/soakday.py [RELEASES]
"""

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from midstream import Publisher, SwapMode, connect
from midstream.publisher import FRESH, UpdatePolicy
from models import mlp
from published import NAME, SIZES, signer
from soakorigin import origin, running
from soakreport import Report, measure, tell
from soakworld import LADDER

HERE = Path(__file__)
DAY = 1440
"""Releases: one a minute."""
TRIMMED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}
"""What has glibc give pieces of 64 KiB back, and threads share what is given out."""
WAYS: dict[str, dict[str, str]] = {"as it is": {}, "trimmed": TRIMMED}


async def follow(url: str, store: Path, root: bytes) -> None:
    """The player: swaps to whatever comes, decides once with it, says what it has then."""
    whole = 0
    async with connect(
        url, NAME, root=root, store=store, poll=1.0, swap=SwapMode.IMMEDIATE
    ) as model:
        while True:
            await model.complete()
            release = model.manifest.release
            generation = model.generation
            is_swapped = generation is not None and generation.release == release
            if release != whole and is_swapped and generation.layer == len(LADDER) - 1:
                await model.infer(np.ones((1, SIZES[0]), "f4"))
                whole = release
                tell(json.dumps([release, measure()]))
            await asyncio.sleep(0.005)


def publish(repo: Path, number: int) -> None:
    """One more release; every second one has no updates, so that each way is gone."""
    updates = FRESH if number % 2 else UpdatePolicy()
    publisher = Publisher(repo, signer=signer())
    publisher.publish(mlp(SIZES, seed=number), name=NAME, ladder=LADDER, updates=updates)


async def measured(releases: int) -> dict[str, Report]:
    """What each of the ways' players had after each release."""
    reports = {way: Report() for way in WAYS}
    with tempfile.TemporaryDirectory() as made:
        async with AsyncExitStack() as stack:
            folder = Path(made)
            repo = folder / "repo"
            await asyncio.to_thread(publish, repo, 1)
            url = await stack.enter_async_context(origin(repo))
            players = {
                way: await stack.enter_async_context(
                    running(HERE, "player", url, folder / way, repo / "1.root.json", **variables)
                )
                for way, variables in WAYS.items()
            }
            for number in range(1, releases + 1):
                if number > 1:
                    await asyncio.to_thread(publish, repo, number)
                for way, player in players.items():
                    reports[way].add(await _heard(player, number))
    return reports


async def _heard(player: Process, number: int) -> dict[str, int]:
    """What a player has once it runs a release."""
    assert player.stdout is not None, "it was asked for"
    release = 0
    while release < number:
        line = await player.stdout.readline()
        assert line, f"a player ended before release {number}"
        release, found = json.loads(line)
    return {str(what): int(value) for what, value in found.items()}


def main(words: Sequence[str]) -> None:
    """Measure, or be a player."""
    if words[:1] == ["player"]:
        asyncio.run(follow(words[1], Path(words[2]), Path(words[3]).read_bytes()))
        return
    for way, report in asyncio.run(measured(int(words[0]) if words else DAY)).items():
        tell(f"{way}\n{report.quarters()}")


if __name__ == "__main__":
    main(sys.argv[1:])
