"""Sounds of nothing, seeded. Knows nothing of what listens.

Each number is made of sums and products of single numbers, so it is the same everywhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["hiss", "tones"]

_Samples = NDArray[np.float64]
_TONES = 8
_LOWEST = 0.002
"""Cycles a sample: 44 Hz at 22,050 Hz."""
_OCTAVES = 5
_HARMONICS = 8
_HISS = 0.02
"""Strength of the hiss under tones."""


def tones(samples: int, rng: np.random.Generator) -> _Samples:
    """Notes that begin at once and fade, some at a time, in [-1, 1]: (samples,)."""
    sound = _HISS * hiss(samples, rng)
    for _ in range(_TONES):
        start = int(rng.integers(0, samples))
        pitch = _LOWEST * 2 ** int(rng.integers(0, _OCTAVES)) * (1 + rng.random())
        length = min(samples - start, int(samples * rng.random()) + 1)
        sound[start : start + length] += rng.random() * _tone(length, pitch)
    return sound / max(1.0, float(np.abs(sound).max()))


def _tone(samples: int, pitch: float) -> _Samples:
    """Harmonics of a pitch in cycles a sample, each weaker than the one below."""
    time = np.arange(samples)
    fade = (1 - time / samples) ** 2
    below_half = min(_HARMONICS, int(0.5 / pitch))
    waves = [_wave(time * pitch * n) / n for n in range(1, below_half + 1)]
    return np.asarray(fade * np.sum(waves, axis=0))


def _wave(cycles: NDArray[np.floating[Any]]) -> _Samples:
    """A sine but for 6%: two parabolas."""
    t = 2 * (cycles % 1) - 1
    return np.asarray(4 * t * (1 - np.abs(t)))


def hiss(samples: int, rng: np.random.Generator) -> _Samples:
    """Noise that is louder and softer by turns, in [-1, 1]: (samples,)."""
    parts = -(-samples // 16)
    loudness = np.repeat(rng.random(16) ** 2, parts)[:samples]
    return np.asarray(loudness * (2 * rng.random(samples) - 1))
