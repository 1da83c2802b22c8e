"""Bounds: each is positive, and none can be changed behind anyone's back."""

from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from midstream.limits import LIMITS, Limits


@pytest.mark.parametrize(("name", "value"), asdict(LIMITS).items())
def test_a_bound_is_positive(name: str, value: float) -> None:
    assert value > 0


def test_the_bounds_used_by_default_are_those_of_the_class() -> None:
    assert Limits() == LIMITS


def test_bounds_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        LIMITS.units = 1  # type: ignore[misc]


def test_one_bound_is_replaced_without_touching_the_others() -> None:
    lower = replace(LIMITS, units=3)
    assert lower.units == 3
    assert replace(lower, units=LIMITS.units) == LIMITS


def test_what_is_inside_something_is_not_larger_than_it() -> None:
    assert LIMITS.topology_size <= LIMITS.model_size
    assert LIMITS.packet_size <= LIMITS.unit_size
    assert LIMITS.manifest_size <= LIMITS.bundle_size
