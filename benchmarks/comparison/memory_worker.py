"""Decode units to a file, or only read them, and say the most memory that this process had.

    python memory_worker.py {decode|baseline} OUTPUT UNIT...

Both import the same and map the same units; `baseline` does not decode.
"""

import sys
from pathlib import Path

from midstream import rebuild


def main() -> None:
    """Print the peak of resident memory, bytes."""
    mode, output, *paths = sys.argv[1:]
    units = [Path(path).read_bytes() for path in paths]
    if mode == "decode":
        model = rebuild(units)
        peak = _peak()
        Path(output).write_bytes(model)
    else:
        peak = _peak()
    print(peak)


def _peak() -> int:
    """VmHWM: unlike ru_maxrss it does not begin with what the parent had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process had at most")


if __name__ == "__main__":
    main()
