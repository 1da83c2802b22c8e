"""Real networks, where they are there."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from midstream.errors import RefusedError
from midstream.runtime import Evaluator, Slots, find_backend

FOLDER = os.environ.get("MIDSTREAM_NETWORKS")
FILES = sorted(Path(FOLDER).rglob("*.tflite")) if FOLDER else []
SMALL = 300_000

pytestmark = [
    pytest.mark.network_models,
    pytest.mark.skipif(not FILES, reason="MIDSTREAM_NETWORKS names no folder with .tflite files"),
]


@contextmanager
def skipping_what_the_runtime_lacks() -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        if "unresolved custom op" not in error.message:
            raise
        pytest.skip(error.message)


@pytest.mark.parametrize("path", FILES, ids=lambda path: getattr(path, "stem", "none"))
def test_a_network_is_staged_and_decides(path: Path) -> None:
    slots = Slots(find_backend())
    with skipping_what_the_runtime_lacks():
        slots.stage(path.read_bytes(), release=1, layer=0)
    slots.swap()
    with slots.pin() as network:
        outputs = network.run([np.zeros(info.shape, info.dtype) for info in network.inputs])
        pairs = zip(
            network.outputs, [outputs] if isinstance(outputs, np.ndarray) else outputs, strict=True
        )
        assert all(info.takes(output) for info, output in pairs)
    slots.close()


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.stat().st_size < SMALL],
    ids=lambda path: getattr(path, "stem", "none"),
)
def test_a_network_equals_itself(path: Path) -> None:
    model = path.read_bytes()
    with skipping_what_the_runtime_lacks():
        evaluate = Evaluator.create(find_backend(), model, probes=2)
    assert evaluate(model) == math.inf
