"""What verbs say: results on stdout, progress and errors on stderr. Knows no verb.

Much of it has come from outside, errors above all: no terminal is given a control of that.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table

from midstream.encoder.progress import Progress, Report
from midstream.errors import MidstreamError
from midstream.types import printable

__all__ = ["Output", "human_size"]

_PIPE_WIDTH = 1000
"""Columns of what is no terminal, so that tables are as wide as they are."""


class Output:
    """Says things to a person or to a script.

    Args:
        as_json: One JSON object on stdout instead of words.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        """Whether a script is reading."""
        self._words = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
        if not self._words.is_terminal:
            self._words.width = _PIPE_WIDTH
        self._notes = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Progress and warnings, for people."""
        if not self.as_json:
            self._notes.print(_lines(text))

    def warn(self, text: str) -> None:
        """Something a person must know, whoever reads stdout."""
        self._notes.print(f"warning: {printable(text)}")

    def say(self, text: str) -> None:
        """A result in words."""
        if not self.as_json:
            self._words.print(_lines(text))

    @contextmanager
    def working(self, text: str) -> Iterator[Report]:
        """Show how far something is and how long it may still take; on a terminal only."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        is_shown = self._notes.is_terminal and not self.as_json
        with Bar(*columns, console=self._notes, transient=True, disable=not is_shown) as bar:
            task = bar.add_task(text, total=None)

            def report(progress: Progress) -> None:
                about = f"{text}: {progress.doing}" if progress.doing else text
                bar.update(task, description=about, completed=progress.done, total=progress.total)

            yield report

    def line(self, text: str) -> None:
        """A result line that is there as soon as it is said."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def table(
        self,
        title: str,
        columns: list[str],
        rows: list[list[str]],
        *,
        folds: bool = False,
        lines: bool = False,
    ) -> None:
        """A result as a table.

        The last columns are named alone where there is no room; where it `folds`, lines of the
        others are broken instead. Rows of several lines have `lines` between them.
        """
        if self.as_json:
            return
        fitting = (n for n in range(len(columns), 1, -1) if self._fits(columns[:n], rows))
        shown = len(columns) if folds else next(fitting, 1)
        justify: JustifyMethod = "left" if folds else "right"
        self._words.print(_table(title, columns[:shown], rows, justify, lines), soft_wrap=not folds)
        if left_out := columns[shown:]:
            self.say(f"for a wider terminal, or a pipe: {', '.join(left_out)}")

    def _fits(self, columns: list[str], rows: list[list[str]]) -> bool:
        options = self._words.options.update(width=_PIPE_WIDTH)
        measured = Measurement.get(self._words, options, _table("", columns, rows))
        return measured.maximum <= self._words.width

    def result(self, value: dict[str, Any]) -> None:
        """A result for scripts."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")

    def fail(self, error: MidstreamError) -> None:
        """The one line about an error; on stdout too where a script is reading."""
        self._notes.print(f"midstream: {printable(str(error))}")
        self.result({"error": error.code.name, "code": int(error.code), "message": error.message})


def _table(
    title: str,
    columns: list[str],
    rows: list[list[str]],
    justify: JustifyMethod = "right",
    lines: bool = False,
) -> Table:
    """The first column is left-aligned and whole; cells beyond the columns are cut off."""
    table = Table(title=printable(title), title_justify="left", show_lines=lines)
    for number, column in enumerate(columns):
        table.add_column(
            printable(column), justify=justify if number else "left", no_wrap=not number
        )
    for row in rows:
        table.add_row(*map(_lines, row[: len(columns)]))
    return table


def _lines(text: str) -> str:
    """The same with its line ends, which are ours in what has several lines."""
    return "\n".join(map(printable, text.split("\n")))


def human_size(size: int) -> str:
    """Bytes for people."""
    if size < 10_000:
        return f"{size} B"
    if size < 10_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1e6:.1f} MB"
