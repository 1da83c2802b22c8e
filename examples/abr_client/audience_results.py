"""What players made of a carousel, as JSON, lines and a picture. Knows nothing of how it went."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audience import Arrival, Listener

__all__ = ["draw_audience", "line_of", "summarise_audience"]

_INK, _GRID, _DOT = "#22303c", "#dfe5ea", "#4c78a8"
_COLOURS = {
    1: ("#deebf7", "#b3cde8", "#7fb0d6", "#4c8cc0"),
    2: ("#f3e3ee", "#e2bfd7", "#cc94ba", "#ae6498"),
}
"""For each release, a colour for each layer."""
_TITLES = {
    (1, False): "release 1, base",
    (1, True): "release 1, all of it",
    (2, False): "release 2, base",
    (2, True): "release 2, all of it",
}


def summarise_audience(players: Sequence[Listener]) -> dict[str, Any]:
    """One JSON object for a run."""
    # who has release 1 gets release 2 as one update, without a base
    came = [key for key in _TITLES if _values(players, key, "seconds")]
    return {
        "players": len(players),
        "seconds": {_TITLES[key]: _spread(_values(players, key, "seconds")) for key in came},
        "bytes_over_bound": {
            _TITLES[key]: _spread(_values(players, key, "over_bound")) for key in came
        },
        "swaps": sum(player.swaps for player in players),
        "decisions": sum(player.decisions for player in players),
        "unverified_decisions": sum(player.unverified for player in players),
        "joined_seconds": [player.joined for player in players],
        "ended_seconds": [player.ended for player in players],
    }


def line_of(player: Listener) -> str:
    """What a viewer reads of a player that is through."""
    told = {(arrival.release, arrival.is_whole): arrival for arrival in player.arrivals}
    base, first, second = told[1, False], told[1, True], told[2, True]
    return (
        f"player {player.number}: joined at {player.joined:.2f} s, "
        f"base after {base.seconds:.2f} s, all after {first.seconds:.2f} s, "
        f"release 2 after {second.seconds:.2f} s, {player.swaps} swaps"
    )


def draw_audience(path: Path, players: Sequence[Listener], loss: float) -> None:
    """Write the picture.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"axes.edgecolor": _GRID, "text.color": _INK, "axes.labelcolor": _INK}
    with mpl.rc_context({"font.size": 10, "xtick.color": _INK, "ytick.color": _INK, **style}):
        figure = Figure(figsize=(11, 8), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=[1.6, 1])
        _draw_players(figure.add_subplot(grid[0, :]), players, loss)
        seconds = figure.add_subplot(grid[1, 0])
        _draw_dots(seconds, players, "seconds", "seconds until it was verified")
        over = figure.add_subplot(grid[1, 1])
        _draw_dots(over, players, "over_bound", "bytes sent until then, over size / (1 - loss)")
        over.axvline(1, color=_INK, lw=0.8)
        over.set_yticklabels([])
        figure.savefig(path, dpi=110)


def _draw_players(axes: Any, players: Sequence[Listener], loss: float) -> None:
    for place, player in enumerate(sorted(players, key=lambda player: player.joined)):
        ends = [*(stretch.start for stretch in player.stretches[1:]), player.ended]
        axes.plot([player.joined, ends[-1]], [place, place], color=_GRID, lw=1, zorder=0)
        axes.plot(player.joined, place, "|", color=_INK, ms=12)
        for stretch, end in zip(player.stretches, ends, strict=True):
            colour = _COLOURS[stretch.release][min(stretch.layer, 3)]
            axes.barh(place, end - stretch.start, left=stretch.start, height=0.7, color=colour)
    for release, colours in _COLOURS.items():
        for layer, colour in enumerate(colours):
            axes.barh(0, 0, color=colour, label=f"release {release}, layer {layer}")
    axes.plot([], [], "|", color=_INK, ms=12, ls="", label="joined")
    axes.set(xlabel="seconds since the carousel began", ylabel="players", xlim=0)
    axes.set_yticks([])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=5, frameon=False)
    axes.set_title(
        f"One carousel, {len(players)} players, {loss:.0%} of datagrams lost: "
        "which network decided when"
    )


def _draw_dots(axes: Any, players: Sequence[Listener], name: str, label: str) -> None:
    for place, key in enumerate(reversed(_TITLES)):
        values = _values(players, key, name)
        if not values:
            continue
        axes.plot(values, [place] * len(values), "o", color=_DOT, alpha=0.45, ms=6)
        axes.plot(float(np.mean(values)), place, "D", color=_INK, ms=6)
        axes.text(float(np.mean(values)), place + 0.18, f"{np.mean(values):.2f}", ha="center")
    axes.set_yticks(range(len(_TITLES)), list(reversed(_TITLES.values())))
    axes.set(xlabel=label, xlim=0, ylim=(-0.5, len(_TITLES) - 0.3))
    axes.grid(axis="x", color=_GRID)
    axes.set_axisbelow(True)


def _values(players: Sequence[Listener], key: tuple[int, bool], name: str) -> list[float]:
    """Of each player, in order."""

    def told(arrival: Arrival) -> bool:
        return (arrival.release, arrival.is_whole) == key

    return [
        float(getattr(arrival, name))
        for player in players
        for arrival in filter(told, player.arrivals)
    ]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "max": float(np.max(values)),
    }
