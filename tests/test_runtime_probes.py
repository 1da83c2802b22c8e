"""Inputs made from shapes alone."""

import hashlib

import numpy as np
import pytest

from midstream.runtime import TensorInfo, make_probes

PICTURES = (
    "b8bd1341c38b48575dcc87c2bc02c8e85a72e14f3d4d8189f143369a2b6c324a",
    "87427ec22189b15be37b2b240d79ff12ad2d130d78d21a1d9650bd9a66e21fbf",
)
"""SHA-256 of the first two, little-endian."""


def probe(shape: tuple[int, ...], dtype: str = "float32", *, count: int = 1) -> list[np.ndarray]:
    info = TensorInfo(name="x", shape=shape, dtype=np.dtype(dtype))
    return [arrays[0] for arrays in make_probes([info], count)]


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int16", "int32", "bool"])
@pytest.mark.parametrize("shape", [(), (1, 7), (1, 24, 32, 3), (1, 1, 1, 9), (0, 4)])
def test_a_probe_is_of_the_shape_and_type(dtype: str, shape: tuple[int, ...]) -> None:
    (array,) = probe(shape, dtype)
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))


def test_each_input_of_each_probe_is_another() -> None:
    infos = [TensorInfo(name=n, shape=(1, 9), dtype=np.dtype("float32")) for n in "ab"]
    arrays = [array for arrays in make_probes(infos, 3) for array in arrays]
    assert len({array.tobytes() for array in arrays}) == 6


def test_the_seed_gives_the_probes() -> None:
    info = TensorInfo(name="x", shape=(1, 9), dtype=np.dtype("float32"))
    first, again, other = (make_probes([info], 1, seed=seed)[0][0] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_pictures_are_the_same_on_every_machine() -> None:
    for picture, digest in zip(probe((1, 24, 32, 3), count=2), PICTURES, strict=True):
        assert hashlib.sha256(picture.astype("<f4").tobytes()).hexdigest() == digest


@pytest.mark.parametrize("shape", [(1, 64, 48, 3), (1, 64, 48, 1), (1, 3, 64, 48)])
def test_every_other_picture_has_edges_and_even_surfaces(shape: tuple[int, ...]) -> None:
    smooth, leaves = probe(shape, count=2)
    assert leaves.shape == shape
    assert (leaves.min() >= 0, leaves.max() <= 1, leaves.std() > 0.1) == (True, True, True)
    width = 3 if shape[1] == 3 else 2
    even, edges = (
        [share(np.abs(np.diff(picture, axis=width))) for picture in (smooth, leaves)]
        for share in (lambda d: np.mean(d < 0.005), lambda d: np.mean(d > 0.2))
    )
    assert even[1] > even[0]
    assert edges[1] > edges[0]


@pytest.mark.parametrize("shape", [(1, 64, 48, 3), (1, 64, 48, 1), (1, 3, 64, 48)])
def test_a_picture_is_smooth_and_fills_its_range(shape: tuple[int, ...]) -> None:
    (picture,) = probe(shape)
    height = 2 if shape[1] == 3 else 1
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture.std() > 0.1
    assert np.abs(np.diff(picture, axis=height)).mean() < picture.std() / 3


def test_the_channels_of_a_picture_resemble_each_other() -> None:
    (picture,) = probe((1, 64, 64, 3))
    flat = picture.reshape(-1, 3)
    assert np.corrcoef(flat.T).min() > 0.5
    assert not np.array_equal(flat[:, 0], flat[:, 1])


@pytest.mark.parametrize("shape", [(1, 64, 48, 16), (1, 4, 4, 3), (1, 1000), (64, 64, 3)])
def test_what_is_no_picture_is_normal_numbers(shape: tuple[int, ...]) -> None:
    numbers = np.concatenate([array.ravel() for array in probe(shape, count=40)])
    assert abs(numbers.mean()) < 0.1
    assert abs(numbers.std() - 1) < 0.1


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint8", 0, 255), ("int8", -128, 127)])
def test_a_quantised_picture_fills_its_range(dtype: str, low: int, high: int) -> None:
    pictures = np.stack(probe((1, 64, 64, 3), dtype, count=4))
    assert pictures.min() < low + 30
    assert pictures.max() > high - 30
    assert abs(pictures.mean() - (low + high) / 2) < 30


def test_quantised_numbers_lie_around_the_middle() -> None:
    (numbers,) = probe((1, 4000), "int8")
    assert abs(numbers.mean()) < 2
    assert abs(numbers.std() - 32) < 2


def test_every_fourth_picture_is_rough() -> None:
    smooth, _, rough, _, again = probe((1, 64, 64, 3), count=5)
    steps = [np.abs(np.diff(picture, axis=2)).mean() for picture in (smooth, rough, again)]
    assert steps[1] > 2 * max(steps[0], steps[2])


@pytest.mark.parametrize("span", [(-1.0, 1.0), (0.0, 255.0)])
def test_a_picture_is_in_the_range_asked_for(span: tuple[float, float]) -> None:
    info = TensorInfo(name="x", shape=(1, 24, 32, 3), dtype=np.dtype("float32"))
    (plain,), (scaled,) = make_probes([info], 1), make_probes([info], 1, ranges=[span])
    assert np.allclose(scaled[0], span[0] + (span[1] - span[0]) * plain[0], atol=1e-4)


def test_a_range_changes_no_integers() -> None:
    info = TensorInfo(name="x", shape=(1, 24, 32, 3), dtype=np.dtype("uint8"))
    (plain,), (scaled,) = make_probes([info], 1), make_probes([info], 1, ranges=[(-1.0, 1.0)])
    assert np.abs(plain[0].astype(int) - scaled[0]).max() <= 1


@pytest.mark.parametrize("shape", [(1, 20_000), (1, 20_000, 1), (20_000,)])
def test_a_long_row_is_a_sound(shape: tuple[int, ...]) -> None:
    sounds = probe(shape, count=4)
    assert {sound.shape for sound in sounds} == {shape}
    assert all(np.abs(sound).max() <= 1 and sound.std() > 0.02 for sound in sounds)
    *tonal, noisy = [neighbours(sound.ravel()) for sound in sounds]
    assert min(tonal) > 0.5
    assert abs(noisy) < 0.1


def neighbours(samples: np.ndarray) -> float:
    """Correlation of a sample with the next."""
    return float(np.corrcoef(samples[:-1], samples[1:])[0, 1])


def test_whole_numbers_are_small() -> None:
    (numbers,) = probe((1, 500), "int64")
    assert set(numbers.ravel().tolist()) == set(range(8))
