"""A release that goes round by datagrams, again and again. Knows nothing of who listens.

It sends to the one address that it was told, never answers, and no faster than it was told.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, LimitError, TrustError, UsageError
from midstream.fec import grids
from midstream.fec.grids import Grid
from midstream.limits import LIMITS
from midstream.origin.files import Files
from midstream.session.datagrams import HEADER_SIZE, Datagram, ObjectKey, ObjectKind
from midstream.session.rotation import BUNDLE_SHARE, Pacer, rotate, shares
from midstream.transport.datagrams import Address, open_outlet
from midstream.trust import bundle, layout, manifest, tree
from midstream.trust.manifest import UnitEntry
from midstream.trust.updates import updates_of

__all__ = ["DATAGRAM_SIZE", "Carousel", "cast"]

DATAGRAM_SIZE = 1400
"""Bytes of a datagram: what nearly every link carries whole, tunnels included."""

_LEAST_DATAGRAM = 64
_MOST_DATAGRAM = 1 << 14
_MOST_ROWS = 1 << 16
_ID_SIZE = 8
_IP_UDP = 28
"""Bytes that go before a datagram on a link (IPv4)."""
_TURN = 64
"""Datagrams after which others on the loop have theirs."""
_MOST_NAMES = 8
"""Networks that an error names."""
_NEWS = 1.0
"""Seconds between two looks for another bundle."""


@dataclass(frozen=True, slots=True)
class _Object:
    key: ObjectKey
    symbols: NDArray[np.uint8]  # (rows, 255, symbol_size)


class Carousel:
    """One release as datagrams; all its symbols are in memory, nearly twice its bytes.

    Args:
        folder: The published folder.
        name: The network.
        layer: The highest layer that goes round; None for all.
        bundle_share: Part of the datagrams that are of the bundle.
        datagram_size: Bytes of a datagram at most, 64 to 16384.

    Raises:
        UsageError: There is no such folder or network, or an argument makes no sense.
        TrustError: BAD_HASH where a unit is not the one that was signed for.
        LimitError: Something is too large.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        layer: int | None = None,
        bundle_share: float = BUNDLE_SHARE,
        datagram_size: int = DATAGRAM_SIZE,
    ) -> None:
        if not _LEAST_DATAGRAM <= datagram_size <= _MOST_DATAGRAM:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"datagrams of {datagram_size} bytes: expected {_LEAST_DATAGRAM} to "
                f"{_MOST_DATAGRAM}",
            )
        _require(folder, name)
        files = Files(folder)
        opening = read_bundle(files, name)
        units = _units(files, opening, name, layer)
        sizes = [len(data) for _, data in units]
        self.size = len(opening) + sum(sizes)
        """Bytes of all objects."""
        self.objects = 1 + len(units)
        """How many there are."""
        self._shares = shares(len(opening), sizes, bundle_share=bundle_share)
        first = (ObjectKind.BUNDLE, hashlib.sha256(opening).digest(), opening)
        rest = [(ObjectKind.UNIT, entry.source_root, data) for entry, data in units]
        most = datagram_size - HEADER_SIZE
        self._objects = [
            _object(kind, name[:_ID_SIZE], data, most) for kind, name, data in [first, *rest]
        ]

    def datagrams(self) -> Iterator[bytes]:
        """Datagrams in the order in which they are sent, for ever."""
        rounds = rotate([one.key.grid for one in self._objects], self._shares)
        for index, row, column in rounds:
            one = self._objects[index]
            symbol = one.symbols[row, column].tobytes()
            yield Datagram(key=one.key, row=row, column=column, symbol=symbol).encode()


