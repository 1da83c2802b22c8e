"""What clients receive of a new release, metadata included. Knows nothing of peers."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from midstream import Publisher
from midstream.client import Delivery
from midstream.session import Policy
from midstream.trust.keys import Signer
from reach.figures import Figure

__all__ = ["LADDER", "measure_receiving", "receiving_figure"]

LADDER = ("2.5b", "4b", "exact")
_NAME = "net"


def measure_receiving(
    files: Mapping[str, tuple[Path, Path]], advance: Callable[[str], None]
) -> dict[str, Any]:
    """Bytes that a client at the old release and a new client receive, at each rung."""
    rows: dict[str, Any] = {}
    for name, (old, new) in files.items():
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = asyncio.run(_measure(Path(folder), old.read_bytes(), new.read_bytes()))
        advance(name)
    return rows


async def _measure(folder: Path, old: bytes, new: bytes) -> dict[str, Any]:
    first, second = folder / "1", folder / "2"
    keys = Signer(bytes(range(32)))
    Publisher(first, signer=keys).publish(old, name=_NAME, ladder=LADDER)
    shutil.copytree(first, second)
    release = Publisher(second, signer=keys).publish(new, name=_NAME, ladder=LADDER)
    rungs = {}
    for layer, rung in enumerate(release.rungs):
        rungs[rung] = {
            "updating": await _updating(folder, layer),
            "new": await _new(second, layer),
        }
    return rungs


async def _updating(folder: Path, layer: int) -> int:
    """Bytes from when a client that has the old release looks for the new one."""
    repo = folder / "repo"
    shutil.copytree(folder / "1", repo)
    async with _client(repo, layer) as delivery:
        await delivery.complete()
        before = delivery.bytes_received
        shutil.copytree(folder / "2", repo, dirs_exist_ok=True)
        await delivery.check()
        await delivery.complete()
        assert delivery.manifest.release == 2, "the new release is here"
        received = delivery.bytes_received - before
    shutil.rmtree(repo)
    return received


async def _new(repo: Path, layer: int) -> int:
    async with _client(repo, layer) as delivery:
        await delivery.complete()
        return delivery.bytes_received


def _client(repo: Path, layer: int) -> Any:
    root = (repo / "1.root.json").read_bytes()
    return Delivery.open(str(repo), _NAME, root=root, policy=Policy(max_layer=layer))


def receiving_figure(rows: Mapping[str, Any]) -> Sequence[Figure]:
    """What was measured, and what it must be."""
    return (
        Figure(
            name="received to update over received anew",
            unit="x",
            must=1.0,
            values={
                f"{name} {rung}": found["updating"] / found["new"]
                for name, row in rows.items()
                for rung, found in row.items()
            },
            note="everything over the wire, metadata included, of each rung",
        ),
    )
