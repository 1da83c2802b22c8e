"""What a run of the demo came to, as tables and JSON. Knows nothing of how it was played."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from strategies import Played, mean_of_worst

__all__ = ["TITLES", "gain_line", "gain_of", "summarise", "table_rows"]

TITLES = {
    "no_model": "no model (RobustMPC)",
    "base_only": "base only",
    "mid_stream": "mid-stream upgrade",
    "full_float": "full float model first",
    "buffer_based": "buffer-based rule",
    "rate_based": "rate-based rule",
    "robust_mpc": "RobustMPC rule",
}
"""Strategies, as JSON and people call them."""

_CLEAR = 2.0
"""Standard errors from which on a difference is none of chance, as a rule."""

_Runs = Mapping[str, Sequence[Played]]


def summarise(runs: _Runs) -> dict[str, Any]:
    """One JSON object for a run.

    Args:
        runs: For each strategy, one result a trace.
    """
    live = [played.live for played in runs["mid_stream"] if played.live is not None]
    every = [p.live for played in runs.values() for p in played if p.live is not None]
    return {
        "traces": len(runs["mid_stream"]),
        "qoe": {name: _mean([p.qoe for p in played]) for name, played in runs.items()},
        "qoe_median": {name: _median([p.qoe for p in played]) for name, played in runs.items()},
        "qoe_worst_5_percent": {
            name: mean_of_worst([p.qoe for p in played]) for name, played in runs.items()
        },
        "startup_seconds": {name: _mean([p.startup for p in ps]) for name, ps in runs.items()},
        "upgrade_gain": gain_of(runs["mid_stream"], runs["base_only"]),
        "model_bytes": _mean([result.model_bytes for result in live]),
        "repairs": sum(result.repaired for result in every),
        "swaps": sum(result.swaps for result in every),
        "given_up": sum(result.refused for result in every),
        "decisions": sum(len(result.moments) for result in every),
        "fallback_decisions": sum(result.fallbacks for result in every),
        "unverified_decisions": sum(result.unverified for result in every),
        "stalls_by_model_bytes_below_low_water": sum(r.stalls_below_low_water for r in every),
        "seconds_stalled_by_model_bytes": sum(result.model_stalls for result in every),
    }


def table_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """A row for each strategy: mean, median, worst 5 %, start-up."""
    return [
        [
            TITLES[name],
            f"{summary['qoe'][name]:.3f}",
            f"{summary['qoe_median'][name]:.3f}",
            f"{summary['qoe_worst_5_percent'][name]:.3f}",
            f"{summary['startup_seconds'][name]:.2f} s",
        ]
        for name in summary["qoe"]
    ]


def gain_line(summary: Mapping[str, Any]) -> str:
    """What upgrades were worth, and whether so many videos can tell."""
    gain, error = summary["upgrade_gain"]["mean"], summary["upgrade_gain"]["standard_error"]
    can_tell = error and abs(gain) > _CLEAR * error
    verdict = "" if can_tell else f": {summary['traces']} videos cannot tell"
    return (
        "upgrades over the base alone, video by video, their bytes included: "
        f"QoE {gain:+.3f}, standard error {error:.3f}{verdict}"
    )


def gain_of(upgraded: Sequence[Played], base: Sequence[Played]) -> dict[str, float]:
    """The mean of the differences on the same traces, and how far chance moves it."""
    gains = [one.qoe - other.qoe for one, other in zip(upgraded, base, strict=True)]
    spread = float(np.std(gains, ddof=1)) if len(gains) > 1 else 0.0
    return {"mean": _mean(gains), "standard_error": spread / len(gains) ** 0.5}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))
