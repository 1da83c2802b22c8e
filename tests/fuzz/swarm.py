"""Hostile inputs around those that are known, many times faster than with coverage.

python tests/fuzz/swarm.py TARGET COUNT FOLDER LAST

Half of them are near an input of FOLDER, where a fuzzer led by coverage keeps what it found, and
half are any bytes; no two are the same. File LAST holds the one that is tried, so that it is known
whatever ends the process.
"""

import importlib
import os
import random
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from choices import Bytes
from mutations import damage

__all__ = ["swarm"]

_LONGEST = 80
"""Bytes of an input, beside those for each more that a run makes."""
_MORE = 20
_SECONDS = 60
_MEMORY_KB = 3_000_000


def swarm(known: list[bytes], longest: int, rng: random.Random) -> Iterator[bytes]:
    """Inputs without end, none of them twice.

    Args:
        known: What they are near to; may be empty.
        longest: Bytes of one that is near to none.
        rng: Where they come from.
    """
    seen: set[int] = set()
    while True:
        data = _near(rng.choice(known), longest, rng) if known and rng.getrandbits(1) else b""
        data = data or rng.randbytes(rng.randint(1, longest))
        if (key := hash(data)) not in seen:
            seen.add(key)
            yield data


def _near(data: bytes, longest: int, rng: random.Random) -> bytes:
    """Damaged, and with decisions in the place of the zeros that would follow its end."""
    changed = damage(data, Bytes(rng.randbytes(40)))
    return changed + rng.randbytes(rng.randint(0, max(0, longest - len(changed))))


def main(name: str, count: int, folder: Path, last: Path) -> None:
    """Try so many; whatever is no error of ours ends the process."""
    target = importlib.import_module(f"fuzz_{name}")
    warnings.simplefilter("error")
    inputs = getattr(target, "INPUTS", 1)
    known = [path.read_bytes() for path in sorted(folder.iterdir())]
    found = swarm(known, _LONGEST + _MORE * (inputs - 1), random.Random())
    runs = -(-count // inputs)
    with last.open("wb", buffering=0) as file:
        for _ in range(runs):
            data = next(found)
            os.pwrite(file.fileno(), data, 0)
            os.ftruncate(file.fileno(), len(data))
            signal.alarm(_SECONDS)  # ends the process, also where it hangs in C
            target.test_one(Bytes(data))
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < _MEMORY_KB, "memory"
    signal.alarm(0)
    print(runs * inputs)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
