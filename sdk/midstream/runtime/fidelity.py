"""How near a network's outputs are to another's, on seeded inputs. Knows nothing of units."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, RefusedError
from midstream.runtime.backend import Array, Backend, TensorInfo

__all__ = ["Evaluator", "make_probes", "output_snr"]

_SEED = 20260101
_COARSEST = 8


def make_probes(inputs: Sequence[TensorInfo], count: int, *, seed: int = _SEED) -> list[list[Array]]:
    """Seeded inputs for a network, made from nothing but its shapes.

    Args:
        inputs: What the network takes.
        count: Number of probes.
        seed: Of the random numbers.

    Returns:
        For each probe an array per input: smooth pictures in [0, 1] for inputs of shape
        (1, height, width, channels), normal numbers for other floats, small integers for
        integers.

    Raises:
        RefusedError: An input is of a type that cannot be made up, such as text.
    """
    rng = np.random.default_rng(seed)
    return [[_probe(info, rng) for info in inputs] for _ in range(count)]


def _probe(info: TensorInfo, rng: np.random.Generator) -> Array:
    if info.dtype.kind == "f":
        is_picture = len(info.shape) == 4 and min(info.shape[1:3]) >= _COARSEST
        numbers = _picture(info.shape, rng) if is_picture else rng.standard_normal(info.shape)
        return numbers.astype(info.dtype)
    if info.dtype.kind == "b":
        return rng.integers(0, 2, info.shape).astype(info.dtype)
    if info.dtype.kind in "iu":
        top = 256 if info.dtype == np.uint8 else 128
        return rng.integers(0, top, info.shape).astype(info.dtype)
    raise RefusedError(
        ErrorCode.SELF_TEST_FAILED, f"input {info.name}: no probe can be made of {info.dtype}"
    )


def _picture(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of all octaves, each half as strong as the one below: about 1/f, as pictures are."""
    total = np.zeros(shape)
    size, weight = _COARSEST, 1.0
    while size <= max(shape[1:3]):
        coarse = rng.random((shape[0], size, size, shape[3]))
        rows = np.arange(shape[1]) * size // shape[1]
        columns = np.arange(shape[2]) * size // shape[2]
        total += weight * coarse[:, rows][:, :, columns]
        size, weight = size * 2, weight / 2
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9))


def output_snr(reference: Sequence[Sequence[Array]], outputs: Sequence[Sequence[Array]]) -> float:
    """Signal to noise of outputs, dB.

    Each output counts by its own variance over all probes: the noise of output o is
    ``sum (y_o - r_o)^2 / sum (r_o - mean r_o)^2``, and the result is ``-10 log10`` of the mean
    over outputs. Infinite where all are equal.

    Args:
        reference: For each probe, the outputs of the original.
        outputs: For each probe, those of the network that is measured.
    """
    noises = []
    for originals, others in zip(zip(*reference, strict=True), zip(*outputs, strict=True), strict=True):
        original = np.stack(originals).astype(np.float64)
        difference = np.stack(others).astype(np.float64) - original
        power = float(np.square(original - original.mean()).sum())
        noise = float(np.square(difference).sum())
        noises.append(noise / power if power > 0 else float(noise > 0))
    mean = float(np.mean(noises))
    return float("inf") if mean == 0 else -10 * float(np.log10(mean))


class Evaluator:
    """Measures networks against an original at their outputs."""

    def __init__(
        self, backend: Backend, probes: list[list[Array]], reference: list[tuple[Array, ...]]
    ) -> None:
        self._backend = backend
        self._probes = probes
        self._reference = reference

    @classmethod
    def create(cls, backend: Backend, model: bytes, *, probes: int) -> "Evaluator":
        """Run the original on so many probes.

        Raises:
            RefusedError: It does not load or run here, or its outputs are not finite.
        """
        network = backend.load(model)
        try:
            inputs = make_probes(network.inputs, probes)
            reference = [network.run(probe) for probe in inputs]
        finally:
            network.close()
        for output in (array for outputs in reference for array in outputs):
            if output.dtype.kind == "f" and not np.isfinite(output).all():
                raise RefusedError(
                    ErrorCode.SELF_TEST_FAILED, "the original's outputs are not finite"
                )
        return cls(backend, inputs, reference)

    def __call__(self, model: bytes) -> float:
        """The output SNR of a model file in dB; very low where an output is not finite.

        Raises:
            RefusedError: It does not load or run.
        """
        network = self._backend.load(model)
        try:
            outputs = [network.run(probe) for probe in self._probes]
        finally:
            network.close()
        snr = output_snr(self._reference, outputs)
        return snr if not np.isnan(snr) else -1000.0
