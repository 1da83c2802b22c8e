"""A history of releases as a picture: who came of whom, by whom, in how many bytes.

Knows nothing of where releases are.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midstream.cli.ancestry import Ancestor, fidelity, places
from midstream.cli.plotting import COLOURS, INK, check_suffix, new_figure, save

__all__ = ["draw_history"]

_BAD = "#c8553d"
_EDGE = "#b8b8b8"
_LONGEST = 40
"""Releases that are drawn, the last ones."""


def draw_history(name: str, found: Sequence[Ancestor], path: Path) -> None:
    """Draw who came of whom above, bytes of rungs and of the smallest exact update below.

    Args:
        name: The network.
        found: Releases by rising number, one at least.
        path: The picture's file; its suffix says the format.

    Raises:
        UsageError: The suffix is unknown.
        UnavailableError: matplotlib is not installed.
        StoreError: The file cannot be written.
    """
    check_suffix(path)
    shown = found[-_LONGEST:]
    most = max((len(one.parts) for one in shown), default=0)
    lanes = 1 + max(places(shown).values())
    above = (0.6 + 0.17 * most) * lanes + 0.5
    figure = new_figure(max(6.0, 1.2 * len(shown) + 1.5), above + 3.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[above, 3])
    _draw_ancestry(upper, name, shown)
    _draw_bytes(lower, shown)
    save(figure, path)


def _draw_ancestry(axes: Any, name: str, found: Sequence[Ancestor]) -> None:
    lanes = places(found)
    for one in found:
        at = lanes[one.number]
        if one.parent in lanes:
            xs, ys = [one.parent, one.number], [lanes[one.parent], at]
            axes.plot(xs, ys, color=_EDGE, lw=2, zorder=1)
        axes.scatter([one.number], [at], s=90, color=_colour(one), zorder=2)
        axes.annotate(
            one.rule.replace(", ", "\n"), (one.number, at), (0, 9), fontsize=8, color=INK,
            textcoords="offset points", ha="center", va="bottom",
        )  # fmt: skip
        for line, part in enumerate(one.parts):
            axes.annotate(
                f"x {part.provider}" if part.refused else part.provider, (one.number, at),
                (0, -10 - 11 * line), fontsize=8, color=_BAD if part.refused else INK,
                textcoords="offset points", ha="center", va="top",
            )  # fmt: skip
    axes.set_ylim(-0.9 if any(one.parts for one in found) else -0.4, max(lanes.values()) + 0.6)
    axes.set_title(f"{name}: who came of whom", fontsize=10, loc="left")
    axes.set_yticks([])
    axes.tick_params(bottom=False)
    axes.spines[:].set_visible(False)


def _colour(one: Ancestor) -> str:
    if one.made is None:
        return COLOURS[0]
    return COLOURS[4] if one.made.rule == "revert" else COLOURS[5]


def _draw_bytes(axes: Any, found: Sequence[Ancestor]) -> None:
    for one in found:
        before = 0.0
        for rung, entry in enumerate(one.manifest.units):
            size = entry.size / 1000
            axes.bar(one.number - 0.18, size, 0.36, before, color=COLOURS[rung % len(COLOURS)])
            words = fidelity(entry)
            if size > 0.08 * max(other.size for other in found) / 1000:
                middle = before + size / 2
                axes.text(one.number - 0.18, middle, words, fontsize=7, ha="center", va="center",
                          color="white")  # fmt: skip
            before += size
        sizes = [u.unit.size for u in one.updates if math.isinf(u.unit.fidelity.weight_snr)]
        if sizes:
            axes.bar(one.number + 0.2, min(sizes) / 1000, 0.3, color=_EDGE)
    first = found[0].number
    axes.bar([first], [0], color=COLOURS[0], label="units, the base below; dB")
    axes.bar([first], [0], color=_EDGE, label="smallest exact update")
    axes.set(xlabel="release", ylabel="kB", xticks=[one.number for one in found])
    axes.margins(y=0.18)
    axes.legend(fontsize=8, frameon=False, loc="upper right", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
