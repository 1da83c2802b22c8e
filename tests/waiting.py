"""How long a test waits for what must come."""

import asyncio
from collections.abc import Callable

IN_TIME = 120.0
"""Seconds after which a test has failed; none is awaited where it holds, and a machine that is busy
with much else has them all the same."""


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(IN_TIME):
        while not holds():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)
