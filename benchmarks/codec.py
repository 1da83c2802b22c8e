"""The codec beside NNCodec, ZipNN and general compressors, on the same networks in one run.

    python benchmarks/codec.py [--networks a,b] [--quick] [--sections bytes,lossless] [--out DIR]

Makes an environment for the peers, downloads the wheels that hold the networks, measures, checks
every round trip, and writes DIR/results.json, DIR/report.txt and a rate-distortion plot of each
network. Exits 1 where a figure is not met.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from comparison import plots
from comparison.bench import Bench
from comparison.figures import Verdict
from comparison.ladders import measure_ladders
from comparison.lossless import measure_lossless
from comparison.lossy import is_lossy, measure_bytes
from comparison.memory import measure_memory
from comparison.networks import NAMES, QUICK, Network, load_networks
from comparison.peers import Peers, make_environment
from comparison.report import figures, print_report
from comparison.speed import measure_speed
from midstream import find_backend

Measure = Callable[[Bench, Network], dict[str, Any]]

_SECTIONS: dict[str, Measure] = {
    "bytes": measure_bytes,
    "ladder": measure_ladders,
    "lossless": measure_lossless,
    "speed": measure_speed,
    "memory": measure_memory,
}
_COST = {"bytes": 12.0, "ladder": 4.0, "lossless": 6.0, "speed": 12.0, "memory": 3.0}
"""About how long each takes, relative to the others, for the estimate."""
_FIXED_COST = 1_000_000
"""Bytes of a network that take about as long as what does not depend on its size."""


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
    repeats = 3 if options.quick else 7
    with Bench.open(python, options.out, find_backend(), repeats) as bench:
        results = _measure_all(bench, networks, options.sections)
    _write(options.out, networks, results)
    return 1 if any(f.verdict is Verdict.NOT for f in figures(results)) else 0


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
    parser.add_argument("--sections", type=words(list(_SECTIONS)), default=list(_SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small networks, fewer repeats")
    parser.add_argument("--wheels", type=Path, help="folder that has the networks' wheels")
    parser.add_argument("--out", type=Path, default=Path("build/bench-codec"))
    options = parser.parse_args()
    options.networks = options.networks or list(QUICK if options.quick else NAMES)
    return options


def _measure_all(
    bench: Bench, networks: Sequence[Network], sections: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Each section's results by network, with a bar and an estimate."""
    jobs = [(section, network) for network in networks for section in sections]
    results: dict[str, dict[str, Any]] = {section: {} for section in sections}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("", total=sum(_cost(*job) for job in jobs))
        for section, network in jobs:
            bar.update(task, description=f"{network.name}: {section}")
            results[section][network.name] = _measure(bench, network, section)
            bar.advance(task, _cost(section, network))
    return results


def _cost(section: str, network: Network) -> float:
    return _COST[section] * (len(network.model) + _FIXED_COST)


def _measure(bench: Bench, network: Network, section: str) -> dict[str, Any]:
    if section == "bytes" and not is_lossy(network):
        return {"skip": "its integers have no SNR that both sides share"}
    if section == "memory" and network.name != "minilm":
        return {"skip": "measured on the largest network"}
    return _SECTIONS[section](bench, network)


def _write(out: Path, networks: Sequence[Network], results: dict[str, dict[str, Any]]) -> None:
    """The report on the terminal and in files, and the plots."""
    summary = [
        {
            "name": figure.name,
            "values": dict(figure.values),
            "mean": figure.mean,
            "worst": figure.worst,
            "must": figure.must,
            "aim": figure.aim,
            "verdict": figure.verdict.value,
        }
        for figure in figures(results)
    ]
    document = {"figures": summary, "sections": results}
    (out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    print_report(results, Console())
    with (out / "report.txt").open("w") as file:
        print_report(results, Console(file=file, width=140))
    for network in networks:
        of_network = {section: rows[network.name] for section, rows in results.items()}
        plots.draw_network(out / f"{network.name}.png", network.name, of_network)


if __name__ == "__main__":
    sys.exit(main())
