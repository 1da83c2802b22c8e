"""Round trips from nothing to a verified base, served by nginx. Knows nothing of how it is fetched.

The client is the real one and begins with the pinned root alone. Opening the connection comes
before, and is one more round trip with any transport over TCP.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import midstream
from delivery_parts.releases import MODELS, NAME, publish_all
from delivery_parts.wire import metered
from reach.figures import Figure
from staticservers import NGINX, nginx

__all__ = ["measure_start", "start_figures"]


def measure_start(advance: Callable[[str], None]) -> dict[str, float]:
    """Requests, round trips and bytes of one start.

    Args:
        advance: Told of the one step.

    Raises:
        RuntimeError: There is no nginx on this machine.
    """
    advance("a start at nginx")
    if NGINX is None:
        raise RuntimeError("nginx: not on this machine, `apt-get install nginx-light`")
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)  # nginx's workers may be another user's
        return asyncio.run(_start(publish_all(MODELS[:1], Path(made))[0]))


def start_figures(found: Mapping[str, float]) -> list[Figure]:
    """How often a client that starts has to wait for an answer."""
    size = f"{found['bytes']:,.0f} bytes both ways" if found else ""
    return [
        Figure(
            name="round trips to a verified base, nginx",
            must=1,
            aim=1,
            values={key: found[key] for key in ("round trips", "requests") if key in found},
            note=f"from the pinned root alone, after the connection is open; {size}",
        )
    ]


async def _start(folder: Path) -> dict[str, float]:
    root = (folder / "1.root.json").read_bytes()
    async with (
        nginx(folder) as url,
        metered(url) as wire,
        midstream.Delivery.open(wire.url, NAME, root=root) as delivery,
    ):
        await delivery.base()
        base = delivery.manifest.base
        unit = (folder / base.path).read_bytes()
        assert delivery.units(0) == [unit], "what came is what was published"
        return {
            "round trips": wire.round_trips,
            "requests": len(delivery.trace),
            "bytes": wire.bytes,
        }
