"""What to ask an encoder for, to come near a target on other inputs than it measures on."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

__all__ = ["expected", "search"]

_BEYOND_DB = 0.7
"""How far outside of the first and the last target points are looked for: these are to be
between points."""
_NEAR_DB = 0.6
_ROUNDS = 2
_LEAST, _MOST = 1.0, 100.0


def search(
    measure: Callable[[float], dict[str, Any]], targets: Sequence[float]
) -> list[dict[str, Any]]:
    """Points that were asked for at each target, then points that are near each target.

    Args:
        measure: From what is asked for, dB, to a point: `asked`, and what comes out of it on
            the inputs that count, `output_db`.
        targets: What is to come out, dB, rising.
    """
    points = [measure(target) for target in targets]
    goals = [targets[0] - _BEYOND_DB, *targets[1:-1], targets[-1] + _BEYOND_DB]
    for goal, _ in product(goals, range(_ROUNDS)):
        ask = min(max(expected(points, goal), _LEAST), _MOST)
        if all(abs(point["asked"] - ask) > _NEAR_DB for point in points):
            points.append(measure(ask))
    return points


def expected(points: Sequence[dict[str, Any]], goal: float) -> float:
    """What to ask for: between the nearest points below and above, or off the nearest point."""
    finite = [point for point in points if math.isfinite(point["output_db"])]
    below = [point for point in finite if point["output_db"] <= goal]
    above = [point for point in finite if point["output_db"] > goal]
    if below and above:
        low = max(below, key=lambda point: float(point["output_db"]))
        high = min(above, key=lambda point: float(point["output_db"]))
        share = (goal - low["output_db"]) / (high["output_db"] - low["output_db"])
        return float(low["asked"] + share * (high["asked"] - low["asked"]))
    near = min(finite, key=lambda point: abs(float(point["output_db"]) - goal), default=None)
    return goal if near is None else float(near["asked"] + goal - near["output_db"])
