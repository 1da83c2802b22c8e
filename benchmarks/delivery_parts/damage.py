"""What damaged packets cost over HTTP: the real client, over a link that damages.

Each packet of a unit, and as many bytes of its hash page and repair symbols, is damaged with the
same probability, each time that it is asked for as it was the first time: only repair completes
it. Bytes are of the whole connection: bodies and heads, both ways.
"""

import asyncio
import random
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

import midstream
from delivery_parts.wire import metered
from midstream.encoder.units import EncodedUnit
from midstream.origin.app import create_app
from midstream.origin.impairments import Impairments, Link
from midstream.publisher.publish import protect
from midstream.publisher.recovery import Recovery
from midstream.trust.keys import KeyRing
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.repository import Repository
from midstream.types import Fidelity, UnitKind
from reach.figures import Figure

__all__ = ["STEPS", "damage_figures", "measure_damage"]

_SIZES = {"45 kB": (45_000, 9_000), "6 MB": (6_000_000, 40_000)}
"""Bytes of a base, and of those at its start that get more repair."""
_SEEDS = {"45 kB": 150, "6 MB": 12}
_QUICK_SEEDS = {"45 kB": 20, "6 MB": 2}
_SHARE = 0.02
_NAME = "net"
_BURST = 64
"""Bytes that a damaged packet has wrong."""

STEPS = len(_SIZES)
"""For the bar."""


def measure_damage(is_quick: bool, advance: Callable[[str], None]) -> dict[str, Any]:
    """Bytes of each size, without damage and with, means over seeds.

    Args:
        is_quick: Whether few seeds will do.
        advance: Told of each step.
    """
    rows: dict[str, Any] = {}
    for label, (size, head_size) in _SIZES.items():
        advance(f"{label} over HTTP, damaged")
        seeds = (_QUICK_SEEDS if is_quick else _SEEDS)[label]
        with tempfile.TemporaryDirectory() as made:
            base = _publish(Path(made), size, head_size)
            sizes = asyncio.run(_fetch_all(Path(made), base, seeds))
        rows[label] = {
            "packet_size": base.packet_size,
            "whole": sizes[0],
            "damaged": statistics.fmean(sizes[1:]),
            "seeds": seeds,
        }
    return rows


def damage_figures(rows: Mapping[str, Any]) -> list[Figure]:
    """What damage costs over none."""
    return [
        Figure(
            name=f"bytes over HTTP at {_SHARE:.0%} damaged packets",
            unit="x",
            must=1.08,
            aim=1.04,
            values={
                f"{label}, packets of {row['packet_size']}": row["damaged"] / row["whole"]
                for label, row in rows.items()
            },
            note="over no damage: bodies and heads, both ways, means of "
            + " and ".join(f"{row['seeds']} seeds ({label})" for label, row in rows.items()),
        )
    ]


def _publish(folder: Path, size: int, head_size: int) -> UnitEntry:
    """A release of one base of random bytes; what is in it does not matter to who fetches it."""
    data = random.Random(1).randbytes(size)
    unit = EncodedUnit(
        kind=UnitKind.BASE,
        layer=0,
        rung="2.5b",
        data=data,
        head_size=head_size,
        fidelity=Fidelity(weight_snr=20.0),
    )
    entry, files = protect(unit, 0, Recovery(), size)
    release = Manifest(
        name=_NAME,
        release=1,
        format="tflite",
        model_size=2 * size,
        model_sha256=bytes(32),
        weights=size,
        units=(entry,),
    )
    now = datetime.now(UTC)
    repository = Repository.create(KeyRing.single(midstream.Signer.generate()), now)
    for path, content in {**files, **repository.add_release(_NAME, release, now)}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return entry


async def _fetch_all(folder: Path, base: UnitEntry, seeds: int) -> list[int]:
    """Bytes of a fetch without damage, and of one for each seed."""
    expected = (folder / base.path).read_bytes()
    sizes = []
    for seed in range(seeds + 1):
        link = _Packets(base.packet_size, _SHARE if seed else 0.0, seed)
        async with _served(folder, link) as url, metered(url) as wire:
            root = (folder / "1.root.json").read_bytes()
            async with midstream.Delivery.open(wire.url, _NAME, root=root) as delivery:
                before = wire.bytes
                await delivery.base()
                assert delivery.units(0) == [expected], "it was repaired, to the byte"
            sizes.append(wire.bytes - before)
    return sizes


class _Packets(Link):
    """A link that damages packets of units, and as many bytes of what repairs them.

    Args:
        packet_size: Bytes of a packet.
        share: Probability that one is damaged.
        seed: Of the damage.
    """

    def __init__(self, packet_size: int, share: float, seed: int) -> None:
        super().__init__(Impairments())
        self._packet_size = packet_size
        self._share = share
        self._seed = seed

    async def carry(self, path: str, offset: int, data: bytes, *, size: int) -> bytes:
        """Move a piece of an object; gives what is left of it."""
        if not self._share or not path.startswith("units/"):
            return data
        changed = bytearray(data)
        for packet in range(
            offset // self._packet_size, -(-(offset + len(data)) // self._packet_size)
        ):
            rng = random.Random(f"{self._seed} {path} {packet}")
            if rng.random() >= self._share:
                continue
            first = packet * self._packet_size
            length = min(self._packet_size, size - first)
            start = first + rng.randrange(max(1, length - _BURST)) - offset
            for place in range(max(0, start), min(start + min(_BURST, length), len(changed))):
                changed[place] ^= rng.randint(1, 255)
        return bytes(changed)


@asynccontextmanager
async def _served(folder: Path, link: Link) -> AsyncIterator[str]:
    runner = web.AppRunner(create_app(folder, link=link), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
