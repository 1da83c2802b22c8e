"""What a ladder did not bring, in words. Knows nothing of how units are made.

A unit is published with what it measures; a rung's name only says what was asked for.
"""

from collections.abc import Sequence

from midstream.encoder.ladder import Rung, Target
from midstream.encoder.units import EncodedUnit
from midstream.types import Fidelity

__all__ = ["decibels_of", "remarks"]


def decibels_of(target: Target, fidelity: Fidelity) -> float | None:
    """The decibels that a rung aims at; None where it aims at others or they are not known."""
    if target is Target.SNR:
        return fidelity.weight_snr
    return fidelity.output_snr if target is Target.OUTPUTS else None


def remarks(rungs: Sequence[Rung], units: Sequence[EncodedUnit]) -> tuple[str, ...]:
    """A sentence for each rung that was left out or misses what was asked for.

    Args:
        rungs: The ladder.
        units: What was made of it, in the same order.
    """
    made = {unit.rung: unit for unit in units}
    said: list[str] = []
    below: list[EncodedUnit] = []
    for rung in rungs:
        unit = made.get(str(rung))
        if unit is None:
            said.append(f"{rung} is left out: {_why(rung, below)}")
        else:
            below.append(unit)
            said += [f"{rung} is missed: {words}" for words in _missed(rung, below)]
    return tuple(said)


def _why(rung: Rung, below: Sequence[EncodedUnit]) -> str:
    reached = decibels_of(rung.target, below[-1].fidelity) if below else None
    if reached is not None and reached >= rung.value:
        return f"{below[-1].rung} reaches it"
    return "nothing better than the rung below was found for it"


def _missed(rung: Rung, stack: Sequence[EncodedUnit]) -> list[str]:
    """How far a rung's stack is from its target; nothing where it is there."""
    reached = decibels_of(rung.target, stack[-1].fidelity)
    if reached is not None and reached < rung.value:
        return [f"{reached:.2f} dB is the most that was found"]
    size = sum(len(unit.data) for unit in stack) / 1000
    if rung.target is Target.SIZE and size > rung.value:
        return [f"{size:.2f} kB is the least that was found"]
    return []
