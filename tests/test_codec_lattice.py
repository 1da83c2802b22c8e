"""codec.lattice: the nearest point of the lattice of Barnes and Wall."""

import itertools

import numpy as np
import pytest

from midstream.codec import lattice
from midstream.kernels.codewords import CODEWORDS, codewords_of


def pairs() -> list[np.ndarray]:
    """The 480 shortest points whose levels are all even."""
    points = []
    for first, second in itertools.combinations(range(16), 2):
        for signs in itertools.product((-2, 2), repeat=2):
            point = np.zeros(16, np.int32)
            point[[first, second]] = signs
            points.append(point)
    return points


def odd() -> list[np.ndarray]:
    """The 3,840 shortest points that have odd levels: eight of them are one from zero."""
    points = []
    for word in CODEWORDS[CODEWORDS.sum(axis=1) == 8]:
        for signs in itertools.product((-1, 1), repeat=8):
            if sum(signs) % 4 == 0:
                point = word.astype(np.int32)
                point[word == 1] = signs
                points.append(point)
    return points


NEIGHBOURS = np.array([*pairs(), *odd()])


def test_codewords_are_half_of_all_places_apart_or_opposite() -> None:
    apart = {int((a != b).sum()) for a, b in itertools.combinations(CODEWORDS, 2)}
    assert apart == {8, 16}


def test_codewords_are_numbered_as_the_format_says() -> None:
    for number, word in enumerate(CODEWORDS):
        bits = [number >> j & 1 for j in range(5)]
        for k in range(16):
            assert word[k] == (bits[0] + sum(bits[j + 1] * (k >> j & 1) for j in range(4))) % 2
    assert codewords_of(CODEWORDS.T).tolist() == list(range(32))


def test_a_point_of_the_lattice_is_its_own_nearest() -> None:
    assert len(NEIGHBOURS) == 4320
    found = lattice.nearest(NEIGHBOURS.T / 2)
    assert np.array_equal(found, NEIGHBOURS.T)


@pytest.mark.parametrize("spread", [0.3, 3.0, 1000.0])
def test_no_neighbour_of_the_point_found_is_nearer(spread: float) -> None:
    points = np.random.default_rng(1).normal(0, spread, (16, 50))
    found = lattice.nearest(points)
    best = np.square(points - found / 2).sum(axis=0)
    for neighbour in NEIGHBOURS:
        other = np.square(points - (found + neighbour[:, None]) / 2).sum(axis=0)
        assert (best <= other + 1e-9).all()


def test_levels_are_points_of_the_lattice_and_the_rest_is_whole() -> None:
    numbers = np.random.default_rng(2).normal(0, 2, 16 * 50 + 5)
    levels = lattice.quantise(numbers)
    points = levels[:800].reshape(16, 50)
    words = {word.tobytes() for word in CODEWORDS}
    assert all(column.tobytes() in words for column in (points % 2).astype(np.int8).T)
    assert (points.sum(axis=0) % 4 == 0).all()
    assert (levels[800:] % 2 == 0).all()
    assert np.array_equal(levels[800:] // 2, np.rint(numbers[800:]))


def test_its_error_is_six_sevenths_of_a_decibel_below_that_of_integers() -> None:
    # the second moment of its cell is 0.068299 a dimension, that of the cube 1/12, and a level
    # takes the place of 2^(3/4) of a point's
    numbers = np.random.default_rng(3).uniform(-50, 50, 80_000)
    error = np.square(2 * numbers - lattice.quantise(numbers)).mean()
    assert error == pytest.approx(0.068299 * 2**1.5, rel=0.01)


def test_fewer_weights_than_a_point_has_are_whole() -> None:
    assert lattice.quantise(np.array([0.4, 1.6, -2.2])).tolist() == [0, 4, -4]
    assert lattice.quantise(np.zeros(0)).tolist() == []
