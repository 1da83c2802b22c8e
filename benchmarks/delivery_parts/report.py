"""Results as tables. Knows nothing of how they are measured."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from delivery_parts.sections import figures
from reach.tables import print_figures, table_of

__all__ = ["print_report"]


def print_report(results: Mapping[str, Any], console: Console) -> None:
    """What was measured, then all figures with what they must be."""
    for label, coders in results.get("recovery", {}).items():
        title = f"recovery, packets of {label}, GB/s"
        console.print(table_of(title, coders, ("encode", "repair"), of="coder"))
    print_figures(figures(results), console)
