"""Fuzzes targets, each in a process of its own, and says how many inputs each survived.

python tests/fuzz/campaign.py [TARGET ...] [--inputs 1000000 | --seconds 60] [--sanitize] [--jobs 2]

Of a number of inputs the first ones are led by coverage (`fuzz.py`), one in forty; the others are
around what those found, or anywhere (`swarm.py`): without a look at coverage a parser reads ten
times as many. A number of seconds goes to those that are led alone.

With --sanitize the kernels in C are built anew with the address and undefined behaviour
sanitizers, beside those that are installed, for the targets that reach them; that needs gcc and
the sources.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
_LONGEST = ("news", "units", "metadata", "parity", "calibration", "answers")
TARGETS = sorted(
    (path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py")),
    key=lambda name: (name not in _LONGEST, name),
)
"""All, those first that take longest."""
_IN_C = {"units", "formats", "datagrams", "parity"}
"""Those that reach the kernels in C."""
_LED = 40
"""One input of so many is led by coverage."""
OPTIONS = ("-timeout=60", "-rss_limit_mb=3000", "-print_final_stats=1")
# frames of each allocation are nothing that a fuzzer needs, and take half of its time
SANITIZER = (
    "detect_leaks=0:allocator_may_return_null=1:malloc_context_size=1:quarantine_size_mb=1:"
    "thread_local_quarantine_size_kb=64:detect_stack_use_after_return=0"
)
_DONE = re.compile(r"Done (\d+) runs")
_RUNS = re.compile(r"inputs in a run: (\d+)")


def environment(folder: Path | None) -> dict[str, str]:
    """Of a fuzzer's process; with a folder, the package in it and its sanitized kernels."""
    found = {**os.environ, "OMP_NUM_THREADS": "1"}
    if folder is not None:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), found.get("PYTHONPATH")]))
    if folder is not None or is_sanitized():
        found |= {
            "LD_PRELOAD": location("asan_with_fuzzer"),
            "MIDSTREAM_KERNELS": "native",
            # Python's own allocator would hide what is read beyond the end of its objects
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": SANITIZER,
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
    return found


def location(module: str) -> str:
    """The file of a module, or nothing."""
    spec = importlib.util.find_spec(module)
    return (spec.origin or "") if spec else ""


def is_sanitized() -> bool:
    """Whether the kernels that are installed were built with sanitizers."""
    package = Path(location("midstream")).parent
    return any(b"__asan_init" in path.read_bytes() for path in package.glob("kernels/_native*.so"))


def build(folder: Path) -> None:
    """A copy of the package, with sanitized kernels."""
    package = Path(location("midstream")).parent
    shutil.copytree(package, folder / "midstream", ignore=shutil.ignore_patterns("_native*.so"))
    words = ["setup.py", "-q", "build_ext", "--build-lib", folder, "--build-temp", folder / "build"]
    subprocess.run(
        [sys.executable, *words],
        cwd=HERE.parents[1],
        env={**os.environ, "MIDSTREAM_SANITIZE": "1", "MIDSTREAM_REQUIRE_NATIVE": "1"},
        check=True,
    )


def fuzz(target: str, given: argparse.Namespace, env: dict[str, str]) -> bool:
    """One target; says whether all was survived."""
    with tempfile.TemporaryDirectory() as made:
        corpus = Path(made)
        led = -(-given.inputs // _LED) if given.inputs else 0
        bound = f"-inputs={led}" if led else f"-max_total_time={given.seconds}"
        count = fuzz_led(target, bound, {**env, "MIDSTREAM_CORPUS": made})
        if count is not None and count < (given.inputs or 0):
            more = fuzz_around(target, given.inputs - count, corpus / target, env)
            count = None if more is None else count + more
        print(f"{target}: FAILED" if count is None else f"{target}: {count} inputs", flush=True)
    return count is not None


def fuzz_led(target: str, bound: str, env: dict[str, str]) -> int | None:
    """By coverage; says how many inputs were survived, or none if one was not."""
    began = time.monotonic()
    words = [sys.executable, HERE / "fuzz.py", target, bound, *OPTIONS]
    done = subprocess.run(words, env=env, stderr=subprocess.PIPE, text=True, check=False)
    runs, inputs = _DONE.search(done.stderr), _RUNS.search(done.stderr)
    if done.returncode or runs is None or inputs is None:
        print(done.stderr[-4000:], file=sys.stderr)
        return None
    count = int(runs[1]) * int(inputs[1])
    print(f"{target}: {count} led by coverage in {time.monotonic() - began:.0f} s", flush=True)
    return count


def fuzz_around(target: str, count: int, corpus: Path, env: dict[str, str]) -> int | None:
    """Around a corpus; says how many inputs were survived, or none if one was not."""
    began = time.monotonic()
    last = corpus.with_suffix(".last")
    words = [sys.executable, HERE / "swarm.py", target, str(count), corpus, last]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        tried = last.read_bytes().hex() if last.exists() else "nothing"
        print(
            f"{done.stderr[-4000:]}\n{target}: exit {done.returncode} at {tried}", file=sys.stderr
        )
        return None
    print(
        f"{target}: {int(done.stdout)} around them in {time.monotonic() - began:.0f} s", flush=True
    )
    return int(done.stdout)


def main() -> int:
    """All targets, whatever became of the others."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, help="for each target")
    parser.add_argument("--seconds", type=int, default=60, help="for each, where no --inputs")
    parser.add_argument(
        "--sanitize", action="store_true", help="build the kernels with ASan, UBSan"
    )
    parser.add_argument("--jobs", type=int, default=1, help="so many targets at a time")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as made:
        if given.sanitize:
            build(Path(made))
        sanitized = environment(Path(made) if given.sanitize else None)
        plain = environment(None)

        def run(target: str) -> bool:
            return fuzz(target, given, sanitized if target in _IN_C else plain)

        with ThreadPoolExecutor(given.jobs) as jobs:
            survived = list(jobs.map(run, given.targets or TARGETS))
    return 0 if all(survived) else 1


if __name__ == "__main__":
    sys.exit(main())
