"""Inputs that are kept: one a line, in hex, in `corpus/TARGET.txt`. Knows no target.

Those that a fuzzer's folder has and that reach more code than others become the corpus by

python tests/fuzz/fuzz.py TARGET -merge=1 SMALL FOLDER
python tests/fuzz/corpora.py TARGET SMALL
"""

import sys
from pathlib import Path

__all__ = ["read", "write"]

_FOLDER = Path(__file__).parent / "corpus"
_LONGEST = 64
"""Bytes of an input that is kept: what is longer says little more."""
_MOST = 1 << 10
"""Bytes that are kept for one target."""


def read(name: str) -> list[bytes]:
    """The inputs that are kept for a target; none where there are none yet."""
    path = _FOLDER / f"{name}.txt"
    return list(map(bytes.fromhex, path.read_text().split())) if path.exists() else []


def write(name: str, folder: Path) -> int:
    """Keep the shortest inputs of a folder; says how many they are."""
    found = {path.read_bytes() for path in folder.iterdir()}
    kept: list[bytes] = []
    for data in sorted(found, key=lambda data: (len(data), data)):
        if data and len(data) <= _LONGEST and sum(map(len, kept)) + len(data) <= _MOST:
            kept.append(data)
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"{name}.txt").write_text("".join(f"{data.hex()}\n" for data in kept))
    return len(kept)


if __name__ == "__main__":
    print(write(sys.argv[1], Path(sys.argv[2])), "inputs are kept")