async def cast(
    folder: str | Path,
    name: str,
    address: Address,
    *,
    rate: float,
    hops: int = 1,
    layer: int | None = None,
    bundle_share: float = BUNDLE_SHARE,
    datagram_size: int = DATAGRAM_SIZE,
    on_carousel: Callable[[Carousel], None] = lambda _: None,
) -> None:
    """Send a network's newest release round and round, until cancelled.

    A new release goes round once its bundle is in the folder.

    Args:
        folder: The published folder.
        name: The network.
        address: A group of receivers, or one.
        rate: Bits per second, headers of IP and UDP included.
        hops: Routers that a datagram to a group may pass, plus one.
        layer: The highest layer that goes round; None for all.
        bundle_share: Part of the datagrams that are of the bundle.
        datagram_size: Bytes of a datagram at most.
        on_carousel: Called with each carousel before it is sent.

    Raises:
        UsageError: An argument makes no sense, or there is no such network.
        TrustError: A unit in the folder is damaged.
        TransportError: The system cannot send there.
    """
    if not rate > 0:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"a rate of {rate}: expected more than 0")
    _require(Path(folder), name)
    files = Files(Path(folder))
    async with open_outlet(address, hops=hops) as outlet:
        pacer = Pacer(rate)
        while True:
            opening = await asyncio.to_thread(read_bundle, files, name)
            carousel = await asyncio.to_thread(
                Carousel,
                Path(folder),
                name,
                layer=layer,
                bundle_share=bundle_share,
                datagram_size=datagram_size,
            )
            on_carousel(carousel)
            looked = time.monotonic()
            for count, datagram in enumerate(carousel.datagrams()):
                if (wait := pacer.wait(time.monotonic())) or count % _TURN == 0:
                    await asyncio.sleep(wait)
                pacer.sent(len(datagram) + _IP_UDP, time.monotonic())
                await outlet.send(datagram)
                if time.monotonic() - looked > _NEWS:
                    looked = time.monotonic()
                    if await asyncio.to_thread(read_bundle, files, name) != opening:
                        break


def _require(folder: Path, name: str) -> None:
    """Refuse a network that has no bundle, and say which have one."""
    if not folder.is_dir():
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: there is no such folder")
    names = sorted(path.stem for path in folder.glob(layout.bundle_path("*")))
    if name not in names:
        more = ", ..." if len(names) > _MOST_NAMES else ""
        raise UsageError(
            ErrorCode.NOT_FOUND,
            f"{name[:80]}: the repository has no such network; it has "
            f"{', '.join(names[:_MOST_NAMES]) + more or 'none'}",
        )


def read_bundle(files: Files, name: str) -> bytes:
    """The bundle of a network.

    Raises:
        UsageError: NOT_FOUND where there is none.
        LimitError: It is too large.
    """
    return _read(files, layout.bundle_path(name), LIMITS.bundle_size)


def _units(
    files: Files, opening: bytes, name: str, layer: int | None
) -> list[tuple[UnitEntry, bytes]]:
    """Units that are not in the bundle, as signed; updates too where all layers go round."""
    parts = bundle.decode(opening)
    listed = bundle.manifest_in(parts, name)
    if listed is None:
        raise UsageError(ErrorCode.NOT_FOUND, f"{name}: its bundle lists no release")
    units: list[tuple[UnitEntry, bytes]] = []
    described = manifest.decode(listed)
    # without them, a receiver that has the release before would wait in vain
    listed_updates = updates_of(described) if layer is None else ()
    for entry in (*described.units, *(update.unit for update in listed_updates)):
        if entry.path in parts or (layer is not None and entry.layer > layer):
            continue
        data = _read(files, entry.path, LIMITS.unit_size)
        if tree.root(tree.leaves(data, entry.packet_size)) != entry.source_root:
            raise TrustError(ErrorCode.BAD_HASH, f"{entry.path}: is not the unit of {name}")
        units.append((entry, data))
    return units


def _read(files: Files, path: str, limit: int) -> bytes:
    file = files.open(path)
    if file is None:
        raise UsageError(ErrorCode.NOT_FOUND, f"{path}: is not in the folder")
    try:
        if file.size > limit:
            raise LimitError(ErrorCode.OVER_LIMIT, f"{path}: {file.size} bytes, at most {limit}")
        return file.read(0, file.size)
    finally:
        file.close()


def _object(kind: ObjectKind, name: bytes, data: bytes, most: int) -> _Object:
    grid = Grid.fitting(len(data), most)
    if grid.blocks + grid.joint_rows > _MOST_ROWS:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{len(data)} bytes are too many for datagrams of {most}"
        )
    key = ObjectKey(kind=kind, id=name, size=grid.size, symbol_size=grid.symbol_size)
    return _Object(key, grids.encode(data, grid))
