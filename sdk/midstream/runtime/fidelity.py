"""How near a network's outputs are to another's. Knows nothing of units."""

import math
from collections.abc import Sequence

import numpy as np

from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime.backend import Array, Backend, Inputs
from midstream.runtime.probes import SEED, make_probes

__all__ = ["Evaluator", "output_snr"]

_MOST_DB = 120.0
"""What an output that is the same counts among others that are not."""


def output_snr(reference: Sequence[Sequence[Array]], outputs: Sequence[Sequence[Array]]) -> float:
    """Signal to noise of outputs, dB.

    Each output counts by its own variance over all probes. With ``r`` the reference's numbers
    of one output, all probes together, and ``y`` those of the network that is measured, its
    relative noise is ``sum (y - r)^2 / sum (r - mean r)^2``; the result is the mean over the
    outputs of ``-10 log10`` of that, each at most 120 dB, so that one output that hardly
    varies, such as a saturated score, does not hide all others. An output that never varies
    counts 0 dB where it is not the same, and nothing where it is; one of another shape, which
    may depend on the data, counts 0 dB.

    Args:
        reference: For each probe, the outputs of the original.
        outputs: For each probe, those of the network that is measured.

    Returns:
        Infinity where all are equal; minus infinity where one is not finite.

    Raises:
        UsageError: The number of probes or of outputs differs, or is 0.
    """
    counts = [len(reference)] + [len(probe) for probe in reference]
    if counts != [len(outputs)] + [len(probe) for probe in outputs] or not all(counts):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"{len(outputs)} probes of other outputs than the {len(reference)} of the reference",
        )
    pairs = (
        ([probe[at] for probe in reference], [probe[at] for probe in outputs])
        for at in range(len(reference[0]))
    )
    noises = [noise for pair in pairs if (noise := _relative_noise(*pair)) is not None]
    if not any(noises):
        return math.inf
    if not all(map(math.isfinite, noises)):
        return -math.inf
    return math.fsum(_decibels(noise) for noise in noises) / len(noises)


def _decibels(noise: float) -> float:
    return _MOST_DB if noise < 10 ** (-_MOST_DB / 10) else -10 * math.log10(noise)


def _relative_noise(reference: Sequence[Array], output: Sequence[Array]) -> float | None:
    """Noise power over signal power of one output, all probes together; None for 0 over 0."""
    if [array.shape for array in reference] != [array.shape for array in output]:
        return 1.0
    original, other = _flat(reference), _flat(output)
    if not np.isfinite(other).all():
        return math.inf
    noise = float(np.square(other - original).sum())
    power = float(np.square(original - original.mean()).sum())
    if power > 0:
        return noise / power
    return 1.0 if noise > 0 else None


def _flat(arrays: Sequence[Array]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([array.ravel() for array in arrays]).astype(np.float64)


class Evaluator:
    """Measures model files against an original at their outputs.

    Args:
        backend: The runtime.
        model: The original.
        probes: What both are run on.

    Raises:
        RefusedError: The original does not load or run here, or its outputs are not finite.
        UsageError: There are no probes, or they are not inputs of the original.
    """

    def __init__(self, backend: Backend, model: bytes, probes: Sequence[Inputs]) -> None:
        if not probes:
            raise UsageError(ErrorCode.BAD_ARGUMENT, "nothing can be measured on no probes")
        self._backend = backend
        self._probes = probes
        self._reference = self._run(model)

    @classmethod
    def create(
        cls, backend: Backend, model: bytes, *, probes: int, seed: int = SEED
    ) -> "Evaluator":
        """Measure on seeded probes, made for the original.

        Args:
            backend: The runtime.
            model: The original.
            probes: Number of them.
            seed: Of the random numbers.

        Raises:
            RefusedError: It does not load or run here, or its outputs are not finite.
            UsageError: There are no probes.
        """
        network = backend.load(model)
        try:
            inputs = make_probes(network.inputs, probes, seed=seed)
        finally:
            network.close()
        return cls(backend, model, inputs)

    def __call__(self, model: bytes) -> float:
        """The output SNR of a model file, dB; infinite where all outputs are equal.

        Raises:
            RefusedError: It does not load or run, or an output is not finite.
            UsageError: Its inputs or outputs are not those of the original.
        """
        return output_snr(self._reference, self._run(model))

    def _run(self, model: bytes) -> list[tuple[Array, ...]]:
        """The outputs for each probe, all finite."""
        network = self._backend.load(model)
        try:
            ran = [network.run(probe) for probe in self._probes]
        finally:
            network.close()
        for array in (array for outputs in ran for array in outputs):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise RefusedError(ErrorCode.SELF_TEST_FAILED, "an output is not finite on a probe")
        return ran
