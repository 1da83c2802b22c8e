"""One picture of a run: a session over time, and what every strategy scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from live import Moment
from results import TITLES
from video import LADDER_KBPS

__all__ = ["draw"]

_INK, _GRID = "#22303c", "#dfe5ea"
_BUFFER, _RUNG, _MODEL = "#4c78a8", "#f58518", "#54a24b"
_RELEASES = {1: "#9ecae9", 2: "#d6a5c9"}
_HIGHLIGHT, _PLAIN = "#54a24b", "#b9c4cd"


def draw(path: Path, session: str, moments: Sequence[Moment], summary: Mapping[str, Any]) -> None:
    """Write the picture.

    Args:
        path: The .png file.
        session: Name of the session's trace.
        moments: What happened in it.
        summary: Results of all strategies.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"axes.edgecolor": _GRID, "text.color": _INK, "axes.labelcolor": _INK}
    with mpl.rc_context({"font.size": 10, "xtick.color": _INK, "ytick.color": _INK, **style}):
        figure = Figure(figsize=(11, 8.5), layout="constrained")
        parts = figure.subplots(3, 1, height_ratios=[2.2, 1.3, 2.2])
        _draw_session(parts[0], session, moments)
        _draw_bytes(parts[1], moments)
        _draw_scores(parts[2], summary)
        figure.savefig(path, dpi=110)


def _draw_session(axes: Any, session: str, moments: Sequence[Moment]) -> None:
    seconds = [moment.seconds for moment in moments]
    for start, stop, moment in _generations(moments):
        axes.axvspan(start, stop, color=_RELEASES.get(moment.release, _GRID), alpha=0.45, lw=0)
        label = f"release {moment.release}\nlayer {moment.layer}"
        if stop - start > 0.06 * seconds[-1]:
            axes.text((start + stop) / 2, 62, label, ha="center", va="top", fontsize=8)
    axes.plot(seconds, [m.buffer for m in moments], color=_BUFFER, lw=2, label="buffer")
    axes.set(ylabel="buffer, s", ylim=(0, 64), xlim=(0, seconds[-1]))
    axes.set_title(f"One video, {session}: the network upgrades itself while it decides")
    rungs = axes.twinx()
    rates = [LADDER_KBPS[moment.rung] / 1000 for moment in moments]
    rungs.step(seconds, rates, color=_RUNG, lw=1.6, where="post", label="rung")
    rungs.set(ylabel="rung, Mbit/s", ylim=(0, 5))
    lines = [*axes.get_lines(), *rungs.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], loc="center right", framealpha=0.85)


def _draw_bytes(axes: Any, moments: Sequence[Moment]) -> None:
    seconds = [moment.seconds for moment in moments]
    kilobytes = [moment.model_bytes / 1000 for moment in moments]
    axes.fill_between(seconds, kilobytes, step="post", color=_MODEL, alpha=0.25, lw=0)
    axes.step(seconds, kilobytes, where="post", color=_MODEL, lw=2)
    share = 100 * moments[-1].model_bytes / max(moments[-1].media_bytes, 1)
    axes.set(xlabel="virtual time, s", ylabel="model bytes, kB", xlim=(0, seconds[-1]), ylim=0)
    axes.set_title(
        f"Models and metadata on the same link: {kilobytes[-1]:.0f} kB, {share:.2f} % of the "
        f"media; {moments[-1].repaired} packets repaired",
        fontsize=10,
    )


def _draw_scores(axes: Any, summary: Mapping[str, Any]) -> None:
    names = list(reversed(summary["qoe"]))
    means = [summary["qoe"][name] for name in names]
    worst = [summary["qoe_worst_5_percent"][name] for name in names]
    colours = [_HIGHLIGHT if name == "mid_stream" else _PLAIN for name in names]
    axes.barh(range(len(names)), means, color=colours, height=0.62)
    axes.plot(worst, range(len(names)), "D", color=_INK, ms=5, label="mean of the worst 5 %")
    for place, mean in enumerate(means):
        axes.text(max(mean, 0), place, f"  {mean:.3f}", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), [TITLES[name] for name in names])
    axes.axvline(0, color=_INK, lw=0.8)
    axes.set(xlabel="QoE_lin, mean over traces")
    axes.margins(x=0.09)
    axes.set_title(f"{summary['traces']} traces")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    axes.grid(axis="x", color=_GRID)
    axes.set_axisbelow(True)


def _generations(moments: Sequence[Moment]) -> list[tuple[float, float, Moment]]:
    """Start, end and first moment of each stretch decided by one generation."""
    stretches: list[tuple[float, float, Moment]] = []
    before = 0.0
    for moment in moments:
        known = stretches[-1][2] if stretches else None
        if known and (known.release, known.layer) == (moment.release, moment.layer):
            stretches[-1] = (stretches[-1][0], moment.seconds, known)
        else:
            stretches.append((before, moment.seconds, moment))
        before = moment.seconds
    return stretches
