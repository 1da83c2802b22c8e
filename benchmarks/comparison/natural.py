"""Natural inputs of networks: crops of photographs, and notes played. Knows no codec.

Inputs that are measured on and inputs that are calibrated with come from other photographs.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from comparison.networks import Network
from midstream.runtime.backend import Array, TensorInfo

__all__ = ["CALIBRATION", "MEASURED", "natural_inputs"]

CALIBRATION, MEASURED = 64, 24
"""Number of inputs of each."""
_SEED = 20260401
_PHOTOGRAPHS = (
    ("astronaut.png", "chelsea.png"),
    ("camera.png", "brick.png"),
    ("coffee.png", "rocket.jpg"),
    ("coins.png", "moon.png"),
    ("grass.png", "gravel.png"),
    ("ihc.png", "retina.jpg"),
    ("motorcycle_left.png", "hubble_deep_field.jpg"),
    ("page.png", "text.png"),
)
"""Of scikit-image, in pairs: one to measure on, the other to calibrate with."""
_SMALLEST_CROP = 0.3
"""Of a photograph's shorter side."""
_SOUND_RATE = 22050
_LOWEST_HZ, _SEMITONES = 82.4, 40
_NOTES = 6


def natural_inputs(
    network: Network, inputs: Sequence[TensorInfo], *, to_calibrate: bool
) -> list[list[Array]]:
    """Seeded inputs for a network: an array for each of its inputs, for each of so many.

    Args:
        network: What takes them.
        inputs: Its inputs.
        to_calibrate: Whether they are for the encoder, and not to be measured on.
    """
    rng = np.random.default_rng([_SEED, int(to_calibrate)])
    count = CALIBRATION if to_calibrate else MEASURED
    if network.is_sound:
        return [[_notes(info, rng) for info in inputs] for _ in range(count)]
    photographs = [_photograph(pair[int(to_calibrate)]) for pair in _PHOTOGRAPHS]
    return [
        [_crop(photographs[at % len(photographs)], info, network, rng) for info in inputs]
        for at in range(count)
    ]


def _photograph(name: str) -> Image.Image:
    """One of those in scikit-image's wheel."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("photographs: pip install scikit-image")
    with Image.open(Path(spec.origin).parent / "data" / name) as image:
        return image.convert("RGB")


def _crop(
    photograph: Image.Image, info: TensorInfo, network: Network, rng: np.random.Generator
) -> Array:
    """A crop of a network's proportions, scaled to its size and range: (1, height, width, 3)."""
    assert network.input_range is not None, "only networks that are run take inputs"
    height, width = info.shape[1:3]
    scale = min(photograph.height / height, photograph.width / width)
    scale *= rng.uniform(_SMALLEST_CROP, 1)
    left = rng.uniform(0, photograph.width - width * scale)
    top = rng.uniform(0, photograph.height - height * scale)
    part = photograph.resize(
        (width, height),
        Image.Resampling.BILINEAR,
        box=(left, top, left + width * scale, top + height * scale),
    )
    low, high = network.input_range
    return (low + (high - low) / 255 * np.asarray(part, np.float64))[np.newaxis].astype(info.dtype)


def _notes(info: TensorInfo, rng: np.random.Generator) -> Array:
    """Notes of plucked strings (Karplus and Strong, 1983), some at once, as (1, samples, 1)."""
    samples = info.shape[1]
    sound = np.zeros(samples)
    for _ in range(_NOTES):
        hertz = _LOWEST_HZ * 2 ** (rng.integers(0, _SEMITONES) / 12)
        start = int(rng.integers(0, samples * 3 // 4))
        sound[start:] += rng.uniform(0.3, 1) * _string(samples - start, hertz, rng)
    return np.asarray(sound / np.abs(sound).max()).reshape(info.shape).astype(info.dtype)


def _string(samples: int, hertz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise in a delay line that averages two neighbours each time round."""
    line = rng.uniform(-1, 1, round(_SOUND_RATE / hertz))
    rounds = []
    for _ in range(-(-samples // len(line))):
        rounds.append(line)
        line = 0.498 * (line + np.roll(line, 1))
    return np.concatenate(rounds)[:samples]
