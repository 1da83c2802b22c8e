"""Our side of what is timed, in a process of its own: a request a line in, an answer a line out.

Run by `ours.py`, with the kernels that the variable MIDSTREAM_KERNELS names. Times are of calls
alone, without imports; who asks leaves out the first, which warms up.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midstream import encode, rebuild


def _encode(request: dict[str, Any]) -> dict[str, Any]:
    model = Path(request["model"]).read_bytes()
    seconds = _timed(lambda: encode(model, ladder=request["ladder"]), request["repeats"])
    return {"seconds": seconds}


def _decode(request: dict[str, Any]) -> dict[str, Any]:
    units = [Path(unit).read_bytes() for unit in request["units"]]
    return {"seconds": _timed(lambda: rebuild(units), request["repeats"])}


def _timed(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


_OPERATIONS = {"encode": _encode, "decode": _decode}


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_OPERATIONS[request["op"]](request)), flush=True)


if __name__ == "__main__":
    main()
