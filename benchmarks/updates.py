"""Updates beside bsdiff, xdelta3, zstd --patch-from and ZipNN; and providers of one network.

    python benchmarks/updates.py [--sections exact,chains,lossy,received,providers]
        [--tunes FOLDER] [--out DIR]

Makes an environment with PyTorch and the peers, trains two networks, fine-tunes each in every way
(all weights by a little, last operators, low rank, pruned, pruned and trained, quantised again,
classes added, topology changed), measures, and checks every round trip. Chains of 20 updates are
decoded beside one update for all of their way. Lossy updates are measured beside NNCodec's
incremental mode, in another environment, and what clients receive at every rung. Then five
providers, one of them malicious, improve a third network. Writes DIR/results.json, DIR/report.txt
and DIR/providers.png. Exits 1 where a measurement failed, not where a figure is not met: the
report says that. Needs xdelta3 from the system.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from comparison.peers import make_environment as make_lossy_environment
from reach.tables import print_figures
from update_parts.chains import chain_figures, chains_of, measure_chains
from update_parts.environment import make_environment, make_tunes, ready_peer
from update_parts.exact import best_peer, exact_figures, measure_exact, pairs
from update_parts.federated import (
    draw_federated,
    federated_figures,
    measure_federated,
    steps_of,
)
from update_parts.lossy import KINDS, TARGETS, Bench, lossy_figure, measure_lossy
from update_parts.receiving import measure_receiving, receiving_figure

_PEERS = ("bsdiff", "xdelta3", "zstd", "zipnn")
_WIDTH = 160


def main() -> int:
    """Measure, print and write."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {name: _SECTIONS[name](options) for name in options.sections}
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    _show(results, Console(width=_WIDTH))
    with (options.out / "report.txt").open("w") as file:
        _show(results, Console(file=file, width=_WIDTH))
    if "providers" in results:
        draw_federated(results["providers"], options.out / "providers.png")
    return 0


def _exact(options: argparse.Namespace) -> dict[str, Any]:
    """Bytes of updates beside the peers'."""
    python = make_environment(options.out / "peers")
    files = pairs(_tunes(options))
    with ready_peer(python) as peers, _bar("fine-tunes", len(files)) as advance:
        rows = measure_exact(files, peers, advance)
        assert peers.stdin is not None, "it is a pipe"
        peers.stdin.close()
    return dict(rows)


def _chains(options: argparse.Namespace) -> dict[str, Any]:
    """Times of chains beside those of one update."""
    files = chains_of(_tunes(options))
    with _bar("chains", len(files)) as advance:
        return measure_chains(files, advance)


def _lossy(options: argparse.Namespace) -> dict[str, Any]:
    """Bytes of lossy updates beside NNCodec's, at equal output SNR."""
    files = pairs(_tunes(options))
    python = make_lossy_environment(options.out / "nncodec", options.out)
    steps = len(TARGETS) * sum(name.partition("-")[2] in KINDS for name in files)
    with Bench.running(python) as bench, _bar("lossy updates", steps) as advance:
        return measure_lossy(files, bench, advance)


def _received(options: argparse.Namespace) -> dict[str, Any]:
    """What clients receive of a new release."""
    files = pairs(_tunes(options))
    with _bar("clients", len(files)) as advance:
        return measure_receiving(files, advance)


def _tunes(options: argparse.Namespace) -> Path:
    """The folder of fine-tunes, made where none is given."""
    folder: Path = options.tunes or options.out / "tunes"
    if options.tunes is None:
        make_tunes(make_environment(options.out / "peers"), folder, options.seed)
    return folder


def _providers(options: argparse.Namespace) -> dict[str, Any]:
    """Accuracies of a network that five providers improve."""
    with _bar("providers", steps_of(options.seeds)) as advance:
        return measure_federated(options.rounds, options.seeds, advance)


_SECTIONS = {
    "exact": _exact,
    "chains": _chains,
    "lossy": _lossy,
    "received": _received,
    "providers": _providers,
}


@contextmanager
def _bar(text: str, steps: int) -> Iterator[Callable[[str], None]]:
    """What tells a bar of a step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(text, total=steps)
        yield lambda name: bar.update(task, advance=1, description=name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tunes", type=Path, help="folder that has the fine-tunes already")
    parser.add_argument("--sections", type=_names, default=list(_SECTIONS), help="some of them")
    parser.add_argument("--rounds", type=int, default=20, help="of providers")
    parser.add_argument("--seeds", type=int, default=2, help="runs of providers")
    parser.add_argument("--out", type=Path, default=Path("build/bench-updates"))
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(_SECTIONS):
        raise argparse.ArgumentTypeError(
            f"{', '.join(sorted(unknown))}: expected of {', '.join(_SECTIONS)}"
        )
    return names


def _show(results: Mapping[str, Any], console: Console) -> None:
    if "exact" in results:
        _show_exact(results["exact"], console)
    if "lossy" in results:
        _show_lossy(results["lossy"], console)
    listed = [
        *exact_figures(results.get("exact", {})),
        *chain_figures(results.get("chains", {})),
        *lossy_figure(results.get("lossy", {})),
        *receiving_figure(results.get("received", {})),
        *federated_figures(results.get("providers", {})),
    ]
    print_figures(listed, console)


def _show_exact(rows: Mapping[str, Any], console: Console) -> None:
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


def _show_lossy(rows: Mapping[str, Any], console: Console) -> None:
    table = Table(title="bytes of a lossy update", title_justify="left", show_edge=False)
    for column in ("", "dB before", "dB", "fresh", "NNCodec", "ours", "over NNCodec"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name, row in rows.items():
        theirs = row["theirs"]
        table.add_row(
            name,
            f"{row['before_db']:.1f}",
            f"{row['db']:.1f}",
            f"{row['fresh']:,}",
            f"{theirs:,.0f}" if theirs is not None else "-",
            f"{row['update']:,}",
            f"{row['update'] / theirs:.3f}" if theirs is not None else "-",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
