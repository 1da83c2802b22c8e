"""The figures to reach, and whether they are reached. Knows nothing of how they are measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from comparison.curves import geometric_mean

__all__ = ["Figure", "Verdict"]


class Verdict(Enum):
    """How a figure stands."""

    AIM = "aim met"
    MUST = "met"
    NOT = "not met"
    NONE = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, with what it must be."""

    name: str
    """What is measured."""
    must: float
    """What it must be."""
    aim: float
    """What it should be."""
    more_is_better: bool = False
    """Whether it must be at least, rather than at most, what it must be."""
    limit: float | None = None
    """What no network may be above."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of each network."""
    note: str = ""
    """How it was measured, in a few words."""

    @property
    def mean(self) -> float:
        """The geometric mean of all networks; NaN where nothing was measured."""
        if len(self.values) == 1:
            return next(iter(self.values.values()))
        return geometric_mean(self.values.values())

    @property
    def worst(self) -> tuple[str, float]:
        """The network that is worst, and its value."""
        if not self.values:
            return "", math.nan
        pick = min if self.more_is_better else max
        name = pick(self.values, key=lambda network: self.values[network])
        return name, self.values[name]

    @property
    def verdict(self) -> Verdict:
        """Whether the mean is what it must be, and no network is above the limit."""
        if not self.values:
            return Verdict.NONE
        if self.limit is not None and self.worst[1] > self.limit:
            return Verdict.NOT
        return (
            Verdict.AIM
            if self._reaches(self.aim)
            else (Verdict.MUST if self._reaches(self.must) else Verdict.NOT)
        )

    def _reaches(self, value: float) -> bool:
        return self.mean >= value if self.more_is_better else self.mean <= value
