"""A network whose releases move by a little, and clients that follow them, for tests of updates."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from midstream import Publisher
from midstream.client import Delivery
from midstream.encoder.update import holes_of
from midstream.session import Event
from midstream.trust.manifest import Manifest
from models import mlp
from published import NAME, signer

LADDER = ("2.5b", "exact")


@cache
def tuned(number: int, by: float = 1e-4) -> bytes:
    """The model of a release: each moves the one before by a little."""
    if number == 1:
        return mlp((16, 64, 48, 4), seed=1)
    model = bytearray(tuned(number - 1, by))
    rng = np.random.default_rng(number)
    for tensor in holes_of(bytes(model)):
        old = np.frombuffer(model[tensor.offset : tensor.end], "<f4")
        moved = old + rng.standard_normal(len(old)) * by
        model[tensor.offset : tensor.end] = moved.astype("<f4").tobytes()
    return bytes(model)


def after_each(number: int, made: Path) -> list[Path]:
    """The repository after each of so many releases."""
    repo, found = made / "repo", []
    for release in range(1, number + 1):
        Publisher(repo, signer=signer()).publish(tuned(release), name=NAME, ladder=LADDER)
        found.append(shutil.copytree(repo, made / str(release)))
    return found


def resign(repo: Path, described: Manifest) -> None:
    """Sign a release as its publisher would, whatever it says."""
    publisher = Publisher(repo, signer=signer())
    with publisher._folder.locked():
        repository = publisher._signed.open()
        signed = repository.add_release(NAME, described, publisher._clock())
        publisher._signed.write(signed, repository, [NAME])


def put(source: Path, repo: Path) -> None:
    shutil.copytree(source, repo, dirs_exist_ok=True)


@asynccontextmanager
async def delivering(repo: Path, **more: Any) -> AsyncIterator[tuple[Delivery, list[Event]]]:
    events: list[Event] = []
    root = (repo / "1.root.json").read_bytes()
    async with Delivery.open(
        str(repo), NAME, root=root, on_event=events.append, **more
    ) as delivery:
        yield delivery, events


@asynccontextmanager
async def holding(
    folder: Path, repo: Path, **more: Any
) -> AsyncIterator[tuple[Delivery, list[Event]]]:
    """A delivery that has all of what a folder's newest release is, put where it looks."""
    put(folder, repo)
    async with delivering(repo, **more) as (delivery, events):
        await delivery.complete()
        yield delivery, events


async def follow(delivery: Delivery, folder: Path, repo: Path) -> None:
    """Take the release that a folder has, put where the delivery looks."""
    put(folder, repo)
    assert await delivery.check()
    await delivery.complete()
