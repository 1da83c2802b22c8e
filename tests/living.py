"""A model that runs while it gets better, for tests, and what it told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from midstream import (
    Event,
    Model,
    connect,
)
from midstream.limits import Limits
from midstream.testing import FakeBackend
from published import NAME, Published

QUICK = Limits(attempts=2)
INPUTS = np.ones((1, 4), "f4")


@asynccontextmanager
async def live(
    url: str | Path, made: Published, **more: Any
) -> AsyncIterator[tuple[Model, list[Event]]]:
    events: list[Event] = []
    options = {"backend": FakeBackend(), **more}
    async with connect(str(url), NAME, root=made.root, on_event=events.append, **options) as model:
        yield model, events


def lose(repo: Path, made: Published, unit: int) -> None:
    entry = made.manifest.units[unit]
    for path in (entry.path, entry.hashes_path):
        (repo / path).unlink()
    if unit == 0:
        (repo / f"bundles/{NAME}.bundle").unlink()
