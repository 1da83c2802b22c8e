"""Rules that make one change of several. Knows nothing of providers or models.

Changes are vectors of the same length; `most_bad` of them may be anything at all.
"""

from collections.abc import Callable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, UsageError

__all__ = ["Rule", "combine"]

_ROUNDS = 16
_SMOOTHING = 1e-6
"""Of the mean distance: the least that a change counts as far from the median."""
_BLOCK = 1 << 16
"""Weights that are looked at as doubles at once."""

_Changes = Sequence[NDArray[np.float32]]
_Float = NDArray[np.float64]


class Rule(Enum):
    """How changes become one; with the least number of changes for f bad ones."""

    MEAN = "mean"
    """All count the same."""
    WEIGHTED = "weighted"
    """By size of data: federated averaging (McMahan et al. 2017, arXiv 1602.05629)."""
    TRIMMED_MEAN = "trimmed-mean"
    """Of each weight, without the f least and the f greatest; 2 f + 1 (Yin et al. 2018, arXiv
    1803.01498). Not for sparse changes: what one provider alone moved is trimmed."""
    MEDIAN = "median"
    """Of each weight; 2 f + 1 (the same paper, and the same of sparse changes)."""
    KRUM = "krum"
    """The one nearest to its n - f - 2 nearest; 2 f + 3 (Blanchard et al. 2017, NIPS)."""
    MULTI_KRUM = "multi-krum"
    """The mean of the n - f best by that measure; 2 f + 3 (the same paper)."""
    GEOMETRIC_MEDIAN = "geometric-median"
    """Least sum of distances, by Weiszfeld's steps; 2 f + 1 (Pillutla et al. 2022, arXiv
    1912.13445)."""

    def least(self, most_bad: int) -> int:
        """Changes that it takes to bear so many bad ones."""
        if self in (Rule.MEAN, Rule.WEIGHTED):
            return 1
        return 2 * most_bad + (3 if self in (Rule.KRUM, Rule.MULTI_KRUM) else 1)


def combine(
    changes: _Changes, rule: Rule, *, sizes: Sequence[float] | None = None, most_bad: int = 1
) -> tuple[_Float, tuple[float, ...] | None]:
    """One change of several.

    Args:
        changes: (floats,) each.
        rule: Which.
        sizes: Data of each, for WEIGHTED; the same for all where none are given.
        most_bad: Changes that may be anything.

    Returns:
        The change, (floats,); and what each counted, adding up to 1, or None where that
        differs from weight to weight.

    Raises:
        UsageError: BAD_ARGUMENT where they are too few, of other lengths, or sizes are not
            positive.
    """
    _check(changes, rule, most_bad)
    if by_weight := _BY_WEIGHT.get(rule):
        return _blockwise(changes, lambda block: by_weight(block, most_bad)), None
    shares = _shares(changes, rule, sizes, most_bad)
    return _blockwise(changes, lambda block: shares @ block), tuple(map(float, shares))


def _check(changes: _Changes, rule: Rule, most_bad: int) -> None:
    if most_bad < 0 or len(changes) < rule.least(most_bad):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"{rule.value}: {len(changes)} changes, expected {rule.least(max(most_bad, 0))} or "
            f"more to bear {most_bad} bad ones",
        )
    if len({change.shape for change in changes}) != 1:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{rule.value}: changes of different lengths")


def _blockwise(changes: _Changes, of: Callable[[_Float], _Float]) -> _Float:
    """What a function makes of all changes of some weights, (changes, weights) to (weights,)."""
    found = np.empty(len(changes[0]))
    for start in range(0, len(found), _BLOCK):
        here = slice(start, start + _BLOCK)
        found[here] = of(np.stack([change[here].astype(np.float64) for change in changes]))
    return found


def _trimmed_mean(block: _Float, most_bad: int) -> _Float:
    kept = np.sort(block, axis=0)[most_bad : len(block) - most_bad]
    mean: _Float = kept.mean(axis=0)
    return mean


def _median(block: _Float, _: int) -> _Float:
    middle: _Float = np.median(block, axis=0)
    return middle


_BY_WEIGHT = {Rule.TRIMMED_MEAN: _trimmed_mean, Rule.MEDIAN: _median}


def _shares(changes: _Changes, rule: Rule, sizes: Sequence[float] | None, most_bad: int) -> _Float:
    """What each change counts; (changes,)."""
    if rule is Rule.MEAN or (rule is Rule.WEIGHTED and sizes is None):
        return np.full(len(changes), 1 / len(changes))
    if rule is Rule.WEIGHTED:
        return _normalised(np.array(sizes, np.float64), len(changes))
    products = _products(changes)
    if rule is Rule.GEOMETRIC_MEDIAN:
        return _weiszfeld(products)
    chosen = 1 if rule is Rule.KRUM else len(changes) - most_bad
    best = np.argsort(_krum_scores(products, most_bad), kind="stable")[:chosen]
    shares = np.zeros(len(changes))
    shares[best] = 1 / chosen
    return shares


def _normalised(sizes: _Float, count: int) -> _Float:
    if sizes.shape != (count,) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, "weighted: expected one positive size of data for each change"
        )
    shares: _Float = sizes / sizes.sum()
    return shares


def _products(changes: _Changes) -> _Float:
    """Inner products of each two; (changes, changes)."""
    products = np.zeros((len(changes), len(changes)))
    for start in range(0, len(changes[0]), _BLOCK):
        block = np.stack([c[start : start + _BLOCK].astype(np.float64) for c in changes])
        products += block @ block.T
    return products


def _krum_scores(products: _Float, most_bad: int) -> _Float:
    """Sum of squared distances to the n - f - 2 nearest others; (changes,)."""
    norms = np.diag(products)
    squares = norms[:, None] + norms - 2 * products
    np.fill_diagonal(squares, np.inf)
    nearest = np.sort(squares, axis=1)[:, : len(products) - most_bad - 2]
    scores: _Float = nearest.sum(axis=1)
    return scores


def _weiszfeld(products: _Float) -> _Float:
    """Shares whose sum of changes has the least sum of distances from all of them."""
    shares = np.full(len(products), 1 / len(products))
    for _ in range(_ROUNDS):
        distances = _distances(products, shares)
        least = _SMOOTHING * float(distances.mean())
        if least == 0:
            break
        shares = 1 / np.maximum(distances, least)
        shares /= shares.sum()
    return shares


def _distances(products: _Float, shares: _Float) -> _Float:
    """Of each change from a sum of them with shares; (changes,)."""
    squares = np.diag(products) - 2 * products @ shares + shares @ products @ shares
    distances: _Float = np.sqrt(np.maximum(squares, 0))
    return distances
