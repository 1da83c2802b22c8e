"""A model file to a ladder of units. Knows nothing of what moves or runs them."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product, starmap

from midstream import formats
from midstream.bitstream import Topology
from midstream.encoder.builder import Builder, ends_at_points, planned_parts, recipe_sets
from midstream.encoder.choice import rank
from midstream.encoder.ladder import Rung, Target, parse_ladder
from midstream.encoder.lossless import exact_unit
from midstream.encoder.near import Near
from midstream.encoder.progress import Report, Work
from midstream.encoder.quantiser import Recipe
from midstream.encoder.remarks import remarks
from midstream.encoder.sensitivity import Measure, measure_sensitivities, sensitive_steps
from midstream.encoder.statistics import MakeStatistics, Statistics
from midstream.encoder.steps import relative_steps
from midstream.encoder.units import Encoded, EncodedUnit, Evaluate
from midstream.encoder.weights import Weights, load, reachable, tie
from midstream.errors import ErrorCode, LimitError
from midstream.limits import LIMITS, Limits
from midstream.types import DType, Tensor

__all__ = ["encode"]

NEAR = "near"
"""The recipe of a ladder that follows another."""

_SMALL = 1 << 16
"""Weights of networks of which ladders are made both ways, since points do not always pay."""
_STUDY_PARTS = 64
"""Parts that take about as long as to find out what the outputs need."""


def encode(
    model: bytes,
    *,
    ladder: str | Sequence[str],
    evaluate: Evaluate | None = None,
    measure: Measure | None = None,
    statistics: MakeStatistics | None = None,
    probes: int = 0,
    is_calibrated: bool = False,
    near: Sequence[bytes | memoryview] = (),
    report: Report = lambda _: None,
    limits: Limits = LIMITS,
) -> Encoded:
    """Turn a model file into a base and the units that refine it.

    Args:
        model: The model file.
        ladder: Its rungs, such as ``("2.5b", "15dBo", "exact")``.
        evaluate: Measures a stack of units at the outputs; rungs that do not beat the one
            below are left out. Without it weight SNR decides. A rung whose target is out of
            reach comes as near as it can; `Encoded.remarks` says so of each.
        measure: Measures a model file at the outputs; where there are no statistics, targets
            in bits and kB then spend them where the outputs need them.
        statistics: Says what is known of the tensors; all but targets in weight SNR then
            spend bytes where the outputs need them, by the recipe that `evaluate` likes best.
        probes: Number of inputs that `evaluate` uses, for the record.
        is_calibrated: Whether these are the publisher's own, for the record.
        near: The lower units of a release before it, whose levels are kept where that costs next
            to nothing, so that an update from it is small; where targets are missed so, or the
            network is another, it is as if there were none.
        report: Told how far it is.
        limits: Bounds on the model file.

    Raises:
        UsageError: BAD_LADDER.
        FormatError: The model file cannot be read.
        LimitError: The model file is too large.
    """
    rungs = parse_ladder(ladder)
    model = _prepared(model, limits)
    opened = formats.open_model(model)
    tensors = [tensor for tensor in opened.tensors if _is_hole(tensor)]
    topology = Topology.cut(model, tensors)
    is_exact = rungs[0].target is Target.EXACT
    weights = [load(model, tensor) for tensor in tensors]
    weights = tie(weights if is_exact else list(map(reachable, weights)), vectors=is_exact)
    count = sum(tensor.weights for tensor in tensors)
    if is_exact:
        unit = exact_unit(topology, weights, evaluate=evaluate, probes=probes)
        return Encoded(format=opened.format, weights=count, units=(unit,), recipe="exact")
    allocates = rungs[0].target is not Target.SNR
    if not allocates:
        statistics = measure = None
    study = _STUDY_PARTS if statistics or measure else 0
    work = Work(study + _parts(rungs, count, is_known=statistics is not None), report)
    if study:
        work.begin("looking at outputs", study)
    known = _known(model, opened.tensors, statistics, work)
    work.plan(study + _parts(rungs, count, is_known=known is not None))
    relative = _relative(model, weights, measure if known is None else None, work)
    sets = recipe_sets(rungs, weights=count, is_known=known is not None)

    make = partial(
        Builder,
        topology,
        weights,
        statistics=known,
        relative=relative,
        evaluate=evaluate,
        inputs=(probes, is_calibrated),
        work=work,
    )
    followed = make().follow(rungs, Near.of(near)) if near else None
    units, recipe = (followed, NEAR) if followed else _best(rungs, sets, make, _ends(rungs, count))
    work.end()
    return Encoded(
        format=opened.format,
        weights=count,
        units=units,
        recipe=str(recipe),
        remarks=remarks(rungs, units),
    )


def _parts(rungs: Sequence[Rung], weights: int, *, is_known: bool) -> int:
    """How many times a network is quantised, at most."""
    sets = recipe_sets(rungs, weights=weights, is_known=is_known)
    ladders = len(sets) * len(_ends(rungs, weights))
    return ladders * planned_parts(rungs, is_known=is_known)


def _ends(rungs: Sequence[Rung], weights: int) -> Sequence[bool]:
    """Whether ladders may end at points of the lattice: small networks have few of them."""
    return (True, False) if ends_at_points(rungs) and weights <= _SMALL else (True,)


def _prepared(model: bytes, limits: Limits) -> bytes:
    if len(model) > limits.model_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"model: {len(model)} bytes, at most {limits.model_size}"
        )
    return formats.prepared(model)


def _best(
    rungs: Sequence[Rung],
    sets: Sequence[Sequence[Recipe]],
    make: Callable[[], Builder],
    ends: Sequence[bool],
) -> tuple[tuple[EncodedUnit, ...], Recipe]:
    """The units of the best of several ladders, and how its base was rounded.

    Args:
        rungs: What was asked for.
        sets: The recipes of each ladder.
        make: A builder for one of them.
        ends: Whether they may end at points of the lattice.
    """

    def build(recipes: Sequence[Recipe], end: bool) -> tuple[tuple[EncodedUnit, ...], Recipe]:
        builder = make()
        return builder.build(rungs, recipes, may_be_pointed=end), builder.recipe

    return min(starmap(build, product(sets, ends)), key=lambda built: rank(rungs, built[0]))


def _is_hole(tensor: Tensor) -> bool:
    """int4 weights of an odd number share a byte with what follows: they stay where they are."""
    return tensor.dtype is not DType.INT4 or tensor.weights % 2 == 0


def _known(
    model: bytes, tensors: Sequence[Tensor], statistics: MakeStatistics | None, work: Work
) -> Statistics | None:
    """What is known of each hole; None where nothing is."""
    made = statistics(model, work.reach) if statistics is not None else None
    if made is None or all(_is_hole(tensor) for tensor in tensors):
        return made
    return None  # places of biases would have to be counted anew


def _relative(
    model: bytes, weights: Sequence[Weights], measure: Measure | None, work: Work
) -> Sequence[float]:
    if measure is None:
        return relative_steps(weights)
    found = measure_sensitivities(model, weights, measure, told=work.reach)
    return sensitive_steps(weights, found)
