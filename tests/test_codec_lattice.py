"""codec.lattice: the nearest point of E8."""

import itertools

import numpy as np
import pytest

from midstream.codec import lattice

HALVES = np.array([p for p in itertools.product((-1, 1), repeat=8) if sum(p) % 4 == 0], np.int32)
"""The 128 shortest points that are not whole, doubled."""


def pairs() -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """The 112 shortest points that are whole, doubled."""
    points = []
    for first, second in itertools.combinations(range(8), 2):
        for signs in itertools.product((-2, 2), repeat=2):
            point = np.zeros(8, np.int32)
            point[[first, second]] = signs
            points.append(point)
    return np.array(points)


NEIGHBOURS = np.concatenate([HALVES, pairs()])


def test_a_point_of_the_lattice_is_its_own_nearest() -> None:
    assert len(NEIGHBOURS) == 240
    found = lattice.nearest(NEIGHBOURS.T / 2)
    assert np.array_equal(found, NEIGHBOURS.T)


@pytest.mark.parametrize("spread", [0.3, 3.0, 1000.0])
def test_no_neighbour_of_the_point_found_is_nearer(spread: float) -> None:
    points = np.random.default_rng(1).normal(0, spread, (8, 500))
    found = lattice.nearest(points)
    best = np.square(points - found / 2).sum(axis=0)
    for neighbour in NEIGHBOURS:
        other = np.square(points - (found + neighbour[:, None]) / 2).sum(axis=0)
        assert (best <= other + 1e-9).all()


def test_levels_are_points_of_the_lattice_and_the_rest_is_whole() -> None:
    numbers = np.random.default_rng(2).normal(0, 2, 8 * 100 + 5)
    levels = lattice.quantise(numbers)
    points = levels[:800].reshape(8, 100)
    assert np.array_equal(points % 2, np.broadcast_to(points[0] % 2, (8, 100)))
    assert (points.sum(axis=0) % 4 == 0).all()
    assert (levels[800:] % 2 == 0).all()
    assert np.array_equal(levels[800:] // 2, np.rint(numbers[800:]))


def test_its_error_is_two_thirds_of_a_decibel_below_that_of_integers() -> None:
    # the second moment of E8's cell is 0.0716821 a dimension, that of the cube 1/12
    numbers = np.random.default_rng(3).uniform(-50, 50, 80_000)
    error = np.square(numbers - lattice.quantise(numbers) / 2).mean()
    assert error == pytest.approx(0.0716821, rel=0.01)


def test_fewer_than_eight_weights_are_whole() -> None:
    assert lattice.quantise(np.array([0.4, 1.6, -2.2])).tolist() == [0, 4, -4]
    assert lattice.quantise(np.zeros(0)).tolist() == []
