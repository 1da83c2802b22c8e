"""Clients of a network whose providers offer adapters, and what runs in them."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import midstream
from midstream import Event, Model
from midstream.testing import FakeBackend
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from providing import Place, model

ADAPTED = 1
"""The layer of a generation with adapters: the release has layer 0 alone."""
PLAIN = (1, 0, hashlib.sha256(model()).hexdigest())
"""What runs without them."""


def offering(folder: Path) -> Place:
    """A repository with an adapter of each provider on offer."""
    made = Place(folder)
    made.adapters.offer("net", made.parcels())
    return made


def policy(*names: str, required: str = "", **changes: Any) -> AdapterPolicy:
    parts = tuple(PolicyPart(provider=name, is_required=name in required) for name in names)
    values: dict[str, Any] = {"network": "net", "parts": parts, "largest_norm": 100.0}
    return AdapterPolicy(**(values | changes))


@asynccontextmanager
async def connected(
    place: Place, adapters: str | None = "city", *, url: str = "", **more: Any
) -> AsyncIterator[tuple[Model, list[Event]]]:
    events: list[Event] = []
    options: dict[str, Any] = {
        "root": place.folder / "1.root.json",
        "backend": FakeBackend(),
        "background": False,
        "on_event": events.append,
    }
    async with midstream.connect(
        url or str(place.folder), "net", adapters=adapters, **(options | more)
    ) as live:
        yield live, events


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def running(live: Model) -> tuple[int, int, str]:
    assert live.generation is not None
    return live.generation.release, live.generation.layer, live.generation.sha256


async def checked(live: Model) -> None:
    """Look for news, and take what comes of it."""
    await live.check()
    await live.complete()
    live.swap()
