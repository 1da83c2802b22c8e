"""A share of hostile inputs without atheris, for the tests: `share.py TARGET=COUNT ...`.

The inputs that are kept come first, then some that follow from a seed.
"""

import importlib
import random
import sys
import traceback

from choices import Bytes
from corpora import read

LONGEST = 80


def try_target(name: str, count: int) -> None:
    """Whatever is no error of ours ends the process, with the input that did it."""
    target = importlib.import_module(f"fuzz_{name}")
    rng = random.Random(name)
    count = -(-count // getattr(target, "INPUTS", 1))
    for data in (*read(name), *(rng.randbytes(rng.randrange(LONGEST)) for _ in range(count))):
        try:
            target.test_one(Bytes(data))
        except Exception:
            traceback.print_exc()
            sys.exit(f"{name}: {data.hex()}")
    print(name)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        target_name, _, number = word.partition("=")
        try_target(target_name, int(number))
