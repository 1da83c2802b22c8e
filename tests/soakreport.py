"""What a soak measures of its process, and what it tells. Knows nothing of what runs there."""

import asyncio
import gc
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass
class Sample:
    """What this process has at one moment."""

    at: float
    resident: int
    """Bytes of memory."""
    blocks: int
    """Blocks of memory that Python's objects have: what is not let go shows here first."""
    descriptors: int
    tasks: int


@dataclass
class Report:
    """What a soak found."""

    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    """What is there after the end and was not before the beginning."""

    def middle(self, what: str, part: int, parts: int = 4) -> float:
        """The median of a measure over one part of the time."""
        size = max(1, len(self.samples) // parts)
        some = self.samples[part * size : (part + 1) * size] or self.samples
        return median(getattr(one, what) for one in some)

    def growth(self, what: str) -> float:
        """From the second quarter, since the first warms up, to the last."""
        return self.middle(what, 3) - self.middle(what, 1)

    def rise(self, what: str) -> float:
        """The same over what it is in the second quarter."""
        return self.growth(what) / self.middle(what, 1)

    def __str__(self) -> str:
        lines = [f"{self.seconds:.0f} s, {len(self.samples)} samples, left: {self.left}"]
        lines += [f"{name}: {count}" for name, count in sorted(self.counts.items())]
        for what in ("resident", "blocks", "descriptors", "tasks"):
            quarters = [f"{self.middle(what, part):.0f}" for part in range(4)]
            lines.append(f"{what} by quarters: {', '.join(quarters)}")
        return "\n".join(lines)


def sample(began: float) -> Sample:
    """This process now, without what a collection of cycles would let go of at some time."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        at=time.monotonic() - began,
        resident=pages * os.sysconf("SC_PAGE_SIZE"),
        blocks=sys.getallocatedblocks(),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - each name is all it is
        tasks=len(asyncio.all_tasks()),
    )
