"""Which quantiser a tensor of a release with one rung gets. Knows nothing of targets.

Thrifty levels on the integers or thrifty points of the lattice, both of which may be predicted:
whichever is the less of squared error and a price for each bit, by a sample.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from midstream.codec import (
    Context,
    Folding,
    TensorCode,
    grid,
    lattice,
    levels,
    points,
    scales,
)
from midstream.codec.fitting import Ways, fit_ways, refit
from midstream.codec.prediction import terms
from midstream.encoder import thrift
from midstream.encoder.making import make
from midstream.encoder.narrow import Narrow, narrow
from midstream.encoder.weights import Weights
from midstream.encoder.weights import squared_error as weights_error
from midstream.kernels import nearest_levels, predict, squared_error, squared_errors

__all__ = ["Known", "Together", "Trial", "noises"]

_FINER = 10
"""Step indices from the integers' step to the lattice's half step of about equal error."""
_NARROWER = 2
"""Quarter octaves of that, about."""
_STEPS_PER_QUARTER = 4
_PIECE = 1 << 18
"""Weights that are numbers at once."""

_Levels = NDArray[np.int32]
_Numbers = NDArray[np.float32] | NDArray[np.float64]


class _Contexts(NamedTuple):
    """How the levels of a sample of weights are coded."""

    predicted: Context
    """On the integers, but for what is expected."""
    halves: NDArray[np.int64] | None
    """(sample,) what is expected of the nearest levels, in half steps."""
    unpredicted: Context
    """Where nothing is."""

    @property
    def means(self) -> NDArray[np.int64]:
        """What is expected, 0 where nothing is."""
        if self.halves is not None:
            return self.halves
        return np.zeros(len(self.predicted.width), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Levels of a sample."""

    error: float
    """Sum of squared errors."""
    bits: Callable[[], float]
    """What they take."""

    def price(self, square: float) -> float:
        """Squared error, in squares of a step, and a price for each bit."""
        return self.error / square + thrift.PRICE * self.bits()

    def counted(self) -> "_Found":
        """The same without the levels, which are as large as the sample."""
        bits = self.bits()
        return _Found(error=self.error, bits=lambda: bits)


