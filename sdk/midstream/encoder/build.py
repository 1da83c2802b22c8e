"""Ladders of units, rung by rung. Knows nothing of what moves or runs them.

A rung is built one (slice, trit) at a time, the most gain per byte first, until it reaches
its target; a rung that does not beat the one below it is merged into the next.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midstream import formats
from midstream.bitstream import Head, Record, Topology, protected_size, write_unit
from midstream.codec import TensorCode, scales
from midstream.encoder.ladder import Rung, Target, parse_ladder
from midstream.encoder.plan import (
    Plan,
    Refinement,
    base_records,
    digit_records,
    make_plan,
)
from midstream.encoder.ratio import decibels, noise_factors
from midstream.encoder.sensitivity import Measure, measure_sensitivities, sensitive_steps
from midstream.encoder.weights import (
    STEPS_PER_OCTAVE,
    Weights,
    choose_steps,
    entropy_bits,
    load,
    relative_steps,
    squared_error,
    uniform_steps,
)
from midstream.errors import ErrorCode, LimitError
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Fidelity, UnitKind

__all__ = ["Encoded", "EncodedUnit", "Evaluate", "encode"]

Evaluate = Callable[[Sequence[bytes]], float | None]
"""From a base and the units on it to the output SNR in dB; None where it cannot be run."""

_IMPLICIT_BASE = Rung(target=Target.BITS, value=6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedUnit:
    """One unit of a ladder."""

    kind: UnitKind
    """What it does."""
    layer: int
    """Its place in the ladder, from 0."""
    rung: str
    """The rung it was made for."""
    data: bytes
    """Its bytes."""
    head_size: int
    """Bytes at its start that deserve more repair."""
    fidelity: Fidelity
    """How near the model is with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A model file as a ladder of units."""

    format: str
    """Format of the model file."""
    weights: int
    """Number of weights in its holes."""
    units: tuple[EncodedUnit, ...]
    """The base, then each unit with the one before it as its parent."""


def encode(
    model: bytes,
    *,
    ladder: str | Sequence[str],
    evaluate: Evaluate | None = None,
    measure: Measure | None = None,
    probes: int = 0,
    limits: Limits = LIMITS,
) -> Encoded:
    """Turn a model file into a base and the units that refine it.

    Args:
        model: The model file.
        ladder: Its rungs, such as ``("2.5b", "4b", "exact")``.
        evaluate: Measures a stack of units at the outputs; rungs that do not beat the one
            below are merged into the next. Without it weight SNR decides.
        measure: Measures a model file at the outputs; targets in bits and kB then spend them
            where the outputs need them.
        probes: Number of inputs that `evaluate` uses, for the record.
        limits: Bounds on the model file.

    Raises:
        UsageError: BAD_LADDER.
        FormatError: The model file cannot be read.
        LimitError: The model file is too large.
    """
    rungs = parse_ladder(ladder)
    if len(model) > limits.model_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"model: {len(model)} bytes, at most {limits.model_size}"
        )
    opened = formats.open_model(model)
    tensors = [t for t in opened.tensors if t.dtype is not DType.INT4 or t.weights % 2 == 0]
    topology = Topology.cut(model, tensors)
    weights = [load(model, tensor) for tensor in tensors]
    sensitivities = None
    if measure is not None and rungs[0].target is not Target.SNR:
        sensitivities = measure_sensitivities(model, weights, measure)
    builder = _Builder(topology, weights, rungs, sensitivities, evaluate, probes)
    units = builder.build()
    return Encoded(
        format=opened.format, weights=sum(tensor.weights for tensor in tensors), units=units
    )


class _Builder:
    """Climbs a ladder; holds what is common to its rungs."""

    def __init__(
        self,
        topology: Topology,
        weights: Sequence[Weights],
        rungs: Sequence[Rung],
        sensitivities: Sequence[float | None] | None,
        evaluate: Evaluate | None,
        probes: int,
    ) -> None:
        first = _IMPLICIT_BASE if rungs[0].target is Target.EXACT else rungs[0]
        self._weights = weights
        self._rungs = rungs
        self._evaluate = evaluate
        self._probes = probes
        self._count = sum(w.values.size for w in weights if w.coded)
        self._factors = noise_factors(weights)
        relative = _relative_steps(weights, first, sensitivities, self._factors)
        codes = _codes(weights, _base_steps(weights, first, self._factors, relative))
        self._head = Head(topology=topology, codes=codes)
        self._plans = make_plan(self._head, weights, _importance(relative))
        self._spent = sum(plan.base_bits() for plan in self._plans)
        self._noise = {plan.index: self._weighted_noise(plan) for plan in self._plans}

    def build(self) -> tuple[EncodedUnit, ...]:
        """All units, merged where a rung does not pay."""
        units: list[EncodedUnit] = []
        pending = base_records(self._plans)
        for rung in self._rungs:
            pending += self._climb(rung, is_base=not units)
            made = self._make(rung, pending, units)
            if self._is_worth_it(made, units) or (pending and rung is self._rungs[-1]):
                units.append(made)
                pending = []
        return tuple(units)

    def _climb(self, rung: Rung, *, is_base: bool) -> list[Record]:
        if rung.target is Target.EXACT:
            steps = [step for plan in self._plans for step in plan.finish()]
            exact = [record for plan in self._plans for record in plan.exact()]
            return digit_records(steps) + exact
        return [] if is_base else digit_records(self._refine_until(rung))

    def _refine_until(self, rung: Rung) -> list[Refinement]:
        """Trits of most gain per bit until the rung's target is reached."""
        chosen: list[Refinement] = []
        queue = [entry for plan in self._plans if (entry := _queue_entry(plan))]
        heapq.heapify(queue)
        while queue and not self._reached(rung):
            plan = self._plans[heapq.heappop(queue)[1]]
            self._spent += plan.next_bits()
            chosen.append(plan.refine())
            self._noise[plan.index] = self._weighted_noise(plan)
            if entry := _queue_entry(plan):
                heapq.heappush(queue, entry)
        return chosen

    def _reached(self, rung: Rung) -> bool:
        if rung.target is Target.BITS:
            return self._spent >= rung.value * self._count
        if rung.target is Target.SIZE:
            return self._spent >= rung.value * 8000
        return self._snr() >= rung.value

    def _snr(self, *, is_exact: bool = False) -> float:
        return decibels(sum(self._noise.values()), is_exact=is_exact)

    def _weighted_noise(self, plan: Plan) -> float:
        """What a slice adds to noise over signal."""
        if not plan.piece.coded:
            return 0.0
        # the tensors of a slice have one data type, and so one factor
        factor = self._factors[plan.piece.runs[0].tensor]
        return factor * float(plan.errors(plan.trits).sum())

    def _make(self, rung: Rung, records: list[Record], units: Sequence[EncodedUnit]) -> EncodedUnit:
        is_exact = rung.target is Target.EXACT
        kind = UnitKind.EXACT if is_exact else UnitKind.ENHANCEMENT
        kind = kind if units else UnitKind.BASE
        head = b"" if units else self._head.write()
        ordered = sorted(records, key=lambda record: record.slice)  # stable: order is kept
        data = write_unit(kind, len(units), head, ordered)
        outputs = self._evaluate([u.data for u in units] + [data]) if self._evaluate else None
        snr = self._snr(is_exact=is_exact or all(plan.is_exact for plan in self._plans))
        return EncodedUnit(
            kind=kind,
            layer=len(units),
            rung=str(rung),
            data=data,
            head_size=protected_size(data),
            fidelity=Fidelity(
                weight_snr=snr,
                output_snr=outputs,
                probes=self._probes if outputs is not None else 0,
            ),
        )

    @staticmethod
    def _is_worth_it(made: EncodedUnit, units: Sequence[EncodedUnit]) -> bool:
        if not units or made.kind is UnitKind.EXACT:
            return True
        below, here = units[-1].fidelity, made.fidelity
        if here.output_snr is None or below.output_snr is None:
            return here.weight_snr > below.weight_snr
        return here.output_snr > below.output_snr


