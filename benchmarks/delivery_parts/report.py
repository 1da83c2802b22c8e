"""Results as tables, and as JSON. Knows nothing of how they are measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from comparison.figures import Verdict
from delivery_parts.carousel import carousel_figures
from delivery_parts.figures import Figure
from delivery_parts.news import news_figures
from delivery_parts.recovery import recovery_figures

__all__ = ["figures", "print_report", "summary"]

_COLOURS = {Verdict.AIM: "green", Verdict.MUST: "yellow", Verdict.NOT: "red", Verdict.NONE: "dim"}


def figures(results: Mapping[str, Any]) -> list[Figure]:
    """All figures to reach; those not measured have no values."""
    return (
        recovery_figures(results.get("recovery", {}))
        + carousel_figures(results.get("carousel", []))
        + news_figures(results.get("news", {}))
    )


def summary(listed: Sequence[Figure]) -> list[dict[str, Any]]:
    """Figures as JSON has them."""
    return [
        {
            "name": figure.name,
            "unit": figure.unit,
            "values": dict(figure.values),
            "worst": figure.worst[0],
            "must": figure.must,
            "aim": figure.aim,
            "verdict": figure.verdict.value,
        }
        for figure in listed
    ]


def print_report(results: Mapping[str, Any], console: Console) -> None:
    """What was measured, then all figures with what they must be."""
    for label, coders in results.get("recovery", {}).items():
        console.print(_recovery(label, coders))
    listed = figures(results)
    console.print(_figures(listed))
    for at, figure in enumerate(listed, start=1):
        console.print(f"{at:2} {figure.note}", highlight=False)


def _recovery(label: str, coders: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title=f"recovery, packets of {label}, GB/s", title_justify="left")
    table.add_column("coder")
    table.add_column("encode", justify="right")
    table.add_column("repair", justify="right")
    for name, speeds in coders.items():
        table.add_row(name, _shown(speeds["encode"]), _shown(speeds["repair"]))
    return table


def _figures(listed: Sequence[Figure]) -> Table:
    table = Table(title="figures", title_justify="left", show_edge=False)
    for column in ("", "what", "worst", "of", "must", "aim", "verdict"):
        is_text = column in ("what", "of", "verdict")
        table.add_column(column, justify="left" if is_text else "right", no_wrap=is_text)
    for at, figure in enumerate(listed, start=1):
        case, value = figure.worst
        table.add_row(
            str(at),
            figure.name,
            f"{_shown(value)} {figure.unit}" if case else "-",
            case,
            f"{figure.must:g}",
            f"{figure.aim:g}",
            f"[{_COLOURS[figure.verdict]}]{figure.verdict.value}[/]",
        )
    return table


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"
