"""Where a session is, and what moves it. Knows nothing of what is moved.

In short::

    IDLE ──release──> STARTING ──base verified──> REFINING ──nothing missing──> COMPLETE
                          │                          ^                             │
                     base failed                     └───────────release───────────┘
                          v
                        FAILED ──release or retry──> STARTING
    any state ──close──> CLOSED
"""

from enum import Enum, auto

__all__ = ["TRANSITIONS", "Happening", "SessionState"]


class SessionState(Enum):
    """Where a session is."""

    IDLE = auto()
    STARTING = auto()
    REFINING = auto()
    COMPLETE = auto()
    FAILED = auto()
    CLOSED = auto()


class Happening(Enum):
    """What moves it."""

    RELEASE = auto()
    BASE = auto()
    BASE_LOST = auto()
    NOTHING_MISSING = auto()
    RETRY = auto()


TRANSITIONS: dict[tuple[SessionState, Happening], SessionState] = {
    (SessionState.IDLE, Happening.RELEASE): SessionState.STARTING,
    (SessionState.STARTING, Happening.RELEASE): SessionState.STARTING,
    (SessionState.STARTING, Happening.BASE): SessionState.REFINING,
    (SessionState.STARTING, Happening.RETRY): SessionState.STARTING,
    (SessionState.STARTING, Happening.BASE_LOST): SessionState.FAILED,
    (SessionState.REFINING, Happening.RELEASE): SessionState.REFINING,
    (SessionState.REFINING, Happening.BASE_LOST): SessionState.REFINING,
    (SessionState.REFINING, Happening.RETRY): SessionState.REFINING,
    (SessionState.REFINING, Happening.NOTHING_MISSING): SessionState.COMPLETE,
    (SessionState.COMPLETE, Happening.RELEASE): SessionState.REFINING,
    (SessionState.FAILED, Happening.RELEASE): SessionState.STARTING,
    (SessionState.FAILED, Happening.BASE): SessionState.REFINING,
    (SessionState.FAILED, Happening.BASE_LOST): SessionState.FAILED,
    (SessionState.FAILED, Happening.RETRY): SessionState.STARTING,
}
"""A pair that is missing here is an error of ours, but for CLOSED, where all is refused."""