class Trial:
    """One tensor at steps about one.

    Args:
        weights: The tensor, coded.
        step: Step index or trit exponent.
        foldings: Of its slices of which weights that repeat others are left out, by their start.
        ways: How its nearest levels may be coded, where that is known.
    """

    def __init__(
        self,
        weights: Weights,
        step: int,
        foldings: Mapping[int, Folding] | None = None,
        ways: Ways | None = None,
    ) -> None:
        self.weights = weights
        self._foldings = foldings or {}
        near = _nearest(weights, step)
        if ways is None:
            ways = fit_ways(near, weights.tensor, _grid(step, weights.offset), is_rough=True)
        self.ways = ways
        """How these may be coded, about."""
        self.bits = ways.bits
        """What the nearest levels take, about."""
        self._code, self._unpredicted = ways.code, ways.unpredicted
        if self._foldings:
            self._code = ways.unpredicted
        self.step = step
        """The one that others are about."""
        self._errors: dict[int, float] = {}
        sample = weights.sample()
        self.share = sample.share
        """Weights for each that is in the sample."""
        self.numbers = sample.numbers
        """(sample,), some of the weights."""
        self.contexts = self._sampled(near, sample.stride)
        """How the levels of these are coded."""

    def _sampled(self, near: _Levels, stride: int) -> _Contexts:
        tensor = self.weights.tensor
        code = self._code
        expected = terms([(tensor, code, 0, tensor.weights)]) if code.predictor else None
        predicted = _context(self.weights, code, stride)
        is_free = code is self._unpredicted
        return _Contexts(
            predicted=predicted,
            halves=None if expected is None else predict(near, expected)[::stride].copy(),
            unpredicted=predicted if is_free else _context(self.weights, self._unpredicted, stride),
        )

    def noise(self, step: int) -> float:
        """Sum of squared errors of thrifty levels at a step, about, if not on the integers."""
        if not self.weights.tensor.dtype.is_float:
            return weights_error(self.weights, step)
        if step not in self._errors:
            self._errors[step] = self.share * self._points(step).error
        return self._errors[step]

    @property
    def is_together(self) -> bool:
        """Whether its levels are thrifty on the integers, and its noise found with others'."""
        return self.weights.tensor.dtype.is_float and not self.is_lattice

    @cached_property
    def is_lattice(self) -> bool:
        """Whether points of the lattice are the cheaper ones."""
        tensor = self.weights.tensor
        step = self.step
        if (
            not tensor.dtype.is_float
            or tensor.weights < lattice.FEWEST_WEIGHTS
            or step - _FINER < -grid.MAX_STEP_INDEX
        ):
            return False
        square = grid.step_size(step, 0, tensor.dtype) ** 2
        integers = self._integers(step)
        return min(p.price(square) for p in self._kinds_of_points) < integers.price(square)

    @cached_property
    def is_expected(self) -> bool:
        """Whether points of the lattice are predicted, if levels are points."""
        square = grid.step_size(self.step, 0, self.weights.tensor.dtype) ** 2
        kinds = self._kinds_of_points
        return kinds[-1].price(square) < kinds[0].price(square)

    @cached_property
    def _kinds_of_points(self) -> list["_Found"]:
        """Not predicted; and if there is a predictor, predicted."""
        free = self._free_points(self.step).counted()
        if self.contexts.halves is None:
            return [free]
        return [free, self._expected_points(self.step).counted()]

    def _integers(self, step: int) -> "_Found":
        """The sample, thrifty on the integers."""
        numbers, size, halves = self.numbers, self.size(step), self.contexts.halves
        context = _wider(self.contexts.predicted, self.wider(step))
        moved = thrift.thrifty(nearest_levels(numbers, size), numbers, size, context, halves)
        error = squared_error(numbers, size, levels=moved)
        return _Found(error=error, bits=lambda: levels.cost(moved, context, halves=halves))

    def _points(self, step: int) -> "_Found":
        """The same on the lattice."""
        if step == self.step:
            return self._kinds_of_points[-1 if self.is_expected else 0]
        return self._expected_points(step) if self.is_expected else self._free_points(step)

    def _expected_points(self, step: int) -> "_Found":
        """Predicted by what is expected of levels on the integers."""
        half = self.size(step - _FINER)
        context = _wider(self.contexts.predicted, self.wider(step) + _NARROWER)
        context = Context(shape=context.shape, width=context.width, lattice=True)
        ratio = float(self.size(self.step)[0] / half[0])
        assert self.contexts.halves is not None, "there is a predictor"
        halves = np.rint(ratio * self.contexts.halves).astype(np.int64)
        found = thrift.points(self.numbers, 2 * float(half[0]), context, halves)
        error = squared_error(self.numbers, half, levels=found)
        return _Found(error=error, bits=lambda: points.cost(found, context, halves=halves))

    def _free_points(self, step: int) -> "_Found":
        """Not predicted."""
        half = self.size(step - _FINER)
        context = _wider(self.contexts.unpredicted, self.wider(step) + _NARROWER)
        context = Context(shape=context.shape, width=context.width, lattice=True)
        found = thrift.points(self.numbers, 2 * float(half[0]), context)
        error = squared_error(self.numbers, half, levels=found)
        return _Found(error=error, bits=lambda: points.cost(found, context))

    def size(self, step: int) -> NDArray[np.float64]:
        """What a step is, (1,)."""
        return grid.one_size(step, 0, self.weights.tensor.dtype)

    def wider(self, step: int) -> int:
        """Quarter octaves by which levels spread wider at another step."""
        return round((self.step - step) / _STEPS_PER_QUARTER)

    def code(self, step: int) -> TensorCode:
        """Parameters of thrifty levels at a step, about."""
        wider = self.wider(step)
        if not self.is_lattice:
            return _moved(self._code, step, wider, is_lattice=False)
        known = self._code if self.is_expected else self._unpredicted
        return _moved(known, step - _FINER, wider + _NARROWER, is_lattice=True)

    def made(self, step: int, cuts: Sequence[tuple[int, int]]) -> tuple[Narrow, float, TensorCode]:
        """Thrifty levels at a step, the sum of their squared errors, and how they are coded.

        Args:
            step: Step index or trit exponent.
            cuts: Where the parts that are coded apart from each other start and stop.
        """
        if not self.weights.tensor.dtype.is_float:
            return self._nearest_integers(step)
        return make(self.weights, self.code(step), cuts, self._foldings)

    def _nearest_integers(self, step: int) -> tuple[Narrow, float, TensorCode]:
        w = self.weights
        levels = narrow(w.levels(step))
        return levels, weights_error(w, step), refit(levels, w.tensor, self.code(step))


