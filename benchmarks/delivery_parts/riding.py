"""A session beside a simulated player: its bytes share the link, in simulated time.

Knows nothing of what decides the video's rungs, or of sockets: each request has a head, its bytes
come in small pieces, and the player looks at its buffer after each of them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from midstream.session import Link, Policy, Request, Session, SessionState, UnitVerified
from midstream.trust import tree
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import Fidelity, UnitKind

__all__ = ["Network", "Rider", "Riding", "Rung"]

_HEAD = 400
"""Bytes of an answer's head, and of what TCP and TLS add to a short one."""
_METADATA = 4500
"""Bytes of a release's metadata."""
_PIECE = 2048
_PACKET = 4096


class Riding(Protocol):
    """The player that a session rides along with."""

    clock: float

    @property
    def buffer(self) -> float:
        """Seconds of media not yet played."""

    @property
    def throughput(self) -> float:
        """Bytes per second, as it estimates it."""

    def spend(self, model_bytes: int, *, is_asked: bool = False) -> float:
        """Have the link carry model bytes."""

    def room(self, floor: float) -> int:
        """Bytes until the buffer is down to a floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One unit of a network."""

    size: int
    """Its bytes."""
    snr: float
    """Output SNR of the network up to it, dB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A release of made-up units."""

    manifest: Manifest
    """What would be signed of it."""
    units: dict[str, bytes]
    """Its units, by their paths."""

    @classmethod
    def of(cls, rungs: Sequence[Rung], *, number: int) -> "Network":
        """A release with these rungs, each on the one before."""
        rng = random.Random(number)
        contents = [rng.randbytes(rung.size) for rung in rungs]
        entries = tuple(_entry(at, rung, contents[at]) for at, rung in enumerate(rungs))
        manifest = Manifest(
            name="abr",
            release=number,
            format="tflite",
            model_size=sum(rung.size for rung in rungs),
            model_sha256=bytes(32),
            weights=1,
            units=entries,
        )
        units = {entry.path: data for entry, data in zip(entries, contents, strict=True)}
        return cls(manifest=manifest, units=units)


def _entry(layer: int, rung: Rung, data: bytes) -> UnitEntry:
    return UnitEntry(
        kind=UnitKind.ENHANCEMENT if layer else UnitKind.BASE,
        layer=layer,
        parent=layer - 1 if layer else None,
        size=rung.size,
        packet_size=_PACKET,
        fidelity=Fidelity(weight_snr=rung.snr, output_snr=rung.snr, probes=1),
        source_root=tree.root(tree.leaves(data, _PACKET)),
    )


class Rider:
    """A session and its origin.

    Args:
        player: The player.
        low_water: Seconds of buffer below which nothing is fetched.
        share: Of what the player says the link carries until the buffer is down to that.
    """

    def __init__(self, player: Riding, *, low_water: float, share: float) -> None:
        self.reached: dict[tuple[int, int], float] = {}
        """When each unit was there, by release and layer."""
        self._player = player
        self._low_water = low_water
        self._share = share
        self._session = Session(policy=Policy(low_water=low_water))
        self._units: dict[str, bytes] = {}

    @property
    def is_complete(self) -> bool:
        """Whether the best network is there."""
        return self._session.state is SessionState.COMPLETE

    def begin(self, network: Network) -> int:
        """Take the first release, its base included; gives the bytes that came for it."""
        self._publish(network)
        base = network.manifest.base
        assert self._session.offer(network.manifest.release, 0, network.units[base.path])
        self._note()
        return _HEAD + _METADATA + base.size

    def knows(self, network: Network) -> bool:
        """Whether a release is known."""
        newest = self._session.manifest
        return newest is not None and newest.release >= network.manifest.release

    def learn(self, network: Network) -> None:
        """Take a newer release; its metadata is on the link like any other bytes."""
        self._publish(network)
        self._player.spend(_HEAD + _METADATA)

    def ride(self) -> None:
        """Fetch what the player allows between two segments."""
        budget = int(self._player.room(self._low_water) * self._share)
        self._report(budget)
        while (request := self._session.next_request(self._player.clock)) is not None:
            self._fetch(request)

    def _publish(self, network: Network) -> None:
        self._units |= network.units
        self._session.open_release(network.manifest, self._player.clock)

    def _report(self, budget: int) -> None:
        player = self._player
        link = Link(buffer=player.buffer, throughput=player.throughput, budget=budget)
        self._session.report(link, player.clock)

    def _fetch(self, request: Request) -> None:
        data = self._units[request.path]
        self._player.spend(_HEAD)
        at = request.start
        while at < request.stop and self._session.wants(request, self._player.clock):
            piece = data[at : min(at + _PIECE, request.stop)]
            self._player.spend(len(piece), is_asked=True)
            self._session.receive_data(request, at, piece)
            at += len(piece)
            if self._player.buffer < self._low_water:
                self._report(0)  # sooner than after the next segment
        self._session.finish_request(request, self._player.clock)
        self._note()

    def _note(self) -> None:
        while (event := self._session.next_event()) is not None:
            if isinstance(event, UnitVerified):
                self.reached[event.release, event.entry.layer] = self._player.clock
