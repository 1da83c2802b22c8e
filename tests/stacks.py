"""Units by hand: levels drawn for tensors of any shape, axes and parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream import Head, Operation, Record, Slice, Topology, write_unit
from midstream.codec import (
    Context,
    Folding,
    TensorCode,
    digits,
    exact,
    grid,
    kept,
    points,
    refined_points,
    storage,
    values,
)
from midstream.codec.lattice import BLOCK, blocks
from midstream.kernels.codewords import CODEWORDS
from midstream.kernels.numpy_runs import MIRRORED
from midstream.types import DType, Tensor, UnitKind

Rng = np.random.Generator


def tensors(rng: Rng, sizes: Sequence[tuple[int, ...]], dtypes: Sequence[DType]) -> list[Tensor]:
    """Tensors of these shapes, with rows and columns on some of their axes or none."""
    made: list[Tensor] = []
    for shape in sizes:
        axes = [int(axis) for axis in rng.permutation(len(shape))]
        made.append(
            Tensor(
                name="t",
                dtype=dtypes[int(rng.integers(len(dtypes)))],
                shape=shape,
                offset=made[-1].end + int(rng.integers(3)) if made else 5,
                row_axis=axes[0] if axes and rng.random() < 0.8 else None,
                column_axis=axes[1] if len(axes) > 1 and rng.random() < 0.7 else None,
            )
        )
    return made


def code_of(rng: Rng, tensor: Tensor) -> TensorCode:
    """Any parameters that a tensor may have."""
    is_float = tensor.dtype.is_float
    rows, columns = (
        None if axis is None else tensor.shape[axis]
        for axis in (tensor.row_axis, tensor.column_axis)
    )
    taps = tensor.weights // ((rows or 1) * (columns or 1))
    lattice = is_float and tensor.weights >= 4096 and rng.random() < 0.5
    places = sorted(rng.choice(10, int(rng.integers(0, 5)), replace=False).tolist())
    known = [] if rng.random() < 0.4 else places

    def vector(size: int | None, most: int, share: float) -> Any:
        if size is None or rng.random() > share:
            return None
        return rng.integers(-most, most + 1, size).astype(np.int8)

    return TensorCode(
        step=int(rng.integers(-90, 30)) if is_float else int(rng.integers(0, 3)),
        offset=0 if is_float else int(rng.integers(-20, 20)),
        shape=int(rng.integers(3)),
        width=int(rng.integers(-5, 30)),
        rows=vector(rows, 9, 0.7),
        columns=vector(columns, 9, 0.5),
        taps=vector(taps, 9, 0.4),
        row_steps=vector(rows if is_float else None, 6, 0.5),
        column_steps=vector(columns if is_float else None, 6, 0.3),
        predictor=tuple((place, int(rng.integers(-40, 41))) for place in known),
        lattice=lattice,
    )


def head_of(rng: Rng, made: Sequence[Tensor]) -> Head:
    """A head of tensors with parameters of some kind."""
    model = rng.integers(0, 256, made[-1].end + 3, np.uint8).tobytes()
    codes = tuple(code_of(rng, tensor) for tensor in made)
    return Head(topology=Topology.cut(model, made), codes=codes)


def levels_of(rng: Rng, context: Context) -> Any:
    """Levels about as wide as a context says, and a few that are far out."""
    count = len(context.width)
    sigma = 2.0 ** np.clip(context.width / 4 - 3, -3, 12)
    levels = np.rint(rng.standard_normal(count) * sigma).astype(np.int32)
    far = rng.random(count) < rng.choice([0, 0.001, 0.05])
    levels[far] = rng.integers(-1 << int(rng.integers(3, 26)), 1 << 9, int(far.sum()))
    if context.lattice:
        inside = levels[: count // 16 * 16].reshape(16, -1)
        inside *= 2
        inside += CODEWORDS[rng.integers(0, 32, inside.shape[1])].T
        inside[15] += -inside.sum(axis=0) & 3
        levels[count // 16 * 16 :] *= 2
    return levels


def folding_of(rng: Rng, weights: int) -> Folding | None:
    """Some weights that repeat others, or none."""
    runs, end = [], 1
    while rng.random() < 0.6 and end < weights:
        start = end + int(rng.integers(0, weights - end))
        source, kind = int(rng.integers(0, start)), int(rng.integers(8))
        most = min(weights - start, source + 1 if kind & MIRRORED else weights)
        runs.append((start, source, int(rng.integers(1, most + 1)), kind))
        end = start + runs[-1][2]
    return Folding.of(np.array(runs, np.int64), weights) if runs else None


def stored_of(rng: Rng, sizes: Any, piece: Slice, levels: Any) -> Any:
    """Floats next to levels of these steps, and a few that are nowhere near."""
    numbers = (levels + rng.uniform(-0.5, 0.5, len(levels))) * sizes
    numbers[rng.random(len(levels)) < 0.1] *= 1e-4
    numbers[rng.random(len(levels)) < 0.03] = 0.0
    far = rng.random(len(levels)) < rng.choice([0, 0.02])
    numbers[far] = rng.choice([-0.0, 3e8, -7e-9], int(far.sum()))
    return storage.from_float64(np.clip(numbers, -6e4, 6e4), piece.dtype)


WAYS = (
    (Operation.LEVELS,),
    (Operation.LEVELS, Operation.DIGITS),
    (Operation.LEVELS, Operation.DIGITS, Operation.DIGITS, Operation.EXACT),
    (Operation.LEVELS, Operation.EXACT),
    (Operation.LEVELS, Operation.DIGITS, Operation.RAW),
    (Operation.LEVELS, Operation.POINTS),
    (Operation.LEVELS, Operation.DIGITS, Operation.DIGITS, Operation.POINTS),
    (Operation.VALUES,),
    (Operation.RAW,),
)


def way_of(rng: Rng, head: Head, piece: Slice, context: Context) -> tuple[Operation, ...]:
    """What is done to a slice, of all that may be done."""
    floats = {Operation.EXACT, Operation.VALUES, Operation.POINTS}
    allowed = [
        way
        for way in WAYS
        if (piece.dtype.is_float or not floats.intersection(way))
        and not (context.lattice and {Operation.DIGITS, Operation.POINTS}.intersection(way))
        and (
            piece.dtype.is_float
            or all(head.codes[run.tensor].step >= way.count(Operation.DIGITS) for run in piece.runs)
        )
    ]
    return allowed[int(rng.integers(len(allowed)))]


def points_above(rng: Rng, parents: NDArray[np.int32], ratio: int) -> NDArray[np.int32]:
    """Points of the lattice in the cells of levels, whichever these are."""
    count, centres = blocks(len(parents)), ratio * parents.astype(np.int64)
    odd = np.zeros(len(parents), np.int64)
    odd[: BLOCK * count] = CODEWORDS[rng.integers(0, 32, count)].T.ravel()
    sign = rng.choice([-1, 1], len(parents))
    even = rng.choice([-2, 0, 2], len(parents)) if ratio > 3 else 0
    children = centres + np.where((odd ^ parents) & 1, sign, even)
    last = slice((BLOCK - 1) * count, BLOCK * count)
    sums = children[: last.start].reshape(-1, count).sum(axis=0) if count else 0
    rest = (-sums - centres[last]) & 3
    children[last] = centres[last] + np.where(rest == 2, 2 * sign[last], ((rest + 1) & 3) - 1)
    return children.astype(np.int32)


def payloads_of(rng: Rng, head: Head, piece: Slice) -> list[tuple[Operation, bytes]]:
    """A slice's operations and payloads."""
    context, trits, made = head.context(piece), 0, []
    way = way_of(rng, head, piece, context)
    is_climb = piece.dtype.is_float and way[0] is Operation.LEVELS
    folding = folding_of(rng, piece.weights) if is_climb else None
    if folding is not None:
        context = folding.context(context)
        made.append((Operation.REPEATS, folding.write()))
    levels = levels_of(rng, context)
    for operation in way:
        if operation is Operation.LEVELS:
            payload = points.encode_many([levels], [context])[0]
        elif operation is Operation.DIGITS:
            moved = rng.random(len(levels)) < rng.choice([0, 0.02])
            finer = 3 * levels + np.where(moved, rng.integers(-9, 10), rng.integers(-1, 2))
            payload = digits.encode(levels, finer.astype(np.int32), context, trits)
            levels, trits = finer.astype(np.int32), trits + 1
        elif operation is Operation.POINTS:
            ratio = int(rng.choice(refined_points.RATIOS))
            found = points_above(rng, levels, ratio)
            payload = refined_points.encode_many([levels], [found], [context], [trits], [ratio])[0]
        elif operation is Operation.RAW and not piece.dtype.is_float:
            payload = kept.encode(grid.reconstruct(levels, piece.dtype, 0), piece.dtype)
        else:
            steps = head.steps(piece)
            if folding is not None:
                steps = steps[folding.places]
            sizes = grid.step_sizes(steps, trits, piece.dtype)
            payload = _exact_of(rng, head, piece, operation, levels, sizes)
        made.append((operation, payload))
    return made


