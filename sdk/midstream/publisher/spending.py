"""Where the bytes of units went, tensor by tensor. Knows nothing of fidelity."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from midstream.decoder import read_stack

__all__ = ["spending"]


def spending(units: Sequence[bytes]) -> list[dict[str, Any]]:
    """Bytes of each tensor in a base and the units on it, and of the head.

    Small tensors share slices; each then counts by its number of weights.

    Args:
        units: The base, then each unit with the one before it as its parent.

    Returns:
        A row for each tensor, in JSON's types; the last is the head's.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
    """
    stack = read_stack(units)
    tensors = stack.head.topology.tensors
    sizes = np.zeros(len(tensors))
    for piece, records in zip(stack.head.slices, stack.records, strict=True):
        size = sum(len(record.payload) for record in records)
        for run in piece.runs:
            sizes[run.tensor] += size * run.weights / piece.weights
    rows = []
    for place, (tensor, code) in enumerate(zip(tensors, stack.head.codes, strict=True)):
        rows.append(
            {
                "tensor": place,
                "shape": "x".join(map(str, tensor.shape)),
                "bytes": round(float(sizes[place])),
                "bits/weight": round(8 * float(sizes[place]) / tensor.weights, 2),
                "step": f"2^{code.step / 16:.2f}" if code.coded else "-",
                "steps of": _axes(code.row_steps is not None, code.column_steps is not None),
            }
        )
    head = len(stack.head.write())
    return [
        *rows,
        {
            "tensor": "head",
            "shape": "-",
            "bytes": head,
            "bits/weight": "-",
            "step": "-",
            "steps of": "-",
        },
    ]


def _axes(rows: bool, columns: bool) -> str:
    return "+".join(name for name, has in (("rows", rows), ("columns", columns)) if has) or "-"
