"""Times one coder of blocks, in its environment: a request a line in, an answer a line out.

Run by `recovery.py`. Knows nothing of what is compared. Times are of calls alone, and each packet
that comes back is compared with the one that was lost; who asks leaves out the first turn.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delivery_parts.coders import PEERS, Coder, Shape, peer


def main() -> None:
    """Answer until the input ends; what coders print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answers.write(json.dumps(_time(json.loads(line))) + "\n")
        answers.flush()


def _time(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds that a block takes, of some that come one after the other: the median."""
    shape = Shape(**request["shape"])
    coder = _coder(request["coder"], shape)
    data = Path(request["file"]).read_bytes()
    size = shape.source * shape.size
    blocks = [
        _block(coder, shape, data[at * size : (at + 1) * size], lost)
        for at, lost in enumerate(request["lost"])
    ]
    return {
        "bytes": size,
        "encode_s": statistics.median(encode_s for encode_s, _ in blocks),
        "repair_s": statistics.median(repair_s for _, repair_s in blocks),
    }


def _coder(name: str, shape: Shape) -> Coder:
    if name in PEERS:
        return peer(name, shape)
    from delivery_parts.own_coder import own  # the peers' environment has no NumPy

    return own(name, shape)


def _block(coder: Coder, shape: Shape, data: bytes, lost: Sequence[int]) -> tuple[float, float]:
    packets = coder.load(data)
    start = time.perf_counter()
    repair = coder.encode(packets)
    encoded = time.perf_counter()
    received = coder.receive(packets, repair, lost)
    resumed = time.perf_counter()
    restored = coder.restore(received)
    end = time.perf_counter()
    for index in lost:
        if coder.packet(restored, index) != data[index * shape.size : (index + 1) * shape.size]:
            raise RuntimeError(f"packet {index} is not as it was")
    return encoded - start, end - resumed


if __name__ == "__main__":
    main()
