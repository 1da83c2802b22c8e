"""A delivery for tests, and what it told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from midstream.client import Delivery
from midstream.limits import Limits
from midstream.session import (
    Event,
)
from published import NAME, Published

QUICK = Limits(attempts=2)


@asynccontextmanager
async def delivering(
    url: str | Path, made: Published, **more: Any
) -> AsyncIterator[tuple[Delivery, list[Event]]]:
    events: list[Event] = []
    async with Delivery.open(
        str(url), NAME, root=made.root, on_event=events.append, **more
    ) as delivery:
        yield delivery, events


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if type(event) is kind]
