"""What a soak measures of its process, and how it tells. Knows nothing of what runs there."""

import asyncio
import gc
import os
import sys
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

MEASURES = ("resident", "blocks", "descriptors", "tasks")
"""Bytes of memory; blocks of memory that Python's objects have, where what is not let go shows
first; what is open; what runs."""


@dataclass
class Report:
    """What a soak found."""

    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    samples: "dict[str, array[int]]" = field(
        default_factory=lambda: {what: array("q") for what in MEASURES}
    )
    """What was measured, in order; numbers alone, since they are measured along."""
    left: dict[str, int] = field(default_factory=dict)
    """What is there after the end and was not before the beginning."""

    def sample(self) -> None:
        """Add what this process has now."""
        self.add(measure())

    def add(self, found: dict[str, int]) -> None:
        """Add what another process says that it has."""
        for what, value in found.items():
            self.samples[what].append(value)

    def middle(self, what: str, part: int, parts: int = 4) -> float:
        """The median of a measure over one part of the time."""
        found = self.samples[what]
        size = max(1, len(found) // parts)
        return median(found[part * size : (part + 1) * size] or found)

    def growth(self, what: str) -> float:
        """From the second quarter, since the first warms up, to the last."""
        return self.middle(what, 3) - self.middle(what, 1)

    def rise(self, what: str) -> float:
        """The same over what it is in the second quarter."""
        return self.growth(what) / self.middle(what, 1)

    def __str__(self) -> str:
        count = len(self.samples["resident"])
        lines = [f"{self.seconds:.0f} s, {count} samples, left: {self.left}"]
        lines += [f"{name}: {count}" for name, count in sorted(self.counts.items())]
        return "\n".join([*lines, self.quarters()])

    def quarters(self) -> str:
        """Each measure over the time."""
        lines = []
        for what in MEASURES:
            quarters = [f"{self.middle(what, part):.0f}" for part in range(4)]
            lines.append(f"{what} by quarters: {', '.join(quarters)}, {self.rise(what):+.1%}")
        return "\n".join(lines)


def measure() -> dict[str, int]:
    """This process now, without what a collection of cycles would let go of at some time."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    found = (
        pages * os.sysconf("SC_PAGE_SIZE"),
        sys.getallocatedblocks(),
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - each name is all it is
        len(asyncio.all_tasks()),
    )
    return dict(zip(MEASURES, found, strict=True))


def tell(line: str) -> None:
    """To whoever listens, now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
