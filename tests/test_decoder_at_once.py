"""Stacks by one call in C: the same as step by step, and nothing that it is told is believed."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from midstream.bitstream import Operation
from midstream.codec import digits, grid, levels, refined_points, values
from midstream.codec.tables import codeword_frequencies
from midstream.decoder import Stack, read_stack
from midstream.decoder.at_once import rebuild_at_once
from midstream.decoder.layout import network_of, work_of
from midstream.decoder.memory import most_together
from midstream.decoder.steps import rebuild_slices
from midstream.encoder import encode
from midstream.errors import DataError
from midstream.kernels import NAME
from midstream.types import DType
from stacks import any_units
from tensorfiles import normal, safetensors

pytestmark = pytest.mark.skipif(NAME != "native", reason="NumPy goes step by step")

WITH_NAN = normal(9, 8)
WITH_NAN[0, 0] = np.nan


SHAPES: dict[str, list[tuple[int, ...]]] = {
    "a few of every kind": [(90, 80), (70, 65), (20, 9, 3, 3), (5, 3, 40, 7), (9,), (), (3, 1, 2)],
    "many lanes": [(300, 500), (90, 900)],
    "short slices": [(64, 70 + n) for n in range(11)],
    "tiny tensors": [(1 + n % 9,) for n in range(400)],
    "many axes": [(2, 3, 4, 1, 5, 2, 3, 7), (3, 1, 40, 1, 41), (6, 1, 1, 900), (1, 1)],
    "runs of points": [(8, 8, 66), (4097,), (41, 401)],
}
CASES = [(name, seed) for name in SHAPES for seed in range(5)]


@cache
def units_of(name: str, seed: int) -> list[bytes]:
    return any_units(np.random.default_rng([seed, *name.encode()]), SHAPES[name])


def stepped(stack: Stack) -> bytes | None:
    """None where a payload is damaged."""
    model = bytearray(stack.model_size)
    try:
        rebuild_slices(stack, memoryview(model))
    except DataError:
        return None
    return bytes(model)


def at_once(stack: Stack) -> bytes | None:
    """None where a payload is damaged."""
    model = bytearray(stack.model_size)
    try:
        done = rebuild_at_once(stack, memoryview(model))
    except DataError:
        return None
    return bytes(model) if done else None


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_all_slices_at_once_are_the_same_as_step_by_step(name: str, seed: int) -> None:
    stack = read_stack(units_of(name, seed))
    expected = stepped(stack)
    assert expected is not None
    assert at_once(stack) == expected


def test_the_stacks_have_all_that_is_to_be_tested() -> None:
    stacks = [read_stack(units_of(*case)) for case in CASES]
    heads = [stack.head for stack in stacks]
    codes = [code for head in heads for code in head.codes]
    for name in ("rows", "columns", "taps", "row_steps", "column_steps"):
        assert any(getattr(code, name) is not None for code in codes)
    assert {bool(code.predictor) for code in codes if code.lattice} == {False, True}
    assert {place for code in codes for place, _ in code.predictor} == set(range(10))
    records = [record for stack in stacks for records in stack.records for record in records]
    # what one exact model has beside another is no slice's of a stack
    of_updates = {Operation.DIFFERENCES, Operation.MOVES}
    assert {record.operation for record in records} == set(Operation) - of_updates
    assert {t.dtype for head in heads for t in head.topology.tensors} == set(DType)


def test_real_models_are_the_same_as_step_by_step() -> None:
    model = safetensors({"a": normal(90, 80), "b": normal(70, 65).astype("<f2"), "c": WITH_NAN})
    for ladder in ("2b", "60dB"):
        stack = read_stack([unit.data for unit in encode(model, ladder=ladder).units])
        assert at_once(stack) == stepped(stack)


@pytest.mark.parametrize("name", ["a few of every kind", "short slices"])
def test_damaged_payloads_are_refused_as_step_by_step(name: str) -> None:
    units = units_of(name, 0)
    outcomes = set()
    rng = np.random.default_rng(2)
    for index, unit in enumerate(units):
        for place in rng.integers(0, len(unit), 100).tolist():
            changed = bytearray(unit)
            changed[place] ^= 1 << place % 8
            try:
                broken = read_stack([*units[:index], bytes(changed), *units[index + 1 :]])
            except DataError:
                continue
            expected = stepped(broken)
            assert at_once(broken) == expected
            outcomes.add(expected is None)
    assert outcomes == {True, False}


def good() -> tuple[Any, Any, list[Any]]:
    """Arguments of the kernel: of the network, of what is done to it, all others."""
    stack = read_stack(units_of("a few of every kind", 0))
    memory = np.empty(80 * most_together(stack.head, stack.records) + (1 << 18), np.uint8)
    tables = [levels.slots().packed, digits.starts(), refined_points.starts()]
    tables += [codeword_frequencies(), values.frequencies(), grid.float_sizes(0)]
    return (
        network_of(stack.head),
        work_of(stack),
        [*tables, memory, bytearray(stack.model_size)],
    )


def call(network: Any, work: Any, rest: list[Any], **changed: Any) -> bool:
    from midstream.kernels import _native

    named = {
        "tensors": network.tensors,
        "vectors": network.vectors,
        "spans": work.spans,
        "slices": work.slices,
        "operations": work.operations,
        "payloads": work.payloads,
        "groups": work.groups,
    }
    return _native.decode_stacked(*(named | changed).values(), *rest)


def test_what_the_next_tests_change_is_good() -> None:
    assert call(*good())


@pytest.mark.parametrize("name", ["tensors", "spans", "slices", "operations", "groups"])
def test_no_number_in_an_array_is_believed(name: str) -> None:
    network, work, rest = good()
    array = getattr(network if name == "tensors" else work, name)
    for place in np.ndindex(array.shape):
        for value in (-(2**63), -1, 3, 2**31, 2**40, 2**63 - 1):
            changed = array.copy()
            changed[place] = value
            try:
                call(network, work, rest, **{name: changed})
            except ValueError:
                continue


@pytest.mark.parametrize(
    "changed",
    [
        {"tensors": np.zeros(5, np.int64)},
        {"spans": np.zeros(4, np.int64)},
        {"vectors": np.zeros(0, np.int8)},
        {"payloads": [b""]},
        {"operations": np.zeros(99, np.int64)},
        {"groups": np.array([1])},
        {"groups": np.zeros(9, np.int8)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        call(*good(), **changed)


def test_payloads_must_be_bytes() -> None:
    network, work, rest = good()
    with pytest.raises(TypeError, match="bytes-like"):
        call(network, work, rest, payloads=[None] * len(work.payloads))


def test_too_little_memory_is_no_error() -> None:
    network, work, rest = good()
    for size in (0, 8, 1024, 1 << 16):
        assert not call(network, work, [*rest[:-2], np.empty(size, np.uint8), rest[-1]])
