"""Results as tables. Knows nothing of how they are measured."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from delivery_parts.sections import figures
from reach.tables import print_figures, shown

__all__ = ["print_report"]


def print_report(results: Mapping[str, Any], console: Console) -> None:
    """What was measured, then all figures with what they must be."""
    for label, coders in results.get("recovery", {}).items():
        console.print(_recovery(label, coders))
    print_figures(figures(results), console)


def _recovery(label: str, coders: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title=f"recovery, packets of {label}, GB/s", title_justify="left")
    table.add_column("coder")
    table.add_column("encode", justify="right")
    table.add_column("repair", justify="right")
    for name, speeds in coders.items():
        table.add_row(name, shown(speeds["encode"]), shown(speeds["repair"]))
    return table