def _queue_entry(plan: Plan) -> tuple[float, int] | None:
    """Gain per bit, negated for a heap whose smallest comes first; None where none is left."""
    if not plan.can_refine or not plan.errors(plan.trits).any():
        return None
    return -plan.next_gain() / max(plan.next_bits(), 1.0), plan.index


def _relative_steps(
    weights: Sequence[Weights],
    rung: Rung,
    sensitivities: Sequence[float | None] | None,
    factors: Sequence[float],
) -> list[int]:
    if rung.target is Target.SNR:
        return uniform_steps(weights, factors)
    if sensitivities is None:
        return relative_steps(weights)
    return sensitive_steps(weights, sensitivities)


def _base_steps(
    weights: Sequence[Weights], rung: Rung, factors: Sequence[float], relative: Sequence[int]
) -> list[int]:
    if rung.target is Target.SNR:
        aim = 10 ** (-rung.value / 10)

        def is_fine_enough(steps: list[int]) -> bool:
            triples = zip(weights, steps, factors, strict=True)
            return sum(f * squared_error(w, s) for w, s, f in triples if f) <= aim

        return choose_steps(weights, relative, is_fine_enough)
    count = sum(w.tensor.weights for w in weights if w.coded)
    budget = rung.value * (count if rung.target is Target.BITS else 8000)

    def is_rich_enough(steps: list[int]) -> bool:
        pairs = zip(weights, steps, strict=True)
        return sum(entropy_bits(w, step) for w, step in pairs if w.coded) > budget

    return choose_steps(weights, relative, is_rich_enough)


def _codes(weights: Sequence[Weights], steps: Sequence[int]) -> tuple[TensorCode, ...]:
    return tuple(
        scales.fit(w.levels(step), w.tensor, step=step, offset=w.offset)
        if w.coded
        else TensorCode(coded=False)
        for w, step in zip(weights, steps, strict=True)
    )


def _importance(relative: Sequence[int]) -> list[float]:
    """What a squared error counts, so that the steps chosen are the best for it."""
    return [2.0 ** (-2 * step / STEPS_PER_OCTAVE) for step in relative]
