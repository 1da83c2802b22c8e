"""One operator, as a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.analysis.steps import Code
from models import Scalar, Tflite

Shape = tuple[int, ...]
Constant = NDArray[Any]


def ints(*values: int) -> Constant:
    return np.array(values, "<i4")


def normal(*shape: int, scale: float = 1.0) -> Constant:
    return (np.random.default_rng(7).standard_normal(shape) * scale).astype("f4")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operator on its own."""

    code: Code
    inputs: Sequence[Shape | Constant | None]
    """Shapes of what varies, constants, and what is left out."""
    outputs: Sequence[Shape]
    kind: int = 0
    """Number of the type of the options."""
    options: Mapping[int, Scalar] = field(default_factory=dict)
    about: float = 0.0
    """Mean of the inputs."""

    def model(self) -> bytes:
        net = Tflite()
        numbers, sources = [], []
        for place, one in enumerate(self.inputs):
            if one is None:
                numbers.append(-1)
            elif isinstance(one, np.ndarray):
                numbers.append(net.weights(f"constant{place}", one))
            else:
                sources.append(net.tensor(f"input{place}", one))
                numbers.append(sources[-1])
        results = [net.tensor(f"output{at}", shape) for at, shape in enumerate(self.outputs)]
        net.operator(self.code, numbers, results, (self.kind, self.options))
        return net.file(sources, results)


def byte(value: int) -> Scalar:
    return Scalar("b", value)


def int32(value: int) -> Scalar:
    return Scalar("i", value)


def conv(
    padding: int, stride: int = 1, dilation: int = 1, activation: int = 0
) -> dict[int, Scalar]:
    return {
        0: byte(padding),
        1: int32(stride),
        2: int32(stride),
        3: byte(activation),
        4: int32(dilation),
        5: int32(dilation),
    }


def deep(
    padding: int, stride: int = 1, multiplier: int = 1, dilation: int = 1
) -> dict[int, Scalar]:
    return {
        0: byte(padding),
        1: int32(stride),
        2: int32(stride),
        3: int32(multiplier),
        4: byte(1),
        5: int32(dilation),
        6: int32(dilation),
    }


def pool(padding: int, stride: int, size: int, activation: int = 0) -> dict[int, Scalar]:
    return {
        0: byte(padding),
        1: int32(stride),
        2: int32(stride),
        3: int32(size),
        4: int32(size),
        5: byte(activation),
    }


def unary(code: Code, *, about: float = 0.0, **options: Any) -> Case:
    return Case(code=code, inputs=[(1, 3, 4)], outputs=[(1, 3, 4)], about=about, **options)


def binary(code: Code, kind: int = 0, *, activation: int | None = None, about: float = 0.0) -> Case:
    options = {} if activation is None else {0: byte(activation)}
    inputs, outputs = [(2, 3, 4), (3, 1)], [(2, 3, 4)]
    return Case(code=code, inputs=inputs, outputs=outputs, kind=kind, options=options, about=about)
