"""What an error in each tensor does to the outputs, by trying it. Knows no runtime.

One tensor at a time is quantised to about 20 dB and the network is run: finite noise finds
the tensors whose small weights matter, which no statistic of the weights does.
"""

from collections.abc import Callable, Sequence

import numpy as np

from midstream.codec import grid, storage
from midstream.encoder.steps import STEPS_PER_OCTAVE
from midstream.encoder.weights import Weights
from midstream.errors import RefusedError

__all__ = ["Measure", "measure_sensitivities", "sensitive_steps"]

Measure = Callable[[bytes], float]
"""From a model file to its output SNR in dB, against the original."""

_PROBING_STEP = 0.35
"""Of the tensor's standard deviation: a noise of about -20 dB."""
_MOST = 200.0
"""dB; beyond it nothing has changed, or nothing is left."""
_DAMPING = 0.3
"""1 would follow the measurement alone, 0 the tensor's own spread; the noise of all tensors
together is not the sum of their noises, and between the two did best on real networks."""


def measure_sensitivities(
    model: bytes,
    weights: Sequence[Weights],
    measure: Measure,
    *,
    told: Callable[[float], None] = lambda _: None,
) -> list[float | None]:
    """Output noise per squared error of each tensor's weights.

    Args:
        model: The model file.
        weights: Its tensors.
        measure: Runs a model file.
        told: Of how much is done, 0 to 1.

    Returns:
        For each tensor, noise power over signal power at the outputs divided by the sum of
        squared errors; None where nothing changed or it cannot be run so.
    """
    found: list[float | None] = []
    for w in weights:
        found.append(_sensitivity(model, w, measure) if w.coded else None)
        told(len(found) / len(weights))
    return found


def _sensitivity(model: bytes, weights: Weights, measure: Measure) -> float | None:
    tensor = weights.tensor
    step = grid.step_index(weights.scale * _PROBING_STEP) if tensor.dtype.is_float else 1
    noisy = grid.reconstruct(weights.levels(step), tensor.dtype, step, 0, weights.offset)
    difference = storage.to_float64(noisy, tensor.dtype) - weights.values
    error = float(np.einsum("i,i->", difference, difference))
    if not error:
        return None
    changed = bytearray(model)
    changed[tensor.offset : tensor.end] = storage.dump(noisy, tensor.dtype)
    try:
        snr = measure(bytes(changed))
    except RefusedError:
        return None
    return 10 ** (-snr / 10) / error if abs(snr) < _MOST else None


def sensitive_steps(weights: Sequence[Weights], sensitivities: Sequence[float | None]) -> list[int]:
    """Step indices before the shift: steps go with one over the root of the sensitivity.

    That minimises the sum of noises at given bits (reverse water-filling); tensors that were
    not measured follow their spread.
    """
    typical = _typical(weights, sensitivities)
    steps = []
    for w, sensitivity in zip(weights, sensitivities, strict=True):
        measured = 1.0 if sensitivity is None else (sensitivity * w.scale**2 / typical) ** -0.5
        steps.append(round(STEPS_PER_OCTAVE * float(np.log2(w.scale * measured**_DAMPING))))
    return steps


def _typical(weights: Sequence[Weights], sensitivities: Sequence[float | None]) -> float:
    """The median of what a relative error of a tensor does."""
    pairs = zip(weights, sensitivities, strict=True)
    relative = [s * w.scale**2 for w, s in pairs if s is not None]
    return float(np.median(relative)) if relative else 1.0
