"""Delivery against its bounds and its peers, in one run.

    python benchmarks/delivery.py [--quick] [--out DIR]

Makes an environment for the peers, measures, checks every packet that comes back, and writes
DIR/results.json and DIR/report.txt. Exits 1 where a measurement failed, not where a figure is
not met: the report says that.
"""

import argparse
import json
import platform
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from delivery_parts.carousel import STEPS, measure_carousel
from delivery_parts.environment import make_environment
from delivery_parts.news import measure_news
from delivery_parts.recovery import COST, measure_recovery
from delivery_parts.report import figures, print_report, summary
from midstream import kernels

_TURNS, _QUICK_TURNS = 9, 3
_WIDTH = 110
_CLIENTS = 100
_MODELS = [
    Path(__file__).parents[1] / f"examples/abr_client/models/abr-{release}.tflite"
    for release in (1, 2)
]


def main() -> int:
    """Measure, print and write."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    turns = _QUICK_TURNS if options.quick else _TURNS
    print("making the peers' environment, where there is none", file=sys.stderr)
    python = make_environment(options.out / "peers")
    results: dict[str, Any] = {}
    failed = False
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        advance = _advance(bar, COST * (turns + 1) + STEPS + 1)
        sections: dict[str, Callable[[], Any]] = {
            "recovery": lambda: measure_recovery(python, options.out, turns, advance),
            "carousel": lambda: measure_carousel(advance),
            "news": lambda: measure_news(_MODELS, _CLIENTS, advance),
        }
        for name, measure in sections.items():
            try:
                results[name] = measure()
            except Exception:  # whatever it is, it is told and fails the run
                traceback.print_exc()
                failed = True
    _save(options.out, results)
    _show(options.out, results)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--out", type=Path, default=Path("build/bench-delivery"))
    return parser.parse_args()


def _advance(bar: Progress, steps: int) -> Callable[[str], None]:
    """What tells the bar of a step; without a terminal, a line now and then."""
    task = bar.add_task("", total=steps)
    told: list[str] = []

    def advance(description: str) -> None:
        bar.update(task, description=description)
        bar.advance(task)
        if not sys.stderr.isatty() and description not in told:
            told.append(description)
            print(description, file=sys.stderr)

    return advance


def _save(out: Path, results: dict[str, Any]) -> None:
    machine = {"kernels": kernels.NAME, "python": platform.python_version()}
    document = {"machine": machine, "figures": summary(figures(results)), "sections": results}
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")


def _show(out: Path, results: dict[str, Any]) -> None:
    """The report on the terminal and in a file."""
    print_report(results, Console(width=None if sys.stdout.isatty() else _WIDTH))
    with (out / "report.txt").open("w") as file:
        print_report(results, Console(file=file, width=_WIDTH))


if __name__ == "__main__":
    sys.exit(main())
