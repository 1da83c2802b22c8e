"""How slices get their very values back: what is not near the weights is refined first."""

from dataclasses import replace

import numpy as np
import pytest

from midstream import formats
from midstream.bitstream import Head, Operation, Topology, read_unit, write_unit
from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.encoder.finish import exact_records
from midstream.encoder.plan import Plan, make_plans
from midstream.encoder.records import level_records
from midstream.encoder.weights import load
from midstream.types import UnitKind
from tensorfiles import normal, safetensors

MODEL = safetensors({"a": normal(90, 80), "b": normal(9)})
LOSSLESS = len(encode(MODEL, ladder="exact").units[0].data)


def nearest(ladder: str) -> tuple[Plan, ...]:
    """Slices at the levels nearest to the weights, at the steps of such a base."""
    opened = formats.open_model(MODEL)
    codes = Head.read(read_unit(encode(MODEL, ladder=ladder).units[0].data).head).codes
    head = Head(topology=Topology.cut(MODEL, opened.tensors), codes=codes)
    weights = [load(MODEL, tensor) for tensor in opened.tensors]
    levels = [w.levels(code.step) for w, code in zip(weights, codes, strict=True)]
    return make_plans(head, weights, levels)


def moved(plan: Plan) -> Plan:
    """Every fifth level two steps from its weight, as a correction may leave it."""
    levels = plan.levels.copy()
    levels[::5] += 2
    return replace(plan, held=levels)


def decoded(plans: tuple[Plan, ...]) -> bytes:
    base = write_unit(UnitKind.BASE, 0, plans[0].head.write(), level_records(plans))
    return rebuild([base, write_unit(UnitKind.EXACT, 1, b"", exact_records(plans))])


def operations(plans: tuple[Plan, ...]) -> list[Operation]:
    return [record.operation for record in exact_records(plans) if record.slice == 0]


def size(plans: tuple[Plan, ...]) -> int:
    return sum(len(record.payload) for record in exact_records(plans))


def test_levels_that_are_near_get_their_values_at_once() -> None:
    plans = nearest("20dB,exact")
    assert operations(plans) == [Operation.EXACT]
    assert decoded(plans) == MODEL


def test_levels_that_were_moved_are_refined_towards_the_weights_first() -> None:
    plans = tuple(map(moved, nearest("20dB,exact")))
    found = operations(plans)
    assert found[0] is Operation.DIGITS
    assert found[-1] is Operation.EXACT
    assert decoded(plans) == MODEL
    assert size(plans) < LOSSLESS


def test_levels_of_coarse_steps_are_refined_first() -> None:
    plans = nearest("2dB,exact")
    assert Operation.DIGITS in operations(plans)
    assert decoded(plans) == MODEL


def test_what_corrected_levels_stand_for_does_not_matter_any_more() -> None:
    plans = nearest("20dB,exact")
    corrected = tuple(
        replace(plan, corrected=plan.targets + 1, held=plan.levels + 1) for plan in plans
    )
    assert decoded(corrected) == MODEL


@pytest.mark.parametrize("ladder", ["2dB,exact", "6dB,exact", "20dB,exact"])
def test_a_coarse_rung_costs_little_on_the_way_to_exact(ladder: str) -> None:
    assert sum(len(unit.data) for unit in encode(MODEL, ladder=ladder).units) < 1.03 * LOSSLESS


def test_integers_and_kept_tensors_have_no_such_records() -> None:
    model = safetensors({"a": np.arange(-100, 100, dtype="i1"), "b": np.float32([np.nan])})
    *_, last = encode(model, ladder="2b,exact").units
    assert not {record.operation for record in read_unit(last.data).records} & {Operation.EXACT}
