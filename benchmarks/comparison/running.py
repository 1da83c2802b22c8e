"""All measurements of all networks, one after the other. Knows nothing of what they measure."""

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from comparison.bench import Bench
from comparison.ladders import measure_ladders
from comparison.lossless import measure_lossless
from comparison.lossy import is_lossy, measure_bytes
from comparison.memory import measure_memory
from comparison.networks import Network
from comparison.outputs import measure_outputs
from comparison.speed import measure_speed

__all__ = ["SECTIONS", "measure_all"]

SECTIONS: dict[str, Callable[[Bench, Network], dict[str, Any]]] = {
    "bytes": measure_bytes,
    "outputs": measure_outputs,
    "ladder": measure_ladders,
    "lossless": measure_lossless,
    "speed": measure_speed,
    "memory": measure_memory,
}
"""What can be measured of a network."""
_COST = {
    "bytes": 12.0,
    "outputs": 120.0,
    "ladder": 4.0,
    "lossless": 12.0,
    "speed": 12.0,
    "memory": 3.0,
}
"""About how long each takes, relative to the others, for the estimate."""
_FIXED_COST = 1_000_000
"""Bytes of a network that take about as long as what does not depend on its size."""
_MEMORY_OF = "minilm"


def measure_all(
    bench: Bench,
    networks: Sequence[Network],
    sections: Sequence[str],
    save: Callable[[dict[str, dict[str, Any]]], None],
) -> dict[str, dict[str, Any]]:
    """Each section's results by network, with a bar and an estimate.

    Args:
        bench: What measurements use.
        networks: What they measure.
        sections: Which.
        save: Is given the results so far after each.

    Returns:
        What each measurement says; or `skip` with why it was left out, or `error` with what
        went wrong, in its place.
    """
    jobs = [(section, network) for network in networks for section in sections]
    results: dict[str, dict[str, Any]] = {section: {} for section in sections}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=sum(_cost(*job) for job in jobs))
        for section, network in jobs:
            bar.update(task, description=f"{network.name}: {section}")
            start = time.monotonic()
            results[section][network.name] = _measure(bench, network, section)
            bar.advance(task, _cost(section, network))
            save(results)
            if not sys.stderr.isatty():
                took, left = time.monotonic() - start, bar.tasks[task].time_remaining or 0
                print(
                    f"{network.name}: {section}, {took:.0f} s, {left:.0f} s left", file=sys.stderr
                )
    return results


def _cost(section: str, network: Network) -> float:
    if _skip(section, network) is not None:
        return 0.0
    return _COST[section] * (len(network.model) + _FIXED_COST)


def _measure(bench: Bench, network: Network, section: str) -> dict[str, Any]:
    """One failure costs one row, and the exit code; the other rows are still worth having."""
    reason = _skip(section, network)
    if reason is not None:
        return {"skip": reason}
    try:
        return SECTIONS[section](bench, network)
    except Exception as error:  # whatever it is, it is told and fails the run
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _skip(section: str, network: Network) -> str | None:
    """Why a section does not fit a network; None where it does."""
    if section == "bytes" and not is_lossy(network):
        return "its integers have no SNR that both sides share"
    if section == "outputs" and not network.is_run:
        return "no runtime here runs it"
    if section == "memory" and network.name != _MEMORY_OF:
        return f"measured on {_MEMORY_OF}"
    return None
