"""`midstream serve` in a process of its own, which is ended and started again at one address."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

HERE = Path(__file__)


def environment() -> dict[str, str]:
    """What a process needs to find what this one has found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@asynccontextmanager
async def running(*words: str | Path, **variables: str) -> AsyncIterator[Process]:
    """A process of Python's, killed at the end if it has not ended by then."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words), env=environment() | variables, stdout=PIPE
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # which closes what connected us


@asynccontextmanager
async def origin(repo: Path, *, port: int = 0) -> AsyncIterator[str]:
    """Serve a repository until the end, which is a polite one.

    Args:
        repo: The repository's folder.
        port: Where; any that is free, without one.

    Returns:
        Its address.
    """
    words = ("serve", repo, "--port", str(port), "--grace", "1")
    async with running("-m", "midstream", *words) as process:
        assert process.stdout is not None, "it was asked for"
        line = (await process.stdout.readline()).decode()
        assert line, f"the origin did not start on port {port}"
        yield line.split()[-1]
        process.terminate()
        assert await process.wait() == 0, "it ends when it is told"
