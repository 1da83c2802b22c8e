"""Arrays of networks whose releases follow each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


def moved(array: NDArray[Any], scale: float, seed: int = 7) -> NDArray[Any]:
    noise = np.random.default_rng(seed).standard_normal(array.shape) * scale
    return (array + noise).astype(array.dtype)


def changed_somewhere(draw: st.DrawFn, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the next release: one moved, partly replaced, or of other rows."""
    seed = draw(st.integers(0, 1 << 16))
    rng = np.random.default_rng(seed)
    name = draw(st.sampled_from(sorted(arrays)))
    old = arrays[name]
    if draw(st.booleans()) and old.dtype.kind == "f":
        new = moved(old, 10.0 ** -draw(st.integers(0, 6)), seed)
    elif draw(st.booleans()):
        new = np.where(rng.random(old.shape) < 0.1, old[::-1], old)
    else:
        rows = rng.integers(1, 1 + 2 * len(old), size=1)[0]
        new = np.resize(old, (int(rows), *old.shape[1:])).astype(old.dtype)
    return {**arrays, name: new}
