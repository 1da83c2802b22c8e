"""Which base reaches a target with the fewest bytes. Knows nothing of the rungs above.

Recipes are compared by what the decoded network does on probes, other ones than those that
statistics were made of, at nearly the same bytes; the plain recipe is always among them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from midstream.encoder.base import PLACES_PER_STEP, Base, Bases
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.quantiser import Recipe
from midstream.encoder.rate import search
from midstream.encoder.steps import STEPS_PER_OCTAVE, Allocation, choose_shift
from midstream.encoder.targets import Targets
from midstream.encoder.weights import Weights, entropy_bits

__all__ = [
    "DB_PER_BIT",
    "OTHER_RECIPES",
    "PLAIN",
    "PLAIN_ROUNDS",
    "RECIPES",
    "REFINED_RECIPES",
    "ROUNDS",
    "BaseSearch",
]

PLAIN = Recipe()
RECIPES = (
    Recipe(rows=True, columns=True, feedback=True, biases=True),
    Recipe(rows=True, feedback=True, biases=True),
    Recipe(rows=True, columns=True, biases=True),
    Recipe(rows=True, columns=True),
    Recipe(rows=True),
    PLAIN,
)
"""The favourite first: its search says how fine the others are tried."""
_REFINED_DAMPING, _OTHER_DAMPINGS = 0.2, (0.5, 0.1)
REFINED_RECIPES = tuple(replace(recipe, damping=_REFINED_DAMPING) for recipe in RECIPES)
"""For bases of ladders: what was moved less is refined in fewer bytes."""
OTHER_RECIPES = tuple(
    tuple(replace(recipe, damping=damping) for recipe in RECIPES if recipe.feedback)
    for damping in _OTHER_DAMPINGS
)
"""More of them: how much less is best, whole ladders tell."""
ROUNDS = 9
PLAIN_ROUNDS = 4
"""Bases that are made for one search, at most."""
DB_PER_BIT = 6.02
_FIRST_BITS = 3.0
"""Bits per weight at which a search for output SNR begins."""
_PLACES_PER_BIT = STEPS_PER_OCTAVE * PLACES_PER_STEP
_FINEST = 100 * _PLACES_PER_BIT


class BaseSearch:
    """Looks for the base of a ladder.

    Args:
        weights: All tensors.
        bases: Makes bases.
        targets: Measures them.
        allocation: The steps of each recipe.
        made: Told of each base that was made.
    """

    def __init__(
        self,
        weights: Sequence[Weights],
        bases: Bases,
        targets: Targets,
        allocation: Callable[[Recipe], Allocation],
        made: Callable[[], None],
    ) -> None:
        self._weights = weights
        self._bases = bases
        self._targets = targets
        self._allocation = allocation
        self._made = made

    def plain(self, rung: Rung) -> Base:
        """The base of a network of which nothing more is known."""
        start = self._guess(rung, PLAIN)
        return self._reach(rung, PLAIN, start, PLAIN_ROUNDS)[1]

    def best(self, rung: Rung, recipes: Sequence[Recipe] = RECIPES) -> tuple[Recipe, Base]:
        """The recipe that gives the most for its bytes, and its base."""
        favourite = recipes[0]
        place, base = self._reach(rung, favourite, self._guess(rung, favourite), ROUNDS)
        chosen, score = favourite, self._score(base)
        for recipe in recipes[1:]:
            there, other = self._as_large(recipe, place, base)
            if (found := self._score(other)) > score:
                chosen, score, place = recipe, found, there
        if chosen is not favourite:
            place, base = self._reach(rung, chosen, place, ROUNDS)
        return chosen, base

    def _make(self, recipe: Recipe, place: int) -> Base:
        base = self._bases.make(self._allocation(recipe), recipe, place)
        self._made()
        return base

    def _score(self, base: Base) -> float:
        """Output SNR less what the bytes alone would give."""
        bits = self._targets.bits([base.data]) / max(self._targets.weights, 1)
        return self._targets.outputs([base.data]) - DB_PER_BIT * bits

    def _as_large(self, recipe: Recipe, place: int, base: Base) -> tuple[int, Base]:
        """The base of another recipe that has about as many bytes."""
        other = self._make(recipe, place)
        excess = 8 * (len(base.data) - len(other.data)) / max(self._targets.weights, 1)
        there = place + round(excess * _PLACES_PER_BIT)
        return there, self._make(recipe, there)

    def _guess(self, rung: Rung, recipe: Recipe) -> int:
        """How fine a base of so many bits is, about."""
        relative = self._allocation(recipe).relative
        wanted = _FIRST_BITS * self._targets.weights
        if rung.target in (Target.BITS, Target.SIZE):
            wanted = self._targets.budget(rung)

        def is_rich_enough(steps: list[int]) -> bool:
            pairs = zip(self._weights, steps, strict=True)
            return sum(entropy_bits(w, step) for w, step in pairs if w.coded) > wanted

        return -choose_shift(self._weights, relative, is_rich_enough) * PLACES_PER_STEP

    def _reach(self, rung: Rung, recipe: Recipe, start: int, rounds: int) -> tuple[int, Base]:
        made: dict[int, Base] = {}  # the best one: each is as large as the network
        values: dict[int, float] = {}
        band = self._targets.band(rung)
        is_measured = rung.target is Target.OUTPUTS

        def measure(place: int) -> float:
            base = self._make(recipe, place)
            value = self._targets.outputs if is_measured else self._targets.bits
            values[place] = value([base.data])
            if band.best(values) == place:
                made.clear()
                made[place] = base
            return values[place]

        gain = DB_PER_BIT if is_measured else float(max(self._targets.weights, 1))
        place = search(
            measure,
            band,
            start=start,
            slope=gain / _PLACES_PER_BIT,
            low=-_FINEST,
            high=_FINEST,
            rounds=rounds,
        )
        return place, made[place]
