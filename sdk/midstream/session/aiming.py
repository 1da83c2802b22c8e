"""The activation that a player aims at, and what can be ready by then. Knows no units."""

__all__ = ["Aim"]


class Aim:
    """One moment, or none."""

    def __init__(self) -> None:
        self._due: float | None = None

    def set(self, within: float | None, now: float) -> None:
        """Aim at so many seconds from now; None for no such moment."""
        self._due = None if within is None else now + within

    def within(self, now: float) -> float | None:
        """Seconds until then; None where there is no such moment, or it is over."""
        return None if self._due is None or now >= self._due else self._due - now

    def lapse(self, now: float) -> bool:
        """Forget a moment that is over; says whether there was one."""
        is_over = self._due is not None and now >= self._due
        self._due = None if is_over else self._due
        return is_over

    def reach(self, now: float, *, rate: float | None, staging: float) -> float | None:
        """Bytes that can be here and staged by then; None where that is not known.

        Args:
            now: The moment.
            rate: Bytes per second.
            staging: Seconds from the last byte to what can be activated.
        """
        within = self.within(now)
        if within is None or rate is None:
            return None
        return max(within - staging, 0.0) * rate
