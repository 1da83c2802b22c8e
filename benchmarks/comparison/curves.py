"""Rate-distortion curves and the means of ratios. Knows nothing of codecs or networks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Point", "bytes_at", "cheapest_at", "decibels_at", "envelope"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Point:
    """One encoded network."""

    size: float
    """Bytes."""
    db: float
    """Signal to noise, of weights or of outputs."""


def envelope(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in both: fewer bytes and more decibels; by size.

    Points that are not finite are left out.
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.size, -p.db)):
        if math.isfinite(point.db) and (not kept or point.db > kept[-1].db):
            kept.append(point)
    return kept


def bytes_at(points: Iterable[Point], db: float) -> float | None:
    """Bytes at so many decibels: the envelope, the logarithm of bytes linear in decibels.

    Returns:
        None where the envelope does not reach from below to above.
    """
    for low, high in pairwise(envelope(points)):
        if low.db <= db <= high.db:
            share = (db - low.db) / (high.db - low.db)
            return math.exp((1 - share) * math.log(low.size) + share * math.log(high.size))
    return None


def decibels_at(points: Iterable[Point], size: float) -> float | None:
    """Decibels at so many bytes, interpolated as in `bytes_at`.

    Returns:
        None where the envelope does not reach from below to above.
    """
    for low, high in pairwise(envelope(points)):
        if low.size <= size <= high.size:
            share = math.log(size / low.size) / math.log(high.size / low.size)
            return (1 - share) * low.db + share * high.db
    return None


def cheapest_at(curves: Sequence[Iterable[Point]], db: float) -> float | None:
    """Bytes at so many decibels on the best of several curves; None where none reaches."""
    sizes = [size for curve in curves if (size := bytes_at(curve, db)) is not None]
    return min(sizes, default=None)
