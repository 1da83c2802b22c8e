"""Tensors, slices and prediction. Knows nothing of how anything is written."""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

BITS = {1: 32, 2: 16, 3: 16, 4: 32, 5: 8, 6: 8, 7: 4}  # of a weight of each dtype
MANTISSA = {1: 23, 2: 10, 3: 7}  # bits of it, of the floats
BACK = (1, 2, 3, 4, 6, 1, 2, 1, 2, 1)  # places that each neighbour goes back on its axis


@dataclass
class Tensor:
    """An entry of the tensor table with its parameters."""

    offset: int
    dtype: int
    row_axis: int | None
    column_axis: int | None
    shape: list[int]
    coded: bool = False
    kind: int = 0  # the shape of its distributions
    lattice: bool = False
    step: int = 0  # step index, or trit exponent
    width: int = 0
    zero: int = 0  # value of level 0
    scales: list[list[int]] = field(default_factory=lambda: [[], [], []])  # rows, columns, taps
    steps: list[list[int]] = field(default_factory=lambda: [[], []])  # rows, columns
    predictor: dict[int, int] = field(default_factory=dict)
    tied: "Tensor | None" = None

    def __post_init__(self) -> None:
        self.weights = math.prod(self.shape)
        self.size = (self.weights * BITS[self.dtype] + 7) // 8
        self.strides = [math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))]
        used = (self.row_axis, self.column_axis)
        self.tap_axes = [i for i in range(len(self.shape)) if i not in used]

    @property
    def is_float(self) -> bool:
        """Whether its weights are floats."""
        return self.dtype in MANTISSA

    def on(self, axis: int | None, at: int) -> int:
        """The place of a weight on an axis."""
        return 0 if axis is None else at // self.strides[axis] % self.shape[axis]

    def places(self, at: int) -> tuple[int, int, int]:
        """Row, column and tap of a weight."""
        tap = 0
        for axis in self.tap_axes:
            tap = tap * self.shape[axis] + self.on(axis, at)
        return self.on(self.row_axis, at), self.on(self.column_axis, at), tap

    def sigma_width(self, at: int) -> int:
        """The width w of a weight."""
        scales = zip(self.scales, self.places(at), strict=True)
        return self.width + sum(vector[i] for vector, i in scales if vector)

    def value_width(self, at: int) -> int:
        """The width of a weight's values over the step of the tensor."""
        added = sum(v[i] for v, i in zip(self.steps, self.places(at), strict=False) if v)
        return self.sigma_width(at) + 2 * added

    def step_index(self, at: int) -> int:
        """The step index of a weight."""
        added = sum(v[i] for v, i in zip(self.steps, self.places(at), strict=False) if v)
        return min(max(self.step + 8 * added, -2560), 2560)

    @functools.cached_property
    def neighbours(self) -> list[tuple[int, int, int]]:
        """Number, axis and distance of each neighbour that counts."""
        taps = [axis for axis in self.tap_axes if self.shape[axis] > 1]
        last, first = taps[-1] if taps else None, taps[0] if len(taps) > 1 else None
        axes = [self.row_axis] * 5 + [self.column_axis] * 2 + [last] * 2 + [first]
        out = []
        for p, c in self.predictor.items():
            axis = axes[p]
            if c and axis is not None and self.shape[axis] > BACK[p]:
                out.append((p, axis, BACK[p] * self.strides[axis]))
        return out


Piece = tuple[Tensor, int, int]
"""A tensor, and the run of its weights from one place to another."""
Weight = tuple[Tensor, int, int]
"""A tensor, the place of one of its weights, and the first of its places in the slice."""


def neighbours_of(tensor: Tensor, at: int, start: int) -> list[tuple[int, int, int]]:
    """Those of one weight, of a tensor whose first weight in the slice is at `start`."""
    segment = min(tensor.strides[axis] for _, axis, _ in tensor.neighbours)
    first = max(start, at // segment * segment)
    return [
        (p, axis, distance)
        for p, axis, distance in tensor.neighbours
        if tensor.on(axis, at) >= BACK[p] and first - distance >= start
    ]


@functools.cache
def gain(half_octaves: int) -> int:
    """256 * 2^(d / 2), to the nearest integer."""
    return round(256 * 2 ** (min(max(half_octaves, -24), 24) / 2))


class Slice:
    """A run of weights: pieces of tensors, with what decoding has made of them."""

    def __init__(self, pieces: Sequence[Piece]):
        self.pieces = pieces
        first = pieces[0][0]
        self.dtype, self.coded, self.is_float = first.dtype, first.coded, first.is_float
        self.every = [(t, at, start) for t, start, stop in pieces for at in range(start, stop)]
        self.weights = self.every  # those that are coded
        self.copies: list[tuple[int, bool]] = []  # see `fold`
        self.state: int | None = None  # the last operation
        self.digits = 0
        self.ratio = 1  # half steps that a step was cut into after them
        self.levels: list[int] = []
        self.climb: list[list[int]] = []  # levels of the base, and after each digit
        self.data = b""
        near = (d for w in self.weights if w[0].neighbours for _, _, d in neighbours_of(*w))
        self.nearest = min(near, default=32)

    def fold(self, copies: list[tuple[int, bool]]) -> None:
        """Leave weights out: for each, the coded one that it is, and whether it is minus that."""
        first = dict[int, Weight]()
        for weight, (source, _) in zip(self.every, copies, strict=True):
            first.setdefault(source, weight)
        self.copies, self.weights, self.nearest = copies, [*first.values()], 32

    def spread(self, levels: Sequence[int]) -> list[int]:
        """The levels of all weights from those that are coded."""
        if not self.copies:
            return list(levels)
        return [-levels[source] if negative else levels[source] for source, negative in self.copies]

    def mean(self, levels: Sequence[int], i: int) -> int:
        """The mean of weight i in half steps."""
        tensor, at, start = self.weights[i]
        near = neighbours_of(tensor, at, start) if tensor.neighbours and not self.copies else []
        total = 2048 if near else 0
        for p, axis, distance in near:
            steps = tensor.steps[p > 4] if p < 7 else []
            d = steps[tensor.on(axis, at - distance)] - steps[tensor.on(axis, at)] if steps else 0
            u = min(max(levels[i - distance], -(1 << 20)), 1 << 20)
            total += tensor.predictor[p] * gain(d) * u
        return total >> 12


def cut(tensors: Sequence[Tensor]) -> list[Slice]:
    """The slices of a network."""
    slices, open_slices = list[list[Piece]](), dict[tuple[int, bool], list[Piece]]()
    for tensor in (tensor for tensor in tensors if tensor.tied is None):
        n, key = tensor.weights, (tensor.dtype, tensor.coded)
        if n >= 4096:
            count = -(-n // 65536)
            starts = [(n * i // count + 1) // 2 * 2 for i in range(count)] + [n]
            slices += [[(tensor, *pair)] for pair in itertools.pairwise(starts)]
            continue
        if key not in open_slices or sum(stop for _, _, stop in open_slices[key]) + n > 16384:
            open_slices[key] = []
            slices.append(open_slices[key])
        open_slices[key].append((tensor, 0, n))
    return [Slice(pieces) for pieces in slices]
