"""What is easier looked at than read. Knows nothing of how it is measured."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed
from matplotlib import pyplot
from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(path: Path, results: Mapping[str, Any]) -> None:
    """What a carousel costs by loss, and how many clients have swapped by when.

    Args:
        path: The PNG to write; none is written where neither was measured.
        results: Of the sections that were run.
    """
    panels: dict[str, Callable[[Axes, Any], None]] = {"carousel": _carousel, "news": _swaps}
    drawn = [name for name in panels if results.get(name)]
    if not drawn:
        return
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(6.4 * len(drawn), 4.8), squeeze=False)
    for axis, name in zip(axes[0], drawn, strict=True):
        panels[name](axis, results[name])
        axis.grid(visible=True, linewidth=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _carousel(axis: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for size, colour in (("45 kB", "tab:blue"), ("6 MB", "tab:orange")):
        of_size = [row for row in rows if row["size"] == size]
        losses = [100 * row["loss"] for row in of_size]
        axis.plot(losses, [row["own"] for row in of_size], "o-", color=colour, label=size)
        beside = [row["all"] for row in of_size]
        axis.plot(losses, beside, "^--", color=colour, label=f"{size}, the bundle's too")
    axis.axhline(1.15, color="tab:red", linewidth=0.8, label="must")
    axis.plot([1, 10, 10, 30], [1.05, 1.05, 1.09, 1.09], ":", color="tab:green", label="aim")
    axis.set_ylim(bottom=1.0)
    axis.set_xlabel("loss, %")
    axis.set_ylabel("bytes sent over size / (1 - loss)")
    axis.set_title("carousel, receivers that join at random")


def _swaps(axis: Axes, found: Mapping[str, Any]) -> None:
    for release, times in found["swaps"].items():
        shares = [100 * (at + 1) / len(times) for at in range(len(times))]
        axis.step([1000 * time for time in sorted(times)], shares, where="post", label=release)
    for name, colour, p50, p99 in (("must", "tab:red", 300, 1000), ("aim", "tab:green", 100, 300)):
        axis.plot([p50, p99], [50, 99], "s", color=colour, label=f"{name}, p50 and p99")
    axis.set_xlim(left=0)
    axis.set_xlabel("ms since the timestamp was in place")
    axis.set_ylabel("clients that have swapped, %")
    axis.set_title("publish to swapped")
