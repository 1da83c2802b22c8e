"""Networks run on real interpreters, for the encoder. Knows nothing of ladders.

What steps and rounding follow, and what rungs and recipes are judged by, are other inputs:
other probes, or another part of the calibration inputs.
"""

from collections.abc import Callable, Sequence

from midstream import decoder
from midstream.encoder.statistics import Statistics
from midstream.errors import MidstreamError, RefusedError
from midstream.publisher.calibration import fit_inputs
from midstream.publisher.ranges import find_ranges
from midstream.publisher.statistics import make_statistics
from midstream.runtime import Backend, Inputs, TracingBackend, make_probes
from midstream.runtime.fidelity import Evaluator

__all__ = ["Outputs"]

_PROBES = 24
"""What rungs are judged by, where no calibration inputs are given."""
_QUICK_PROBES = 3
"""For each tensor by itself: there are many, and only their order of magnitude matters."""
_STUDIED = 96
"""Probes that statistics are made of."""
_STUDIED_SEED = 20260303
_HELD_OUT = 4
"""One of so many calibration inputs is kept for judging."""
_DOES_NOT_RUN = -1000.0


class Outputs:
    """What a network's outputs are worth, against the original's.

    Args:
        backend: The runtime.
        model: The original.
        calibration: Inputs of the network that are like those it will get; None for probes.
        progress: Told in words what is done.

    Raises:
        RefusedError: The original does not load or run here.
        UsageError: The calibration inputs are not inputs of the original, or there are none.
    """

    def __init__(
        self,
        backend: Backend,
        model: bytes,
        calibration: Sequence[Inputs] | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._backend = backend
        self._progress = progress
        self._studied, judged = _split(backend, model, calibration)
        self.is_calibrated = calibration is not None
        """Whether rungs are measured on calibration inputs."""
        self.probes = len(judged)
        """Number of inputs that rungs are measured on."""
        self._thorough = Evaluator(backend, model, judged)
        self._quick = Evaluator(backend, model, judged[:_QUICK_PROBES])

    @classmethod
    def of(
        cls,
        model: bytes,
        backend: Backend | None,
        progress: Callable[[str], None],
        calibration: Sequence[Inputs] | None = None,
    ) -> "Outputs | None":
        """None where it cannot be run here; `progress` is told why.

        Raises:
            UsageError: The calibration inputs are not inputs of the original.
        """
        if backend is None or model[4:8] != b"TFL3":
            return None
        try:
            return cls(backend, model, calibration, progress)
        except RefusedError as error:
            progress(f"the original does not run here, so rungs are judged by weights: {error}")
            return None

    def evaluate(self, units: Sequence[bytes]) -> float:
        """Output SNR of a base and the units on it, dB; very low where it does not run."""
        try:
            return self._thorough(bytes(decoder.rebuild(units)))
        except RefusedError:
            return _DOES_NOT_RUN

    def measure(self, model: bytes) -> float:
        """Output SNR of a model file, dB, on a few inputs.

        Raises:
            RefusedError: It does not run, or an output is not finite.
        """
        return self._quick(model)

    def statistics(
        self, model: bytes, told: Callable[[float], None] = lambda _: None
    ) -> Statistics | None:
        """What is known of the tensors; None, and a word why, where they cannot be studied.

        Args:
            model: The original.
            told: Of how much of that is done, 0 to 1.
        """
        if not isinstance(self._backend, TracingBackend):
            return None
        try:
            return make_statistics(
                self._backend, model, self._studied, progress=lambda at, of, _: told(at / of)
            )
        except MidstreamError as error:
            self._progress(f"it cannot be studied, so tensors are tried one by one: {error}")
            return None


def _split(
    backend: Backend, model: bytes, calibration: Sequence[Inputs] | None
) -> tuple[Sequence[Inputs], Sequence[Inputs]]:
    """What statistics are made of, and what rungs are judged by."""
    network = backend.load(model)
    try:
        inputs = network.inputs
    finally:
        network.close()
    if calibration is not None:
        given = fit_inputs(calibration, inputs)
        judged = given[::_HELD_OUT]
        studied = [one for at, one in enumerate(given) if at % _HELD_OUT]
        return studied or judged, judged
    ranges = find_ranges(backend, model)
    studied = make_probes(inputs, _STUDIED, seed=_STUDIED_SEED, ranges=ranges)
    return studied, make_probes(inputs, _PROBES, ranges=ranges)
