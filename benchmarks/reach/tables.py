"""Figures as a table with what they must be. Knows nothing of what they measure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from reach.figures import Figure, Verdict

__all__ = ["print_figures", "shown", "table_of"]

_COLOURS = {
    Verdict.AIM: "green",
    Verdict.MUST: "yellow",
    Verdict.NOT: "red",
    Verdict.KNOWN: "blue",
    Verdict.NONE: "dim",
}
_TEXTS = ("what", "of", "verdict")


def print_figures(listed: Sequence[Figure], console: Console) -> None:
    """A row for each figure; below, how each was measured."""
    has_means = any(figure.is_mean for figure in listed)
    table = Table(title="figures", title_justify="left", show_edge=False)
    means = ("mean",) if has_means else ()
    for column in ("", "what", *means, "worst", "of", "must", "aim", "verdict"):
        is_text = column in _TEXTS
        table.add_column(column, justify="left" if is_text else "right", no_wrap=True)
    for at, figure in enumerate(listed, start=1):
        table.add_row(str(at), figure.name, *_numbers(figure, has_means=has_means))
    console.print(table)
    for at, figure in enumerate(listed, start=1):
        limit = f"; none above {figure.limit:g}" if figure.limit is not None else ""
        console.print(f"{at:2} {figure.note}{limit}", highlight=False)


def table_of(
    title: str, rows: Mapping[str, Mapping[str, Any]], columns: Iterable[str], *, of: str
) -> Table:
    """What was measured: a row a case, a number a column; a dash where there is none.

    Args:
        title: Above it.
        rows: Of each case, numbers by their names.
        columns: The names to show.
        of: What the cases are.
    """
    names = list(columns)
    table = Table(title=title, title_justify="left")
    table.add_column(of)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for case, row in rows.items():
        table.add_row(case, *[shown(row.get(name)) for name in names])
    return table


def _numbers(figure: Figure, *, has_means: bool) -> list[str]:
    case, worst = figure.worst
    means = [shown(figure.mean) if figure.is_mean else ""] if has_means else []
    verdict = f"[{_COLOURS[figure.verdict]}]{figure.verdict.value}[/]"
    value = f"{shown(worst)} {figure.unit}".rstrip()
    return [*means, value, case, _bound(figure.must), _bound(figure.aim), verdict]


def _bound(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"


def shown(value: Any) -> str:
    """A number as people read it: decimals of a small one, all digits of a whole one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
