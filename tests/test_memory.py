"""The memory that decoding takes stays under the bound that manifests announce."""

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import models
from midstream.bitstream import Topology
from midstream.codec import digits, levels, tables
from midstream.decoder import read_stack, rebuild, rebuild_into
from midstream.encoder import encode
from tensorfiles import normal, safetensors


def million() -> bytes:
    tensors = {"a": normal(800, 1000), "b": normal(150, 1000).astype("<f2"), "c": normal(50_000)}
    return safetensors(tensors)


def filling() -> bytes:
    """Nothing of it is a hole, and it does not compress."""
    return safetensors({"a": np.random.default_rng(3).integers(0, 1 << 60, 300_000).view("<f8")})


def tiny_tensors() -> bytes:
    return safetensors({f"t{i}": normal(16, seed=i) for i in range(500)})


def smooth() -> bytes:
    """Its levels are predicted from those before."""
    rough = np.random.default_rng(5).normal(size=(600, 400))
    walk = rough.cumsum(axis=0) / 9 + rough.cumsum(axis=1) / 9
    return safetensors({f"t{i}": (walk * (i + 1)).astype(np.float32) for i in range(2)})


MODELS: dict[str, Callable[[], bytes]] = {
    "a million weights": million,
    "predicted levels": smooth,
    "nothing but filling": filling,
    "five hundred tiny tensors": tiny_tensors,
    "a small network": lambda: models.mlp((40, 50, 40)),
}


@pytest.fixture(scope="module", params=MODELS)
def units(request: pytest.FixtureRequest) -> list[bytes]:
    return [unit.data for unit in encode(MODELS[request.param](), ladder="3b,5b,exact").units]


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that it takes at its highest, what NumPy and Python reserve."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_decoding_takes_what_is_announced_and_not_much_less(units: list[bytes]) -> None:
    for count in range(1, len(units) + 1):
        stack = read_stack(units[:count])
        model = bytearray(stack.model_size)
        rebuild_into(stack, model)  # the tables of the codec are made once
        announced = stack.working_memory

        def work(count: int = count, model: bytearray = model) -> None:
            rebuild_into(read_stack(units[:count]), model)

        taken = peak_of(work)
        assert taken <= announced
        assert announced <= 4 * taken + (24 << 20)


def forget_tables() -> None:
    for module in (tables, levels, digits):
        for made in vars(module).values():
            if hasattr(made, "cache_clear"):
                made.cache_clear()


def test_tables_that_are_made_for_the_first_time_are_announced_too() -> None:
    parts = {f"t{i}": normal(40, 50, seed=i) * np.float32(2**-i) for i in range(8)}
    units = [unit.data for unit in encode(safetensors(parts), ladder="12dB,22dB").units]
    stack = read_stack(units)
    assert any(len(records) > 1 for records in stack.records)
    model = bytearray(stack.model_size)
    forget_tables()

    def work() -> None:
        for _ in range(3):
            rebuild_into(read_stack(units), model)

    gc.disable()  # what is done with is gone, not waiting to be collected
    try:
        assert peak_of(work) <= stack.working_memory
    finally:
        gc.enable()


@pytest.mark.parametrize("is_predicted", [False, True])
def test_points_of_the_lattice_take_no_more_than_levels(is_predicted: bool) -> None:
    unit = encode(smooth() if is_predicted else million(), ladder="20dB").units[0].data
    stack = read_stack([unit])
    assert all(code.lattice and bool(code.predictor) == is_predicted for code in stack.head.codes)
    model = bytearray(stack.model_size)
    rebuild_into(stack, model)  # the tables of the codec are made once
    assert peak_of(lambda: rebuild_into(read_stack([unit]), model)) <= stack.working_memory


def test_levels_are_predicted_where_weights_are_smooth() -> None:
    stack = read_stack([encode(smooth(), ladder="3b").units[0].data])
    assert all(code.predictor for code in stack.head.codes)


def test_the_model_is_held_once(units: list[bytes]) -> None:
    stack = read_stack(units)
    bound = stack.peak_memory - sum(map(len, units))  # those were there before
    assert peak_of(lambda: rebuild(units)) <= bound


def test_a_topology_is_never_unpacked_whole() -> None:
    model = filling()
    packed = Topology.cut(model, ()).write()
    result = bytearray(len(model))
    with memoryview(result) as view:
        assert peak_of(lambda: Topology.read(packed).fill(view)) < len(model) // 4
    assert result == model


@pytest.mark.parametrize(("ladder", "most"), [("20dB", 6.5), ("4b", 9), ("20dB,30dB,40dB", 15)])
def test_encoding_takes_few_bytes_for_each_weight_more(ladder: str, most: float) -> None:
    def network(tensors: int) -> bytes:
        return safetensors({f"t{at}": normal(500, 1000, seed=at) for at in range(tensors)})

    few, many = (network(tensors) for tensors in (2, 5))
    encode(few, ladder=ladder)  # tables are made once
    most_of = [peak_of(lambda model=model: encode(model, ladder=ladder)) for model in (few, many)]
    assert (most_of[1] - most_of[0]) / (3 * 500 * 1000) < most


def aligned(tensors: int) -> bytes:
    """Random tensors whose weights are read where they stand."""
    named = {f"t{at}": normal(500, 1000, seed=at) for at in range(tensors)}
    padded = (safetensors(named, padding=" " * size) for size in range(4))
    return next(model for model in padded if (len(model) - 4 * 500_000 * tensors) % 4 == 0)


@pytest.mark.parametrize(("ladder", "most"), [("exact", 0.1), ("20dB,exact", 1.2)])
def test_an_exact_unit_is_made_slice_by_slice(ladder: str, most: float) -> None:
    few, many = aligned(2), aligned(8)
    encode(few, ladder=ladder)  # tables are made once
    beside = []
    for model in (few, many):
        peak = peak_of(lambda model=model: encode(model, ladder=ladder))
        beside.append(peak - sum(len(unit.data) for unit in encode(model, ladder=ladder).units))
    # levels are a byte, and exact alone has none
    assert (beside[1] - beside[0]) / (6 * 500 * 1000) < most
