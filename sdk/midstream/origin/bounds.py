"""Bounds on what clients may do to the origin. Knows nothing of who keeps them."""

import math
from dataclasses import dataclass, fields

from midstream.errors import ErrorCode, UsageError

__all__ = ["ServerLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Upper bounds; sizes in bytes, times in seconds.

    Raises:
        UsageError: BAD_ARGUMENT where one is not above zero.
    """

    connections: int = 1024
    """Connections at once; one more is told 503 and closed."""
    line_size: int = 2048
    """The first line of a request. A path is 255 at most."""
    field_size: int = 4096
    """One header."""
    head_size: int = 16 << 10
    """All of a request's head."""
    head_timeout: float = 10.0
    """From its first byte, or from connecting, to the end of a request's head."""
    idle_timeout: float = 75.0
    """Between an answer and the next request of a connection."""
    stall_timeout: float = 30.0
    """How long a client may take next to nothing of its answer."""
    least_throughput: float = 64.0
    """Bytes per second that a client takes at least, over `stall_timeout`."""
    grace: float = 0.5
    """How long answers under way have when the server ends."""

    def __post_init__(self) -> None:
        """Refuse what bounds nothing."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise UsageError(
                    ErrorCode.BAD_ARGUMENT, f"{field.name} {value}: expected more than 0"
                )
