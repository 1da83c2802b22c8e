"""Our encoder as a publisher calls it. Knows nothing of peers."""

from collections.abc import Sequence

from midstream import encode
from midstream.encoder import Encoded
from midstream.publisher.measure import Outputs
from midstream.runtime.backend import Array, Backend

__all__ = ["OutputsEncoder"]


class OutputsEncoder:
    """Encodes one network for its outputs; what is known of it is found once for all ladders.

    Args:
        backend: The runtime.
        model: The model file.
        calibration: Inputs that the network is studied and judged on; None for made up ones.
    """

    def __init__(
        self, backend: Backend, model: bytes, calibration: Sequence[Sequence[Array]] | None
    ) -> None:
        outputs = Outputs.of(model, backend, print, calibration)
        if outputs is None:
            raise RuntimeError("a network that is measured at its outputs does not run here")
        self._model = model
        self._outputs = outputs
        self._statistics = outputs.statistics(model)

    def __call__(self, ladder: Sequence[str]) -> Encoded:
        """Units of a ladder."""
        return encode(
            self._model,
            ladder=ladder,
            evaluate=self._outputs.evaluate,
            measure=self._outputs.measure,
            statistics=lambda *_: self._statistics,
            probes=self._outputs.probes,
        )
