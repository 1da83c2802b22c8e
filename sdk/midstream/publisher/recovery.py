"""How units are cut into packets, and how much repair they get. Knows nothing of their content."""

import math
from dataclasses import dataclass
from enum import Enum

from midstream import fec
from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.session import Protection

__all__ = ["Recovery", "Use"]

_HEAD_FACTOR = 2
"""Repair of the head against that of the body: without topology no weight is of use."""
_HEAD_FAILURE, _BODY_FAILURE = 1e-5, 1e-3
"""Receivers left without: 3GPP TS 22.261 asks 99.999 % for topology, 99.9 % for weights."""
_MOST_REPAIR = 2.0
_MOST_LOSS = 0.5
_LEAST = 256
_ROOTS = 8
_DATAGRAM = 1200
"""With headers it passes where IPv6 does: 1,280 B less 48 for IP and UDP leave 32 for ours."""


class Use(Enum):
    """What a release is mostly sent over."""

    HTTP = "http"
    """Requests: the larger the packets, the fewer hashes."""
    CAROUSEL = "carousel"
    """Datagrams: a packet is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a publisher wants to be recovered from.

    Raises:
        UsageError: A rate is out of range, or both are given.
    """

    repair: float | None = None
    """Repair symbols for each packet of weights, 0 to 2, the topology gets twice as many; 0.15
    where no loss is given either."""
    loss: float | None = None
    """Share of packets that are lost, 0 to 0.5: as many repair symbols as it takes, more for the
    topology."""
    use: Use = Use.HTTP
    """What decides on the size of packets."""

    def __post_init__(self) -> None:
        _check("repair", self.repair, _MOST_REPAIR)
        _check("loss", self.loss, _MOST_LOSS)
        if self.repair is not None and self.loss is not None:
            raise UsageError(ErrorCode.BAD_ARGUMENT, "repair and loss: expected one of them")

    def protection(self, size: int, head_size: int) -> Protection:
        """How a unit is protected.

        Args:
            size: Its bytes.
            head_size: Bytes at its start that deserve more repair.
        """
        packet_size = _DATAGRAM if self.use is Use.CAROUSEL else _packet_size(size)
        head, body = self._permilles(-(-size // packet_size), -(-head_size // packet_size))
        return Protection(size, head_size, packet_size, head, body)

    def _permilles(self, packets: int, head: int) -> tuple[int, int]:
        """Repair symbols per thousand packets of the head, and of the rest."""
        if self.loss is None:
            body = round(1000 * (0.15 if self.repair is None else self.repair))
            return _HEAD_FACTOR * body, body
        return (
            fec.choose_repair(head, loss=self.loss, failure=_HEAD_FAILURE),
            fec.choose_repair(packets - head, loss=self.loss, failure=_BODY_FAILURE),
        )


def _check(name: str, value: float | None, most: float) -> None:
    if value is not None and not 0 <= value <= most:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{name} {value}: expected 0 to {most:g}")


def _packet_size(size: int) -> int:
    """Bytes of a packet: the power of two next to eight roots of the size, 256 B to 16 KiB.

    Where something is damaged, a hash of each packet is fetched, and a symbol as long as one: what
    there is more of, the other has less of.
    """
    nearest = 1 << round(math.log2(_ROOTS**2 * size) / 2)
    return max(_LEAST, min(LIMITS.packet_size, nearest))
