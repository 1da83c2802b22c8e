"""Products of two small matrices in how levels moved: found where they are, and where they pay."""

from typing import Any

import numpy as np
import pytest

from midstream.bitstream import Head, read_unit
from midstream.bitstream.climbs import climbs_of, records_of
from midstream.decoder import apply_lossy_update, lossy_memory, read_stack
from midstream.encoder import encode
from midstream.encoder.lossy import encode_lossy_update
from midstream.encoder.products import find_products
from midstream.encoder.sketching import sketch
from tensorfiles import normal, safetensors
from test_memory import peak_of

ROWS, COLUMNS = 96, 160
OLD = normal(ROWS, COLUMNS)


def moved(rank: int, scale: float = 0.1) -> Any:
    rng = np.random.default_rng(7)
    left, right = rng.standard_normal((ROWS, rank)), rng.standard_normal((rank, COLUMNS))
    return (OLD + left @ right * scale).astype(np.float32)


def lower(array: Any, *rungs: str) -> list[bytes]:
    return [u.data for u in encode(safetensors({"a": array}), ladder=rungs).units]


def found(old: Any, new: Any, *rungs: str) -> Any:
    climbs = []
    for array in (old, new):
        units = [read_unit(unit) for unit in lower(array, *rungs)]
        head = Head.read(units[0].head)
        climbs.append(climbs_of(head, records_of(units, len(head.slices))))
    return find_products(*climbs)


@pytest.mark.parametrize("rank", [1, 4])
def test_the_rank_of_a_change_is_found(rank: int) -> None:
    assert found(OLD, moved(rank), "4b")[0].left.shape == (ROWS, rank)


def test_there_is_none_in_what_moved_by_chance_or_not_at_all() -> None:
    noise = np.random.default_rng(3).standard_normal(OLD.shape) * 0.1
    assert not found(OLD, (OLD + noise).astype(np.float32), "4b")
    assert not found(OLD, OLD, "4b")


@pytest.mark.parametrize("rungs", [("3b",), ("2b", "4b")])
def test_an_update_of_low_rank_takes_less_and_gives_the_units(rungs: tuple[str, ...]) -> None:
    noise = np.random.default_rng(3).standard_normal(OLD.shape) * moved(1, 0.1).std()
    old = lower(OLD, *rungs)
    sizes = []
    for array in (moved(1, 0.1), (OLD + noise).astype(np.float32)):
        new = lower(array, *rungs)
        update = encode_lossy_update(old, new)
        assert list(apply_lossy_update(old, update)) == new
        sizes.append(len(update))
    assert sizes[0] < 0.6 * sizes[1]


def test_a_sketch_has_the_greatest_singular_values() -> None:
    rng = np.random.default_rng(1)
    product = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 90))
    matrix = product + 0.1 * rng.standard_normal((60, 90))
    left, sizes, right = sketch(matrix, 4)
    best = np.linalg.svd(matrix, full_matrices=False)
    assert sizes == pytest.approx(best[1][:4], rel=1e-4)
    nearest = (best[0][:, :4] * best[1][:4]) @ best[2][:4]
    assert np.abs((left * sizes) @ right - nearest).max() < 1e-2


def test_a_sketch_of_a_small_matrix_is_all_of_it() -> None:
    matrix = np.random.default_rng(1).standard_normal((5, 3))
    left, sizes, right = sketch(matrix, 16)
    assert (left * sizes) @ right == pytest.approx(matrix)


def test_applying_a_product_takes_what_is_announced() -> None:
    rng = np.random.default_rng(7)
    old = normal(3000, 200)
    added = rng.standard_normal((3000, 8)) @ rng.standard_normal((8, 200)) * 0.1
    before, after = lower(old, "3b"), lower((old + added).astype(np.float32), "3b")
    update = encode_lossy_update(before, after)
    assert len(update) < 0.8 * sum(map(len, after))
    apply_lossy_update(before, update)  # the tables of the codec are made once
    announced = lossy_memory(read_stack(before), read_stack(after), len(update))
    held = sum(map(len, before)) + len(update)
    assert held + peak_of(lambda: apply_lossy_update(before, update)) <= announced
