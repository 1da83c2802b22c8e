"""Rungs run on real interpreters, for the encoder. Knows nothing of how rungs are made."""

from collections.abc import Callable, Sequence

from midstream import decoder
from midstream.encoder import build
from midstream.errors import MidstreamError
from midstream.runtime import Backend
from midstream.runtime.fidelity import Evaluator

__all__ = ["make_evaluate"]

_PROBES = 8


def make_evaluate(
    model: bytes, backend: Backend | None, progress: Callable[[str], None]
) -> tuple[build.Evaluate | None, int]:
    """A function that measures a stack of units at the outputs, and how many inputs it uses.

    Returns:
        None and 0 where there is no runtime, or where it cannot run the original either; the
        ladder is then judged by weight SNR, and `progress` is told why.
    """
    if backend is None or not model[4:8] == b"TFL3":
        return None, 0
    try:
        evaluator = Evaluator.create(backend, model, probes=_PROBES)
    except MidstreamError as error:
        progress(f"the original does not run here, so rungs are judged by weights: {error}")
        return None, 0

    def evaluate(units: Sequence[bytes]) -> float | None:
        return evaluator(bytes(decoder.rebuild(units)))

    return evaluate, _PROBES