def _exact_of(
    rng: Rng, head: Head, piece: Slice, operation: Operation, levels: Any, sizes: Any
) -> bytes:
    if operation is Operation.RAW:
        whole = np.resize(levels, piece.weights), np.resize(sizes, piece.weights)
        return kept.encode(stored_of(rng, whole[1], piece, whole[0]), piece.dtype)
    stored = stored_of(rng, sizes, piece, levels)
    if operation is Operation.VALUES:
        return values.encode_many([stored], [head.sigmas(piece)], [piece.dtype])[0]
    return exact.encode(stored, levels, sizes, piece.dtype)


def any_units(
    rng: Rng, sizes: Sequence[tuple[int, ...]], dtypes: Sequence[DType] = tuple(DType)
) -> list[bytes]:
    """A base and what goes on it, of tensors of these shapes; anything about them drawn."""
    head = head_of(rng, tensors(rng, sizes, dtypes))
    first, more = [], []
    for index, piece in enumerate(head.slices):
        records = [
            Record(slice=index, operation=operation, payload=payload)
            for operation, payload in payloads_of(rng, head, piece)
        ]
        count = 1 + (records[0].operation is Operation.REPEATS)
        first += records[:count]
        more += records[count:]
    return [
        write_unit(UnitKind.BASE, 0, head.write(), first),
        write_unit(UnitKind.EXACT, 1, b"", more),
    ]
