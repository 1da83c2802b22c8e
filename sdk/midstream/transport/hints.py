"""What a request says of itself to servers and caches. Knows nothing of units or players.

Two vocabularies: HTTP priority (RFC 9218) and Common Media Client Data (CTA-5004), whose values
are structured fields (RFC 9651). All of it is a hint: no answer depends on it.
"""

import math
from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError

__all__ = ["TEXT_LIMIT", "Hints"]

TEXT_LIMIT = 64
"""Characters of an id at most (CTA-5004: `cid`, `sid`)."""
_STEP_MS = 100
"""Milliseconds to which times are rounded (CTA-5004: `bl`, `dl`)."""
_LONGEST = 3600.0
"""Seconds above which a time says no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a server may know of one request.

    Raises:
        UsageError: BAD_ARGUMENT where a value cannot be said.
    """

    urgency: int = 3
    """From 0, the most urgent, to 7; 3 is what requests without a word have, and so media."""
    is_incremental: bool = False
    """Whether it may share the link with others of its urgency, rather than come in one go."""
    buffer: float | None = None
    """Seconds of media in the player's buffer; None, or infinite, where it is not known."""
    deadline: float | None = None
    """Seconds until it is needed; None where there is no such moment."""
    is_startup: bool = False
    """Whether something cannot begin without it."""
    is_starved: bool = False
    """Whether the player's buffer has run dry."""
    session: str | None = None
    """The player's id of this playback, if it tells one."""
    content: str | None = None
    """The player's id of what is played, if it tells one."""

    def __post_init__(self) -> None:
        if not 0 <= self.urgency <= 7:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"urgency {self.urgency}: expected 0 to 7")
        for text in (self.session, self.content):
            _check_text(text)

    def headers(self) -> dict[str, str]:
        """The request's headers."""
        request = [*_time("bl", self.buffer), *_time("dl", self.deadline)]
        fields = {
            "CMCD-Object": ["ot=o"],  # neither media nor anything that CTA-5004 has a name for
            "CMCD-Request": [*request, *(["su"] if self.is_startup else [])],
            "CMCD-Session": [*_text("cid", self.content), *_text("sid", self.session)],
            "CMCD-Status": ["bs"] if self.is_starved else [],
        }
        said = {name: ",".join(parts) for name, parts in fields.items() if parts}
        incremental = ", i" if self.is_incremental else ""
        return {"Priority": f"u={self.urgency}{incremental}", **said}


def _time(key: str, seconds: float | None) -> list[str]:
    if seconds is None or not math.isfinite(seconds):
        return []
    bounded = min(max(seconds, 0.0), _LONGEST)
    return [f"{key}={round(bounded * 1000 / _STEP_MS) * _STEP_MS}"]


def _text(key: str, text: str | None) -> list[str]:
    if text is None:
        return []
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return [f'{key}="{escaped}"']


def _check_text(text: str | None) -> None:
    """RFC 9651 3.3.3: a string has printable ASCII alone."""
    if text is None or (len(text) <= TEXT_LIMIT and text.isascii() and text.isprintable()):
        return
    raise UsageError(
        ErrorCode.BAD_ARGUMENT,
        f"an id of {len(text)} characters: expected {TEXT_LIMIT} of printable ASCII at most",
    )
