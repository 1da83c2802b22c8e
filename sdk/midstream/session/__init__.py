"""The client's protocol without I/O: bytes, manifests and clock values in, requests and events out.

`machine.Session` is the whole of it; `events` says what it tells, `scheduler` what it
fetches next and why, `allowance` how much may come,
`turns` whose bytes they are where sessions share a link, `assembly` how one unit becomes verified.
"""

from midstream.session.allowance import Allowance, Link, Policy, Wait
from midstream.session.events import (
    Choice,
    Counters,
    Event,
    Purpose,
    ReleaseOpened,
    Request,
    UnitChosen,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from midstream.session.machine import Session
from midstream.session.protection import Protection
from midstream.session.states import SessionState
from midstream.session.turns import Turns

__all__ = [
    "Allowance",
    "Choice",
    "Counters",
    "Event",
    "Link",
    "Policy",
    "Protection",
    "Purpose",
    "ReleaseOpened",
    "Request",
    "Session",
    "SessionState",
    "Turns",
    "UnitChosen",
    "UnitDamaged",
    "UnitFailed",
    "UnitVerified",
    "Wait",
]