class Together:
    """Trials of one step whose levels are thrifty on the integers, looked at at once.

    Args:
        trials: Each has a step that others are about, the same of all.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        contexts = [trial.contexts for trial in trials]
        self._one = trials[0]
        self._shares = [trial.share for trial in trials]
        self._numbers = np.concatenate([trial.numbers for trial in trials])
        self._stops = np.cumsum([len(trial.numbers) for trial in trials], dtype=np.int64)
        self._halves = np.concatenate([own.means for own in contexts])
        self._context = Context(
            shape=np.concatenate([own.predicted.shape for own in contexts]),
            width=np.concatenate([own.predicted.width for own in contexts]),
        )

    def noises(self, step: int) -> list[float]:
        """Sums of squared errors of thrifty levels at a step, about."""
        numbers, size = self._numbers, self._one.size(step)
        context = _wider(self._context, self._one.wider(step))
        near = nearest_levels(numbers, size)
        moved = thrift.thrifty(near, numbers, size, context, self._halves)
        errors = squared_errors(numbers, size, moved, self._stops)
        return [share * error for share, error in zip(self._shares, errors, strict=True)]


Known: TypeAlias = dict[tuple[int, ...], Together]
"""Those that were looked at together before, by their places among all trials."""


def noises(
    trials: Sequence[Trial], steps: Sequence[int], known: Known | None = None
) -> list[float]:
    """Sums of squared errors of thrifty levels at a step of each, about.

    Args:
        trials: All of them.
        steps: Of each.
        known: Kept from one call to the next.
    """
    found, pools = [0.0] * len(trials), {} if known is None else known
    alike: dict[tuple[int, int], list[int]] = {}
    for at, (trial, step) in enumerate(zip(trials, steps, strict=True)):
        if trial.is_together:
            alike.setdefault((trial.step, step), []).append(at)
        else:
            found[at] = trial.noise(step)
    for (_, step), places in alike.items():
        key = tuple(places)
        if key not in pools:
            pools[key] = Together([trials[at] for at in places])
        for at, error in zip(places, pools[key].noises(step), strict=True):
            found[at] = error
    return found


@lru_cache(maxsize=64)
def _grid(step: int, offset: int) -> TensorCode:
    """Parameters of which only steps are known."""
    return TensorCode(step=step, offset=offset)


def _moved(code: TensorCode, step: int, wider: int, *, is_lattice: bool) -> TensorCode:
    """The same parameters at another step, of levels that spread so much wider."""
    grid, spread = (step, code.offset), (code.shape, code.width + wider)
    return TensorCode.of_grid(grid, spread, code.vectors, code.predictor, is_lattice)


def _nearest(weights: Weights, step: int) -> _Levels:
    """The nearest levels of all weights; numbers that are made of these are made piece by piece."""
    count = weights.tensor.weights
    if count <= _PIECE:
        return weights.levels(step)
    found = np.empty(count, np.int32)
    for start in range(0, count, _PIECE):
        found[start : start + _PIECE] = weights.levels(step, start, start + _PIECE)
    return found


def _context(weights: Weights, code: TensorCode, stride: int) -> Context:
    width = scales.contexts(weights.tensor, code, 0, weights.tensor.weights)
    if stride > 1:
        width = width[::stride].copy()
    shape = np.empty(len(width), np.int8)
    shape.fill(code.shape)
    return Context(shape=shape, width=width)


def _wider(context: Context, quarters: int) -> Context:
    """Of weights by themselves, which nothing predicts."""
    return Context(shape=context.shape, width=context.width + np.int16(quarters))
