"""Updates beside bsdiff, xdelta3, zstd --patch-from and ZipNN, on fine-tunes that are made here.

    python benchmarks/updates.py [--seed N] [--tunes FOLDER] [--out DIR]

Makes an environment with PyTorch and the peers, trains two networks, fine-tunes each in every way
(all weights by a little, last operators, low rank, pruned, pruned and trained, quantised again,
classes added, topology changed), measures, checks every round trip, and writes DIR/results.json
and DIR/report.txt. Exits 1 where a measurement failed, not where a figure is not met: the report
says that. Needs xdelta3 from the system.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reach.tables import print_figures
from update_parts.environment import make_environment, make_tunes, ready_peer
from update_parts.exact import best_peer, exact_figures, measure_exact, pairs

_PEERS = ("bsdiff", "xdelta3", "zstd", "zipnn")
_WIDTH = 160


def main() -> int:
    """Measure, print and write."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    python = make_environment(options.out / "peers")
    tunes = options.tunes or options.out / "tunes"
    if options.tunes is None:
        make_tunes(python, tunes, options.seed)
    files = pairs(tunes)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr))
    with bar, ready_peer(python) as peers:
        task = bar.add_task("fine-tunes", total=len(files))
        rows = measure_exact(
            files, peers, lambda name: bar.update(task, advance=1, description=name)
        )
        assert peers.stdin is not None, "it is a pipe"
        peers.stdin.close()
    (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    _show(rows, Console(width=_WIDTH))
    with (options.out / "report.txt").open("w") as file:
        _show(rows, Console(file=file, width=_WIDTH))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tunes", type=Path, help="folder that has the fine-tunes already")
    parser.add_argument("--out", type=Path, default=Path("build/bench-updates"))
    return parser.parse_args()


def _show(rows: Mapping[str, Any], console: Console) -> None:
    table = Table(title="bytes of an exact update", title_justify="left", show_edge=False)
    for column in ("", "model", "fresh", *_PEERS, "ours", "over best", "decode MB/s"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name, row in rows.items():
        peers = [row["peers"][peer] for peer in _PEERS]
        shown = [f"{size:,}" if size is not None else "-" for size in peers]
        table.add_row(
            name,
            f"{row['model']:,}",
            f"{row['fresh']:,}",
            *shown,
            f"{row['update']:,}",
            f"{row['update'] / best_peer(row):.3f}",
            f"{row['model'] / row['decode_seconds'] / 1e6:.0f}",
        )
    console.print(table)
    print_figures(exact_figures(rows), console)


if __name__ == "__main__":
    sys.exit(main())
