"""Delivery against its bounds and its peers, in one run.

    python benchmarks/delivery.py [--quick] [--sections news,carousel] [--out DIR]

Makes an environment for the peers, measures, checks every packet that comes back, and writes
DIR/results.json, DIR/report.txt and DIR/delivery.png. Exits 1 where a measurement failed, not
where a figure is not met: the report says that.
"""

import argparse
import json
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from delivery_parts.plots import draw
from delivery_parts.report import print_report
from delivery_parts.sections import SECTIONS, Run, figures
from midstream import kernels

_WIDTH = 124


def main() -> int:
    """Measure, print and write."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        run = Run(out=options.out, is_quick=options.quick, advance=lambda _: None)
        steps = sum(SECTIONS[name].steps(run) for name in options.sections)
        run = Run(out=options.out, is_quick=options.quick, advance=_advance(bar, steps))
        results, failed = _measure(run, options.sections)
    _save(options.out, results)
    _show(options.out, results)
    draw(options.out / "delivery.png", results)
    return 1 if failed else 0


def _measure(run: Run, sections: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Results of each section, and which of them failed."""
    results: dict[str, Any] = {}
    failed = []
    for name in sections:
        try:
            results[name] = SECTIONS[name].measure(run)
        except Exception:  # whatever it is, it is told and fails the run
            traceback.print_exc()
            failed.append(name)
    return results, failed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--sections", type=_names, default=list(SECTIONS), help="some of them")
    parser.add_argument("--out", type=Path, default=Path("build/bench-delivery"))
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(
            f"{', '.join(sorted(unknown))}: expected of {', '.join(SECTIONS)}"
        )
    return names


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
    summary = [figure.summary() for figure in figures(results)]
    document = {"machine": machine, "figures": summary, "sections": results}
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")


def _show(out: Path, results: dict[str, Any]) -> None:
    """The report on the terminal and in a file."""
    print_report(results, Console(width=None if sys.stdout.isatty() else _WIDTH))
    with (out / "report.txt").open("w") as file:
        print_report(results, Console(file=file, width=_WIDTH))


if __name__ == "__main__":
    sys.exit(main())
