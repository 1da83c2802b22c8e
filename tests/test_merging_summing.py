"""Adapters are summed, and their norms bounded, with the same bits everywhere."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.merging.summing import Sum, is_within

RNG = np.random.default_rng(3)
CHANGES = [(RNG.standard_normal(100_000) * 0.01).astype("<f4") for _ in range(3)]


def test_shares_are_exact_and_sums_are_made_one_after_the_other() -> None:
    """[CON-13]: as exact fractions have it, rounded to a double after each sum."""
    made = Sum(100_000)
    shares = (65536, 21845, 131073)
    for change, share in zip(CHANGES, shares, strict=True):
        made.add(change, share, 65536)
    for place in (0, 1, 65535, 65536, 99_999):
        expected = 0.0
        for change, share in zip(CHANGES, shares, strict=True):
            product = Fraction(float(change[place])) * share / 65536
            assert Fraction(float(product)) == product
            expected = float(Fraction(expected) + product)
        assert made.total[place] == expected


def test_a_norm_is_the_root_of_the_sum_of_squares() -> None:
    """[CON-12]."""
    for change in CHANGES:
        norm = float(np.linalg.norm(change.astype(np.float64)))
        assert is_within(change, norm * 1.001)
        assert not is_within(change, norm * 0.999)


@pytest.mark.parametrize("bound", [1.0, 2.0**-60, 2.0**60, 0.75, 3.0])
def test_a_change_of_the_bound_itself_is_within_it(bound: float) -> None:
    """[CON-12]."""
    assert is_within(np.float32([0, bound, 0]), bound)
    assert not is_within(np.float32([0, bound * 1.0001, 0]), bound)
    assert not is_within(np.float32([bound, bound * 0.02]), bound)


def test_the_largest_floats_are_not_within_anything() -> None:
    assert not is_within(np.full(70_000, np.finfo(np.float32).max), 2.0**60)


@settings(max_examples=100)
@given(st.lists(st.floats(-8, 8, width=32), max_size=40), st.floats(0.01, 20))
def test_the_order_of_weights_does_not_count(changes: list[float], bound: float) -> None:
    forth = np.array(changes, "<f4")
    assert is_within(forth, bound) == is_within(forth[::-1], bound)
