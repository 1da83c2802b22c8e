"""Search for what just reaches a target, by few and costly measurements. Knows no target."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Band", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Values that are good enough, and which side is better where none is found."""

    low: float
    """The least of them."""
    high: float
    """The greatest."""
    is_budget: bool
    """Whether values above are refused; otherwise those below are."""

    def holds(self, value: float) -> bool:
        """Whether a value is good enough."""
        return self.low <= value <= self.high

    def missing(self, value: float) -> float:
        """How far a value is from the band, on the side that is refused; 0 on the other."""
        return max(value - self.high if self.is_budget else self.low - value, 0.0)

    def best(self, values: dict[int, float]) -> int:
        """The place whose value is nearest to the band on the side that is allowed."""
        if self.is_budget:
            allowed = {place: value for place, value in values.items() if value <= self.high}
            if not allowed:
                return min(values, key=lambda place: values[place])
            return max(allowed, key=lambda place: allowed[place])
        reached = [place for place, value in values.items() if value >= self.low]
        # of those that reach it the lowest place, which costs least
        return min(reached) if reached else max(values, key=lambda place: values[place])


def search(
    measure: Callable[[int], float],
    band: Band,
    *,
    start: int,
    slope: float,
    low: int,
    high: int,
    rounds: int,
) -> int:
    """Find where a rising function passes a band of values.

    Args:
        measure: The function; noise in it may mislead the search, but not for ever.
        band: The values looked for.
        start: Where to look first.
        slope: What one place adds, about.
        low: The lowest place there is.
        high: The highest.
        rounds: The most measurements.

    Returns:
        The best place that was measured.
    """
    values: dict[int, float] = {}
    place = min(max(start, low), high)
    while len(values) < rounds and place not in values:
        values[place] = measure(place)
        if band.holds(values[place]):
            break
        place = min(max(_next(values, band, place, slope), low), high)
    return band.best(values)


def _next(values: dict[int, float], band: Band, place: int, slope: float) -> int:
    goal = (band.low + band.high) / 2
    below = max((p for p, value in values.items() if value < goal), default=None)
    above = min((p for p, value in values.items() if value >= goal), default=None)
    if below is None or above is None:
        moved = round((goal - values[place]) / slope)
        return place + (moved or (1 if values[place] < goal else -1))
    if above <= below + 1:  # no place between, or not rising: what is found is good enough
        return place
    share = (goal - values[below]) / (values[above] - values[below])
    # not too near an end, so that both ends come nearer
    moved = round(min(max(share, 0.1), 0.9) * (above - below))
    return min(max(below + moved, below + 1), above - 1)
