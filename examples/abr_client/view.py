"""A run as it is watched: a live panel on a terminal, plain lines elsewhere. Knows no player."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from live import Moment
from video import LADDER_KBPS, SEGMENTS

__all__ = ["View", "print_table"]

_BUFFER = 60.0
_LAYERS = 4
_RUNG_COLOURS = ("red", "dark_orange", "yellow", "green_yellow", "green", "bright_green")


class View:
    """Shows sessions as they are played; a context manager.

    Args:
        traces: How many there will be.
        console: Where; a terminal gets a live panel, anything else a line for each trace.
    """

    def __init__(self, traces: int, *, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout)
        self._traces = traces
        self._done = 0
        self._name = ""
        self._rungs: list[int] = []
        self._live = (
            Live(console=self._console, refresh_per_second=12, transient=True)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def begin(self, trace: str) -> None:
        """A session starts."""
        self._name = trace
        self._rungs = []

    def show(self, moment: Moment) -> None:
        """A segment has arrived."""
        self._rungs.append(moment.rung)
        if self._live:
            self._live.update(self._panel(moment))

    def end(self, qoe: float, moment: Moment) -> None:
        """A session is over."""
        self._done += 1
        if self._live is None:
            self._console.print(
                f"{self._done}/{self._traces} {self._name}: QoE {qoe:.3f}, release "
                f"{moment.release} layer {moment.layer}, {moment.model_bytes} model bytes, "
                f"{moment.repaired} packets repaired",
                highlight=False,
                soft_wrap=True,
            )

    def _panel(self, moment: Moment) -> Panel:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(justify="right", style="bold")
        grid.add_column()
        grid.add_row("video", _bar(moment.segment, SEGMENTS, f"{moment.segment} of {SEGMENTS}"))
        grid.add_row("buffer", _bar(moment.buffer, _BUFFER, f"{moment.buffer:.1f} s"))
        grid.add_row("rung", self._history(moment))
        grid.add_row("network", _network(moment))
        grid.add_row(
            "bytes",
            f"media {moment.media_bytes / 1e6:.1f} MB, models "
            f"{moment.model_bytes / 1e3:.1f} kB, {moment.repaired} packets repaired",
        )
        footer = Text(f"trace {self._done + 1} of {self._traces}: {self._name}", style="dim")
        return Panel(Group(grid, footer), title="midstream", width=76)

    def _history(self, moment: Moment) -> Text:
        """The rungs of all segments so far, a block each."""
        text = Text()
        for rung in self._rungs:
            text.append("▁▂▃▅▆█"[rung], style=_RUNG_COLOURS[rung])
        text.append(f" {LADDER_KBPS[moment.rung]:.0f} kbit/s")
        return text


def _bar(value: float, total: float, text: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=total, completed=min(value, total), width=32), text)
    return grid


def _network(moment: Moment) -> Text:
    """Which release and layer decides; a filled circle for each layer that has arrived."""
    circles = "●" * (moment.layer + 1) + "○" * (_LAYERS - moment.layer - 1)
    colour = "cyan" if moment.release == 1 else "magenta"
    return Text(f"release {moment.release} {circles} layer {moment.layer}", style=colour)


def print_table(title: str, rows: list[list[str]], *, console: Console | None = None) -> None:
    """The results, a row for each strategy."""
    table = Table(title=title, title_justify="left")
    table.add_column("strategy")
    for column in ("mean QoE", "median", "worst 5 %", "start-up"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    (console or Console(file=sys.stdout)).print(table)
