"""Which of several ladders is kept."""

import pytest

from midstream.encoder import EncodedUnit
from midstream.encoder.builder import recipe_sets
from midstream.encoder.choice import rank
from midstream.encoder.ladder import parse_ladder
from midstream.encoder.recipes import OTHER_RECIPES, RECIPES, REFINED_RECIPES
from midstream.types import Fidelity, UnitKind

LADDER = parse_ladder("12dBo,20dBo,exact")


def unit(rung: str, size: int, outputs: float | None) -> EncodedUnit:
    return EncodedUnit(
        kind=UnitKind.BASE,
        layer=0,
        rung=rung,
        data=bytes(size),
        head_size=0,
        fidelity=Fidelity(weight_snr=10.0, output_snr=outputs),
    )


def ladder(
    *sizes: int, outputs: tuple[float | None, ...] = (12.1, 20.1, 99.0)
) -> list[EncodedUnit]:
    return [
        unit(str(rung), size, snr) for rung, size, snr in zip(LADDER, sizes, outputs, strict=True)
    ]


def test_the_ladder_whose_rungs_take_the_least_is_the_best() -> None:
    assert rank(LADDER, ladder(100, 50, 50)) < rank(LADDER, ladder(110, 50, 50))
    # 10 % of the base are worth more than 4 % of all
    assert rank(LADDER, ladder(100, 60, 50)) < rank(LADDER, ladder(110, 45, 50))


def test_a_ladder_that_misses_a_rung_loses_however_small_it_is() -> None:
    missing = ladder(10, 5, 5, outputs=(12.1, 19.9, 19.9))
    assert rank(LADDER, ladder(100, 50, 50)) < rank(LADDER, missing)


def test_a_rung_that_is_left_out_counts_as_what_reaches_it() -> None:
    reached, last = unit("12dBo", 100, 21.0), unit("exact", 50, 99.0)
    assert rank(LADDER, [reached, last]) == rank(LADDER, [reached, unit("20dBo", 0, 21.0), last])


def test_a_rung_in_bytes_that_is_left_out_counts_as_the_next() -> None:
    rungs = parse_ladder("2b,3b,exact")
    base, last = unit("2b", 100, 21.0), unit("exact", 50, 99.0)
    assert rank(rungs, [base, last]) == rank(
        rungs, [base, unit("3b", 50, 30.0), unit("exact", 0, 99.0)]
    )


def test_what_is_not_measured_is_not_missed() -> None:
    assert rank(LADDER, ladder(1, 1, 1, outputs=(None, None, None)))[0] == 0


@pytest.mark.parametrize(
    ("words", "is_known", "tries"),
    [
        ("12dBo,20dBo", True, 1 + len(OTHER_RECIPES)),
        ("2b,20dBo,exact", True, 1 + len(OTHER_RECIPES)),
        ("2b,20dBo", False, 1),
        ("20dBo,exact", True, 1),
        ("2.5b,4b,exact", True, 1),
    ],
)
def test_ladders_are_tried_where_rungs_above_the_base_aim_at_outputs(
    words: str, is_known: bool, tries: int
) -> None:
    found = recipe_sets(parse_ladder(words), weights=1 << 20, is_known=is_known)
    assert len(found) == tries
    assert found[0] == (RECIPES if tries == 1 else REFINED_RECIPES)
    assert all(recipe.feedback for others in found[1:] for recipe in others)


def test_one_ladder_is_made_of_a_large_network() -> None:
    assert recipe_sets(LADDER, weights=(1 << 20) + 1, is_known=True) == (REFINED_RECIPES,)
