"""Real networks, where MIDSTREAM_NETWORKS names a folder of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from midstream import formats
from midstream.codec import Context, digits, exact, grid, levels, scales, storage

FOLDER = os.environ.get("MIDSTREAM_NETWORKS")
FILES = sorted(Path(FOLDER).rglob("*.tflite"), key=lambda p: p.stat().st_size) if FOLDER else []

pytestmark = [
    pytest.mark.network_models,
    pytest.mark.skipif(not FILES, reason="MIDSTREAM_NETWORKS names no folder with networks"),
]


@pytest.mark.parametrize("path", FILES[:5], ids=lambda path: getattr(path, "stem", "none"))
def test_a_ladder_of_each_large_tensor_is_as_short_as_the_tables_say(path):
    data = path.read_bytes()
    bits = costs = 0.0
    for tensor in formats.open_model(data).tensors:
        if not tensor.dtype.is_float or tensor.weights < 2000:
            continue
        stored = storage.load(data[tensor.offset : tensor.end], tensor.dtype, tensor.weights)
        scale = storage.to_float64(stored, tensor.dtype).std()
        step = grid.step_index(max(float(scale), 1e-30))
        fine = grid.quantise(stored, tensor.dtype, step, trits=1)
        base = grid.coarsen(fine)
        code = scales.fit(fine, tensor, step=step, trits=1)
        widths = scales.contexts(tensor, code, 0, tensor.weights)
        context = Context(shape=np.full(len(fine), code.shape, np.int8), width=widths)
        first, second = levels.encode(base, context), digits.encode(base, fine, context, 0)
        assert np.array_equal(levels.decode([memoryview(first)], [context])[0], base)
        decoded = digits.decode([memoryview(second)], [context], [base], [0])[0]
        assert np.array_equal(decoded, fine)
        steps = np.full(len(fine), grid.step_size(step, 1, tensor.dtype))
        last = exact.encode(stored, fine, steps, tensor.dtype)
        assert exact.decode(last, fine, steps, tensor.dtype).tobytes() == stored.tobytes()
        bits += 8 * (len(first) + len(second))
        costs += levels.cost(base, context) + digits.cost(base, fine, context, 0)
    assert costs <= bits < 1.01 * costs
