"""Time to the first decision over a link with added round-trip time, and every request made.

    python benchmarks/first_decision.py MODEL [--delay .08] [--runs 9]

Publishes the model, serves it on loopback with the delay before each answer, and connects with
an empty store each time. Prints medians as multiples of the delay, and the trace of one run.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import midstream
from midstream.origin import Impairments, serve
from midstream.runtime.probes import make_probes


async def first_decision(url: str, root: Path) -> tuple[dict[str, float], list[str]]:
    """Seconds until each step is done, and the requests made until the first decision."""
    start = time.perf_counter()
    done: dict[str, float] = {}
    async with midstream.connect(url, "net", root=root, background=False) as model:
        done["base verified"] = time.perf_counter() - start
        await model.ready(timeout=30)
        done["base active"] = time.perf_counter() - start
        with model.pin() as network:
            network.run(make_probes(network.inputs, 1)[0])
        done["first decision"] = time.perf_counter() - start
        return done, [f"{r.path} {r.status} {r.received} B" for r in model.trace]


async def measure(folder: Path, delay: float, runs: int) -> None:
    """Connect so many times and print."""
    async with serve(folder, impairments=Impairments(delay=delay)) as url:
        results = [await first_decision(url, folder / "1.root.json") for _ in range(runs)]
    for step in results[0][0]:
        median = statistics.median(done[step] for done, _ in results)
        print(
            f"{step}: {median * 1000:.0f} ms, {median / delay:.2f} round trips (median of {runs})"
        )
    print(f"requests until the first decision: {len(results[-1][1])}")
    for line in results[-1][1]:
        print(f"  GET {line}")


def main() -> int:
    """Publish, serve, connect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--delay", type=float, default=0.08)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        publisher = midstream.Publisher(folder, signer=midstream.Signer.generate())
        print(publisher.publish(options.model, name="net"))
        asyncio.run(measure(Path(folder), options.delay, options.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
