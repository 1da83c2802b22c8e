"""Decode units into a file, or encode a model; say the most memory that this process had.

    python memory_worker.py {decode|baseline} OUTPUT UNIT...
    python memory_worker.py {encode|baseline} LADDER MODEL

As the command line does it: the units and the model file that comes out are mapped. All modes
import the same and read each file once; `baseline` does nothing more.
"""

import sys
from mmap import ACCESS_READ, PAGESIZE, mmap
from pathlib import Path

from midstream import encode
from midstream.decoder import read_stack, rebuild_into


def main() -> None:
    """Print the peak of resident memory, bytes."""
    mode, output, *paths = sys.argv[1:]
    if mode == "encode":
        encode(Path(paths[0]).read_bytes(), ladder=output)
        print(_peak())
        return
    units = [_mapped(path) for path in paths]
    if mode == "decode":
        stack = read_stack(units)
        with Path(output).open("w+b") as file:
            file.truncate(stack.model_size)
            with mmap(file.fileno(), stack.model_size) as model:
                rebuild_into(stack, model)
    print(_peak())


def _mapped(path: str) -> memoryview:
    """A unit, all its pages in memory; mapped until this process ends."""
    with Path(path).open("rb") as file:
        view = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    assert sum(view[::PAGESIZE]) >= 0, "this reads them"
    return view


def _peak() -> int:
    """VmHWM: unlike ru_maxrss it does not begin with what the parent had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process had at most")


if __name__ == "__main__":
    main()
