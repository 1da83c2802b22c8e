"""Signal-to-noise ratios in words and in JSON. Knows nothing of what was measured."""

import math

__all__ = ["as_json", "as_words"]


def as_json(value: float | None) -> float | str | None:
    """JSON has no infinity: "exact", and null where nothing was measured or there is no signal."""
    if value == math.inf:
        return "exact"
    return value if value is not None and math.isfinite(value) else None


def as_words(value: float | str | None) -> str:
    """To a tenth, "exact", or "-" where JSON has null; what as_json gives is taken too."""
    if not isinstance(value, str):
        value = as_json(value)
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.1f}"
