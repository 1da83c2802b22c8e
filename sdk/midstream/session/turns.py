"""Whose bytes go next over a link that several sessions share. Knows no clock and no loop.

Each member has an account of the bytes that it was given, divided by its weight and by what they
were worth. Of those that ask, the one with the least on its account goes next, so that in the
long run bytes are shared by weight and gain per byte. Gains count down to a sixteenth of the
greatest, so nobody waits for ever. Who has nothing that runs goes before all others.
"""

from dataclasses import dataclass

from midstream.errors import ErrorCode, UsageError
from midstream.types import is_number

__all__ = ["LEAST_WORTH", "LONGEST_TURN", "Turns"]

LEAST_WORTH = 1 / 16
"""Of the greatest gain per byte; less counts as this."""
LONGEST_TURN = 1 << 16
"""Bytes after which a turn ends where another member is due."""


@dataclass(slots=True, kw_only=True)
class _Member:
    weight: float
    account: float
    worth: float = 0.0
    is_first: bool = False
    is_asking: bool = False


class Turns:
    """Members of one link, of which one at a time has the turn."""

    def __init__(self) -> None:
        self.holder: int | None = None
        """Whose turn it is."""
        self._members: dict[int, _Member] = {}
        self._joined = 0
        self._level = 0.0  # the account of who went last, where newcomers begin
        self._taken = 0

    def join(self, weight: float) -> int:
        """Become a member; gives its number.

        Args:
            weight: Share of the bytes, against those of others.

        Raises:
            UsageError: BAD_ARGUMENT where the weight is not above 0, or not finite.
        """
        if not (is_number(weight) and 0 < weight < float("inf")):
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"weight {weight!r}: expected above 0")
        self._joined += 1
        self._members[self._joined] = _Member(weight=weight, account=self._level)
        return self._joined

    def leave(self, member: int) -> None:
        """Be no member any more; again does nothing."""
        self.end(member)
        self._members.pop(member, None)

    def ask(self, member: int, *, worth: float, is_first: bool = False) -> None:
        """Want the turn.

        Args:
            member: Who.
            worth: Gain per byte of what it would fetch.
            is_first: Whether nothing runs there yet.
        """
        asking = self._members[member]
        asking.worth, asking.is_first, asking.is_asking = worth, is_first, True
        asking.account = max(asking.account, self._level)  # a rest is no credit

    def take(self, member: int) -> bool:
        """Begin the turn, if nobody has it and the member is due."""
        if self.holder is not None or self._due() != member:
            return False
        self.holder = member
        self._level = self._members[member].account
        self._taken = 0
        return True

    def lend(self, member: int) -> None:
        """Others may have the turn meanwhile: nothing comes for who has it."""
        if self.holder == member:
            self.end(member)

    def spend(self, member: int, size: int) -> None:
        """Note bytes down that came for a member, in its turn or after it was lent."""
        spender = self._members[member]
        asking = (one.worth for one in self._members.values() if one.is_asking)
        greatest = max(spender.worth, *asking, 0.0)
        worth = max(spender.worth / greatest, LEAST_WORTH) if greatest > 0 else 1.0
        spender.account += size / (spender.weight * worth)
        self._taken += size if member == self.holder else 0

    def is_over(self, member: int) -> bool:
        """Whether a member's turn should end for another's sake."""
        if self.holder != member:  # it was lent, and may have found a taker
            return self.holder is not None
        due = self._due()
        assert due is not None, "the holder asks"
        if self._members[due].is_first and not self._members[member].is_first:
            return True
        return due != member and self._taken >= LONGEST_TURN

    def end(self, member: int) -> None:
        """End the turn, or want it no more."""
        if member in self._members:
            self._members[member].is_asking = False
        if self.holder == member:
            self.holder = None

    def _due(self) -> int | None:
        asking = [number for number, one in self._members.items() if one.is_asking]
        return min(asking, key=self._place, default=None)

    def _place(self, number: int) -> tuple[bool, float, int]:
        one = self._members[number]
        return not one.is_first, one.account, number
