"""A figure to reach, and whether it is reached. Knows nothing of how it is measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Figure", "Verdict", "geometric_mean"]


class Verdict(Enum):
    """How a figure stands."""

    AIM = "aim met"
    MUST = "met"
    NOT = "not met"
    KNOWN = "reported"
    """Nothing is asked of it."""
    NONE = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of several cases."""

    name: str
    """What is measured."""
    unit: str = ""
    """Of what."""
    must: float = math.nan
    """What it must be; NaN where it is only reported."""
    aim: float = math.nan
    """What it should be."""
    more_is_better: bool = False
    """Whether it must be at least, rather than at most, what it must be."""
    is_mean: bool = False
    """Whether it is the mean of all cases that counts, and not the worst of them."""
    limit: float | None = None
    """What no case may be above."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of each case."""
    note: str = ""
    """How it was measured, in a few words."""

    @property
    def mean(self) -> float:
        """The geometric mean of all cases; NaN where nothing was measured."""
        if len(self.values) == 1:
            return next(iter(self.values.values()))
        return geometric_mean(self.values.values())

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
        """Whether what counts is what it must be, and no case is above the limit."""
        if not self.values:
            return Verdict.NONE
        if math.isnan(self.must):
            return Verdict.KNOWN
        if self.limit is not None and self.worst[1] > self.limit:
            return Verdict.NOT
        if self._reaches(self.aim):
            return Verdict.AIM
        return Verdict.MUST if self._reaches(self.must) else Verdict.NOT

    def summary(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "values": dict(self.values),
            "mean": self.mean if self.is_mean else None,
            "worst": self.worst[0],
            "must": None if math.isnan(self.must) else self.must,
            "aim": None if math.isnan(self.aim) else self.aim,
            "limit": self.limit,
            "verdict": self.verdict.value,
        }

    def _reaches(self, value: float) -> bool:
        counts = self.mean if self.is_mean else self.worst[1]
        return counts >= value if self.more_is_better else counts <= value


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios; NaN of none."""
    logarithms = [math.log(value) for value in values]
    return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else math.nan
