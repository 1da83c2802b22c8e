"""The memory that decoding takes stays under the bound that manifests announce."""

import tracemalloc

import pytest

from midstream.decoder import peak_decode_bytes, rebuild
from midstream.encoder import encode
from tensorfiles import normal, safetensors

# a million weights
MODEL = safetensors(
    {"a": normal(800, 1000), "b": normal(150, 1000).astype("<f2"), "c": normal(50_000)}
)


@pytest.fixture(scope="module")
def units() -> list[bytes]:
    return [unit.data for unit in encode(MODEL, ladder="3b,exact").units]


@pytest.mark.parametrize("count", [1, 2])
def test_rebuilding_a_million_weights_stays_under_its_bound(units: list[bytes], count: int) -> None:
    rebuild(units[:1])  # the tables of the codec are made once
    tracemalloc.start()
    try:
        rebuilt = rebuild(units[:count])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rebuilt) == len(MODEL)
    # the units were there before and are not counted
    sizes = sum(map(len, units[:count]))
    assert peak <= peak_decode_bytes(len(MODEL), sizes) - sizes
