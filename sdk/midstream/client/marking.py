"""What requests for units say of themselves. Knows nothing of headers."""

from dataclasses import dataclass

from midstream.session import Link
from midstream.transport import Hints
from midstream.trust.manifest import UnitEntry

__all__ = ["ANONYMOUS", "Marks"]

_FIRST, _NEWS, _BETTER = 2, 4, 5
"""Urgencies; that of media, which say nothing, is 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Marks of requests for units: HTTP priority, and Common Media Client Data.

    Servers and caches may put media first by them, and logs tell model bytes from media. They
    tell the buffer of the player, and its ids where it gives them here. No answer depends on
    them; where privacy asks for it, give None in the place of a `Marks`.

    Raises:
        UsageError: BAD_ARGUMENT where an id has other characters than printable ASCII, or over
            64 of them.
    """

    session: str | None = None
    """The player's id of this playback, as in its requests for media (`sid`)."""
    content: str | None = None
    """The player's id of what is played (`cid`)."""

    def __post_init__(self) -> None:
        Hints(session=self.session, content=self.content)  # refuses what cannot be said

    def hints(self, entry: UnitEntry, *, link: Link, within: float | None, is_first: bool) -> Hints:
        """What one request says.

        Args:
            entry: The unit that it is for.
            link: What the player reported last.
            within: Seconds until the activation that the player aims at.
            is_first: Whether nothing runs yet.
        """
        later = _NEWS if entry.parent is None else _BETTER
        return Hints(
            urgency=_FIRST if is_first else later,
            is_incremental=not is_first,
            buffer=link.buffer,
            deadline=within,
            is_startup=is_first,
            is_starved=link.buffer == 0,
            session=self.session,
            content=self.content,
        )

    def later(self, link: Link) -> Hints:
        """What a request says that is for what makes a network better, and for no unit.

        Args:
            link: What the player reported last.
        """
        return Hints(
            urgency=_BETTER,
            is_incremental=True,
            buffer=link.buffer,
            is_starved=link.buffer == 0,
            session=self.session,
            content=self.content,
        )


ANONYMOUS = Marks()
"""Without ids."""
