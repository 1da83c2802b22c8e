"""From a release's publication to its swap, in many clients that listen at one origin.

The origin is a process of its own, `midstream serve`; the clients are in two more, each with an
event loop, a store in memory for each client, and the runtime that is installed. A release is
published when its timestamp takes the place of the one before; a client has swapped when
decisions are made by the new release, verified, decoded and tested.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from delivery_parts.releases import publish_all, put
from reach.figures import Figure

__all__ = ["measure_news", "news_figures", "running_origin"]

_PROCESSES = 2
_WORKER = Path(__file__).with_name("news_worker.py")
_SETTLED = 2.0
"""Seconds until the finer layers of a release are there, and another look is due."""


def measure_news(
    models: Sequence[Path | bytes], clients: int, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Seconds to each swap, by the release that was swapped to; and what it cost.

    Args:
        models: Model files, one for each release; the first is there at the start.
        clients: How many listen.
        advance: Told of each release but the first, twice: to all of them, and to one alone.
    """
    with tempfile.TemporaryDirectory() as made:
        releases = publish_all(models, Path(made))
        many = _follow(releases, clients, _PROCESSES, advance)
        return {**many, "alone": _follow(releases, 1, 1, advance)}


def _follow(
    releases: Sequence[Path], clients: int, processes: int, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Publish one release after the other to so many clients in so many processes."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        served = Path(shutil.copytree(releases[0], Path(made) / "served"))
        origin, url = stack.enter_context(running_origin(served))
        listening = [
            stack.enter_context(_worker(url, served, clients // processes))
            for _ in range(processes)
        ]
        for worker in listening:
            _answer(worker)  # all of its clients listen
        swaps: dict[str, list[float]] = {}
        costs: dict[str, dict[str, float]] = {}
        for number, release in enumerate(releases[1:], start=2):
            advance(f"news of release {number} to {clients}")
            before = _processor_seconds(origin.pid)
            began = put(release, served)
            answers = [_answer(worker) for worker in listening]
            swaps[f"release {number}"] = [
                at - began for answer in answers for at in answer["swapped"]
            ]
            costs[f"release {number}"] = {
                "clients_s": sum(answer["processor_s"] for answer in answers) / clients,
                "origin_s": (_processor_seconds(origin.pid) - before) / clients,
            }
            time.sleep(_SETTLED)
    return {"swaps": swaps, "costs": costs}


def news_figures(found: Mapping[str, Any]) -> list[Figure]:
    """The middle of all swaps, and the one in a hundred that takes longest."""
    cuts = [
        statistics.quantiles(all_, n=100, method="inclusive")
        for all_ in found.get("swaps", {}).values()
    ]
    where = (
        f"release in place to swapped; origin in a process, clients in {_PROCESSES} more, "
        "all on this machine: median of the releases"
    )
    listed = [
        Figure(
            name=f"publish to swapped, p{percent}",
            unit="ms",
            must=must,
            aim=aim,
            values={
                f"{len(cuts)} releases": 1000 * statistics.median(cut[percent - 1] for cut in cuts)
            }
            if cuts
            else {},
            note=where,
        )
        for percent, must, aim in ((50, 300, 100), (99, 1000, 300))
    ]
    return [*listed, *_reported(found)]


def _reported(found: Mapping[str, Any]) -> list[Figure]:
    """What has no bound: a client that has a process of its own, and what all of it costs."""
    alone = found.get("alone", {})
    times = [1000 * at for swapped in alone.get("swaps", {}).values() for at in swapped]
    costs = _milliseconds(found.get("costs", {}), {"client": "clients_s", "origin": "origin_s"})
    own = _milliseconds(alone.get("costs", {}), {"client alone": "clients_s"})
    return [
        Figure(
            name="publish to swapped, a client alone",
            unit="ms",
            values={f"{len(times)} releases": statistics.median(times)} if times else {},
            note="the same with one client, in a process of its own: median of the releases",
        ),
        Figure(
            name="processor time of a swap, each client",
            unit="ms",
            values=costs | own,
            note="from the announcement to the last client's swap, of the processes whole; "
            "clients of one process share what follows from the same bytes",
        ),
    ]


def _milliseconds(
    costs: Mapping[str, Mapping[str, float]], keys: Mapping[str, str]
) -> dict[str, float]:
    return {
        who: 1000 * statistics.median(cost[key] for cost in costs.values())
        for who, key in keys.items()
        if costs
    }


@contextmanager
def running_origin(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`midstream serve` of a folder; the process, and its address."""
    command = [sys.executable, "-m", "midstream", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextmanager
def _worker(url: str, served: Path, clients: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(_WORKER), url, str(served / "1.root.json"), str(clients)]
    folders = [str(_WORKER.parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()


def _answer(worker: "subprocess.Popen[str]") -> dict[str, Any]:
    assert worker.stdout is not None, "it was opened so"
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError("the clients' process has ended")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
