"""A figure to reach, and whether it is reached. Knows nothing of how it is measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from comparison.figures import Verdict

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of several cases; the worst of them is what counts."""

    name: str
    """What is measured."""
    unit: str
    """Of what."""
    must: float
    """What it must be."""
    aim: float
    """What it should be."""
    more_is_better: bool = False
    """Whether it must be at least, rather than at most, what it must be."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of each case."""
    note: str = ""
    """How it was measured, in a few words."""

    @property
    def worst(self) -> tuple[str, float]:
        """The worst case, and its value; NaN where nothing was measured."""
        if not self.values:
            return "", math.nan
        pick = min if self.more_is_better else max
        name = pick(self.values, key=lambda case: self.values[case])
        return name, self.values[name]

    @property
    def verdict(self) -> Verdict:
        """Whether every case is what it must be."""
        if not self.values:
            return Verdict.NONE
        if self._reaches(self.aim):
            return Verdict.AIM
        return Verdict.MUST if self._reaches(self.must) else Verdict.NOT

    def _reaches(self, value: float) -> bool:
        worst = self.worst[1]
        return worst >= value if self.more_is_better else worst <= value
