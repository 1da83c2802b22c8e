"""Rungs and tensors tried on real interpreters, for the encoder. Knows nothing of ladders."""

from collections.abc import Callable, Sequence

from midstream import decoder
from midstream.errors import MidstreamError, RefusedError
from midstream.runtime import Backend
from midstream.runtime.fidelity import Evaluator

__all__ = ["Outputs"]

_PROBES = 8
_QUICK_PROBES = 3
"""For each tensor by itself: there are many, and only their order of magnitude matters."""
_DOES_NOT_RUN = -1000.0


class Outputs:
    """What a network's outputs are worth, against the original's.

    Args:
        backend: The runtime.
        model: The original.

    Raises:
        RefusedError: The original does not load or run here.
    """

    probes = _PROBES
    """Number of inputs that rungs are measured on."""

    def __init__(self, backend: Backend, model: bytes) -> None:
        self._thorough = Evaluator.create(backend, model, probes=_PROBES)
        self._quick = Evaluator.create(backend, model, probes=_QUICK_PROBES)

    @classmethod
    def of(
        cls, model: bytes, backend: Backend | None, progress: Callable[[str], None]
    ) -> "Outputs | None":
        """None where it cannot be run here; `progress` is told why."""
        if backend is None or model[4:8] != b"TFL3":
            return None
        try:
            return cls(backend, model)
        except MidstreamError as error:
            progress(f"the original does not run here, so rungs are judged by weights: {error}")
            return None

    def evaluate(self, units: Sequence[bytes]) -> float:
        """Output SNR of a base and the units on it, dB; very low where it does not run."""
        try:
            return self._thorough(bytes(decoder.rebuild(units)))
        except RefusedError:
            return _DOES_NOT_RUN

    def measure(self, model: bytes) -> float:
        """Output SNR of a model file, dB, on a few probes.

        Raises:
            RefusedError: It does not run, or an output is not finite.
        """
        return self._quick(model)
