"""What rungs aim at, in numbers. Knows nothing of how units are made to reach it."""

from collections.abc import Sequence
from dataclasses import dataclass

from midstream.encoder.ladder import Rung, Target
from midstream.encoder.rate import Band
from midstream.encoder.units import Evaluate
from midstream.errors import ErrorCode, UsageError

__all__ = ["DOES_NOT_RUN", "Targets"]

_TIGHT = 0.995
"""Of a budget: what is left unused at most."""
_OVER_DB = 0.15
"""dB above a target in decibels that are good enough."""
DOES_NOT_RUN = -1000.0
"""dB said of a stack that cannot be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Measures stacks of units by what a rung aims at."""

    weights: int
    """Number of coded weights."""
    uncounted: int
    """Bytes that targets in bits per weight leave out: topology and weights that are not coded."""
    evaluate: Evaluate | None
    """Measures a stack at the outputs."""

    def check(self, rungs: Sequence[Rung]) -> None:
        """Refuse targets at the outputs where nothing can be run.

        Raises:
            UsageError: BAD_LADDER.
        """
        wanted = [str(rung) for rung in rungs if rung.target is Target.OUTPUTS]
        if wanted and self.evaluate is None:
            raise UsageError(
                ErrorCode.BAD_LADDER, f"ladder: {wanted[0]} needs a network that can be run here"
            )

    def band(self, rung: Rung) -> Band:
        """The values that reach a rung's target."""
        if rung.target in (Target.OUTPUTS, Target.SNR):
            return Band(low=rung.value, high=rung.value + _OVER_DB, is_budget=False)
        bits = self.budget(rung)
        return Band(low=_TIGHT * bits, high=bits, is_budget=True)

    def budget(self, rung: Rung) -> float:
        """Bits of coded weights that a target in bits or kB allows."""
        if rung.target is Target.BITS:
            return rung.value * self.weights
        return 8 * (1000 * rung.value - self.uncounted)

    def bits(self, units: Sequence[bytes | memoryview]) -> float:
        """Bits that coded weights take in a stack."""
        return 8.0 * (sum(map(len, units)) - self.uncounted)

    def outputs(self, units: Sequence[bytes]) -> float:
        """Output SNR of a stack, dB."""
        found = self.evaluate(units) if self.evaluate is not None else None
        return DOES_NOT_RUN if found is None else found
