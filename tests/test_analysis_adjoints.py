"""Each adjoint against finite differences through the interpreter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.analysis.adjoints import ADJOINTS, CONSTANT
from midstream.analysis.backward import find_route, go_back
from midstream.analysis.steps import Code
from midstream.formats.graph import read_graph
from midstream.runtime import InterpreterBackend, Tracer, find_backend
from models import Scalar, Tflite

Shape = tuple[int, ...]
Constant = NDArray[Any]
STEP = 2e-3


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


X = (1, 7, 6, 2)
CASES = {
    "conv same": Case(
        code=Code.CONV_2D,
        inputs=[X, (3, 3, 3, 2), (3,)],
        outputs=[(1, 7, 6, 3)],
        kind=1,
        options=conv(0, activation=1),
    ),
    "conv strided": Case(
        code=Code.CONV_2D,
        inputs=[X, (3, 3, 3, 2), (3,)],
        outputs=[(1, 4, 3, 3)],
        kind=1,
        options=conv(0, 2, activation=2),
    ),
    "conv dilated": Case(
        code=Code.CONV_2D,
        inputs=[X, (3, 3, 2, 2), (3,)],
        outputs=[(1, 3, 4, 3)],
        kind=1,
        options=conv(1, 1, 2),
    ),
    "conv 1x1": Case(
        code=Code.CONV_2D,
        inputs=[X, (3, 1, 1, 2), (3,)],
        outputs=[(1, 7, 6, 3)],
        kind=1,
        options=conv(0, activation=3),
    ),
    "conv in groups": Case(
        code=Code.CONV_2D,
        inputs=[(1, 5, 5, 4), (6, 3, 3, 2), (6,)],
        outputs=[(1, 5, 5, 6)],
        kind=1,
        options=conv(0),
    ),
    "conv of two pictures": Case(
        code=Code.CONV_2D,
        inputs=[(2, 5, 4, 2), (3, 3, 3, 2), (3,)],
        outputs=[(2, 5, 4, 3)],
        kind=1,
        options=conv(0),
    ),
    "depthwise": Case(
        code=Code.DEPTHWISE_CONV_2D,
        inputs=[X, (1, 3, 3, 2), (2,)],
        outputs=[(1, 7, 6, 2)],
        kind=2,
        options=deep(0),
    ),
    "depthwise strided": Case(
        code=Code.DEPTHWISE_CONV_2D,
        inputs=[X, (1, 5, 3, 2), (2,)],
        outputs=[(1, 4, 3, 2)],
        kind=2,
        options=deep(0, 2),
    ),
    "depthwise multiplied": Case(
        code=Code.DEPTHWISE_CONV_2D,
        inputs=[X, (1, 3, 3, 6), (6,)],
        outputs=[(1, 5, 4, 6)],
        kind=2,
        options=deep(1, multiplier=3),
    ),
    "depthwise dilated": Case(
        code=Code.DEPTHWISE_CONV_2D,
        inputs=[X, (1, 3, 3, 2), (2,)],
        outputs=[(1, 7, 6, 2)],
        kind=2,
        options=deep(0, dilation=2),
    ),
    "fully connected": Case(
        code=Code.FULLY_CONNECTED,
        inputs=[(3, 5), (4, 5), (4,)],
        outputs=[(3, 4)],
        kind=8,
        options={0: byte(1)},
    ),
    "fully connected without bias": Case(
        code=Code.FULLY_CONNECTED, inputs=[(1, 5), (4, 5), None], outputs=[(1, 4)], kind=8
    ),
    "transposed conv": Case(
        code=Code.TRANSPOSE_CONV,
        inputs=[ints(1, 8, 6, 3), (3, 3, 3, 2), (1, 4, 3, 2), (3,)],
        outputs=[(1, 8, 6, 3)],
        kind=49,
        options={0: byte(0), 1: int32(2), 2: int32(2)},
    ),
    "transposed conv valid": Case(
        code=Code.TRANSPOSE_CONV,
        inputs=[ints(1, 9, 7, 3), (3, 3, 3, 2), (1, 4, 3, 2)],
        outputs=[(1, 9, 7, 3)],
        kind=49,
        options={0: byte(1), 1: int32(2), 2: int32(2)},
    ),
    "batch matmul": Case(
        code=Code.BATCH_MATMUL, inputs=[(2, 3, 4), (2, 4, 5)], outputs=[(2, 3, 5)], kind=101
    ),
    "batch matmul turned": Case(
        code=Code.BATCH_MATMUL,
        inputs=[(2, 3, 4), (1, 5, 4)],
        outputs=[(2, 3, 5)],
        kind=101,
        options={1: byte(1)},
    ),
    "average pool": Case(
        code=Code.AVERAGE_POOL_2D, inputs=[X], outputs=[(1, 4, 3, 2)], kind=5, options=pool(0, 2, 3)
    ),
    "global pool": Case(
        code=Code.AVERAGE_POOL_2D,
        inputs=[(1, 6, 6, 2)],
        outputs=[(1, 1, 1, 2)],
        kind=5,
        options=pool(1, 1, 6),
    ),
    "max pool": Case(
        code=Code.MAX_POOL_2D, inputs=[X], outputs=[(1, 3, 2, 2)], kind=5, options=pool(1, 2, 3)
    ),
    "max pool same": Case(
        code=Code.MAX_POOL_2D, inputs=[X], outputs=[(1, 7, 6, 2)], kind=5, options=pool(0, 1, 2, 1)
    ),
    "mean": Case(code=Code.MEAN, inputs=[X, ints(1, 2)], outputs=[(1, 2)], kind=27),
    "mean kept": Case(
        code=Code.MEAN,
        inputs=[X, ints(-1)],
        outputs=[(1, 7, 6, 1)],
        kind=27,
        options={0: byte(1)},
    ),
    "sum": Case(code=Code.SUM, inputs=[X, ints(3)], outputs=[(1, 7, 6)], kind=27),
    "largest": Case(code=Code.REDUCE_MAX, inputs=[X, ints(1)], outputs=[(1, 6, 2)], kind=27),
    "smallest": Case(code=Code.REDUCE_MIN, inputs=[X, ints(3)], outputs=[(1, 7, 6)], kind=27),
    "add": binary(Code.ADD, 11, activation=1),
    "subtract": binary(Code.SUB, 28),
    "multiply": binary(Code.MUL, 21, activation=1),
    "divide": binary(Code.DIV, 29, about=5.0),
    "divide and clip": binary(Code.DIV, 29, about=5.0, activation=2),
    "power": binary(Code.POW, 56, about=4.0),
    "squared difference": binary(Code.SQUARED_DIFFERENCE, 76),
    "maximum": binary(Code.MAXIMUM, 39),
    "minimum": binary(Code.MINIMUM, 39),
    "add many": Case(code=Code.ADD_N, inputs=[(2, 3)] * 3, outputs=[(2, 3)], kind=82),
    "prelu": Case(
        code=Code.PRELU, inputs=[(1, 3, 4, 5), (1, 1, 5)], outputs=[(1, 3, 4, 5)], kind=0
    ),
    "select": Case(
        code=Code.SELECT_V2,
        inputs=[np.array([[True], [False], [True]]), (3, 4), (4,)],
        outputs=[(3, 4)],
        kind=98,
    ),
    "relu": unary(Code.RELU),
    "relu6": unary(Code.RELU6, about=5.5),
    "relu between": unary(Code.RELU_N1_TO_1),
    "leaky relu": unary(Code.LEAKY_RELU, kind=75, options={0: Scalar("f", 0.3)}),
    "elu": unary(Code.ELU),
    "gelu": unary(Code.GELU, kind=116),
    "logistic": unary(Code.LOGISTIC),
    "tanh": unary(Code.TANH),
    "hard swish": unary(Code.HARD_SWISH),
    "exp": unary(Code.EXP, kind=33),
    "log": unary(Code.LOG, about=5.0),
    "sqrt": unary(Code.SQRT, about=5.0),
    "rsqrt": unary(Code.RSQRT, about=5.0),
    "square": unary(Code.SQUARE, kind=66),
    "abs": unary(Code.ABS, kind=78),
    "neg": unary(Code.NEG, kind=42),
    "sin": unary(Code.SIN),
    "cos": unary(Code.COS, kind=84),
    "softmax": unary(Code.SOFTMAX, kind=9, options={0: Scalar("f", 0.7)}),
    "log softmax": unary(Code.LOG_SOFTMAX, kind=36),
    "normalise": unary(Code.L2_NORMALIZATION, kind=12),
    "bilinear": Case(
        code=Code.RESIZE_BILINEAR,
        inputs=[X, ints(14, 9)],
        outputs=[(1, 14, 9, 2)],
        kind=15,
        options={2: byte(0), 3: byte(0)},
    ),
    "bilinear aligned": Case(
        code=Code.RESIZE_BILINEAR,
        inputs=[X, ints(13, 4)],
        outputs=[(1, 13, 4, 2)],
        kind=15,
        options={2: byte(1)},
    ),
    "bilinear centred": Case(
        code=Code.RESIZE_BILINEAR,
        inputs=[X, ints(14, 12)],
        outputs=[(1, 14, 12, 2)],
        kind=15,
        options={3: byte(1)},
    ),
    "nearest": Case(
        code=Code.RESIZE_NEAREST_NEIGHBOR,
        inputs=[X, ints(14, 9)],
        outputs=[(1, 14, 9, 2)],
        kind=74,
    ),
    "nearest aligned": Case(
        code=Code.RESIZE_NEAREST_NEIGHBOR,
        inputs=[X, ints(10, 9)],
        outputs=[(1, 10, 9, 2)],
        kind=74,
        options={0: byte(1)},
    ),
    "nearest centred": Case(
        code=Code.RESIZE_NEAREST_NEIGHBOR,
        inputs=[X, ints(10, 9)],
        outputs=[(1, 10, 9, 2)],
        kind=74,
        options={1: byte(1)},
    ),
    "pad": Case(
        code=Code.PAD,
        inputs=[X, ints(0, 0, 1, 2, 0, 3, 0, 0).reshape(4, 2)],
        outputs=[(1, 10, 9, 2)],
        kind=22,
    ),
    "pad with a number": Case(
        code=Code.PADV2,
        inputs=[X, ints(0, 0, 1, 2, 0, 3, 0, 0).reshape(4, 2), np.array([3], "f4")],
        outputs=[(1, 10, 9, 2)],
        kind=43,
    ),
    "mirror": Case(
        code=Code.MIRROR_PAD,
        inputs=[X, ints(0, 0, 1, 2, 2, 3, 0, 0).reshape(4, 2)],
        outputs=[(1, 10, 11, 2)],
        kind=77,
    ),
    "mirror with the edge": Case(
        code=Code.MIRROR_PAD,
        inputs=[X, ints(0, 0, 1, 2, 2, 3, 0, 0).reshape(4, 2)],
        outputs=[(1, 10, 11, 2)],
        kind=77,
        options={0: byte(1)},
    ),
    "concatenate": Case(
        code=Code.CONCATENATION,
        inputs=[(1, 3, 2), (1, 3, 4)],
        outputs=[(1, 3, 6)],
        kind=10,
        options={0: int32(-1), 1: byte(0)},
    ),
    "reshape": Case(code=Code.RESHAPE, inputs=[X, ints(1, 84)], outputs=[(1, 84)], kind=17),
    "squeeze": Case(code=Code.SQUEEZE, inputs=[(1, 3, 1, 2)], outputs=[(3, 2)], kind=30),
    "expand": Case(code=Code.EXPAND_DIMS, inputs=[(3, 2), ints(1)], outputs=[(3, 1, 2)], kind=52),
    "transpose": Case(
        code=Code.TRANSPOSE, inputs=[(2, 3, 4), ints(2, 0, 1)], outputs=[(4, 2, 3)], kind=26
    ),
    "strided slice": Case(
        code=Code.STRIDED_SLICE,
        inputs=[(4, 5, 6), ints(0, 1, 5), ints(9, 4, 1), ints(1, 2, -2)],
        outputs=[(4, 2, 2)],
        kind=32,
        options={1: int32(1)},
    ),
    "strided slice that shrinks": Case(
        code=Code.STRIDED_SLICE,
        inputs=[(4, 5, 6), ints(-1, 0), ints(0, 0), ints(1, 1)],
        outputs=[(5, 6)],
        kind=32,
        options={0: int32(2), 1: int32(2), 4: int32(1)},
    ),
    "slice": Case(
        code=Code.SLICE,
        inputs=[(4, 5), ints(1, 2), ints(2, -1)],
        outputs=[(2, 3)],
        kind=48,
    ),
    "split": Case(
        code=Code.SPLIT,
        inputs=[ints(1).reshape(()), (2, 6)],
        outputs=[(2, 3), (2, 3)],
        kind=35,
        options={0: int32(2)},
    ),
    "split unevenly": Case(
        code=Code.SPLIT_V,
        inputs=[(2, 6), ints(2, 4), ints(1).reshape(())],
        outputs=[(2, 2), (2, 4)],
        kind=79,
        options={0: int32(2)},
    ),
    "unpack": Case(
        code=Code.UNPACK,
        inputs=[(2, 3)],
        outputs=[(3,), (3,)],
        kind=64,
        options={0: int32(2), 1: int32(0)},
    ),
    "pack": Case(
        code=Code.PACK,
        inputs=[(2, 3), (2, 3)],
        outputs=[(2, 3, 2)],
        kind=59,
        options={0: int32(2), 1: int32(-1)},
    ),
    "depth to space": Case(
        code=Code.DEPTH_TO_SPACE,
        inputs=[(1, 2, 3, 8)],
        outputs=[(1, 4, 6, 2)],
        kind=94,
        options={0: int32(2)},
    ),
    "space to depth": Case(
        code=Code.SPACE_TO_DEPTH,
        inputs=[(1, 4, 6, 2)],
        outputs=[(1, 2, 3, 8)],
        kind=19,
        options={0: int32(2)},
    ),
    "space to batch": Case(
        code=Code.SPACE_TO_BATCH_ND,
        inputs=[(1, 3, 5, 2), ints(2, 3), ints(0, 1, 1, 0).reshape(2, 2)],
        outputs=[(6, 2, 2, 2)],
        kind=25,
    ),
    "batch to space": Case(
        code=Code.BATCH_TO_SPACE_ND,
        inputs=[(6, 2, 2, 2), ints(2, 3), ints(0, 1, 1, 0).reshape(2, 2)],
        outputs=[(1, 3, 5, 2)],
        kind=24,
    ),
    "gather": Case(
        code=Code.GATHER,
        inputs=[(4, 3), ints(2, 0, 2)],
        outputs=[(3, 3)],
        kind=23,
        options={0: int32(0)},
    ),
    "tile": Case(code=Code.TILE, inputs=[(2, 3), ints(2, 3)], outputs=[(4, 9)], kind=51),
    "broadcast": Case(
        code=Code.BROADCAST_TO, inputs=[(2, 1), ints(3, 2, 4)], outputs=[(3, 2, 4)], kind=104
    ),
    "reverse": Case(code=Code.REVERSE_V2, inputs=[(2, 3), ints(1)], outputs=[(2, 3)], kind=81),
}


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def gradients(
    model: bytes, tracer: Tracer, seeds: Sequence[NDArray[np.float32]]
) -> dict[int, NDArray[np.float32]]:
    """By input, after a run."""
    graph = read_graph(model)
    route = find_route(graph, {number: place for place, number in enumerate(graph.inputs)})
    found: dict[int, NDArray[np.float32]] = {}
    go_back(
        graph,
        route,
        tracer.value,
        dict(zip(graph.outputs, seeds, strict=True)),
        lambda place, gradient: found.update({place: gradient}),
    )
    return found


@pytest.mark.parametrize("name", CASES)
def test_an_adjoint_gives_what_finite_differences_do(
    name: str, backend: InterpreterBackend
) -> None:
    case, rng = CASES[name], np.random.default_rng(1)
    model = case.model()
    tracer = backend.trace(model)
    inputs = [(rng.standard_normal(info.shape) + case.about).astype("f4") for info in tracer.inputs]
    outputs = tracer.run(inputs)
    assert [array.shape for array in outputs] == list(case.outputs)
    seeds = [rng.standard_normal((2, *array.shape)).astype("f4") for array in outputs]
    found = gradients(model, tracer, seeds)
    assert found.keys() == set(range(len(inputs)))

    def sums(changed: list[NDArray[np.float32]]) -> NDArray[np.float64]:
        pairs = zip(seeds, tracer.run(changed), strict=True)
        return np.sum([(s * o).astype("f8").reshape(2, -1).sum(axis=1) for s, o in pairs], axis=0)

    for place, array in enumerate(inputs):
        assert found[place].shape == (2, *array.shape)
        for at in rng.choice(array.size, min(8, array.size), replace=False):
            up, down = array.copy(), array.copy()
            up.ravel()[at] += STEP
            down.ravel()[at] -= STEP
            rise = sums([*inputs[:place], up, *inputs[place + 1 :]])
            fall = sums([*inputs[:place], down, *inputs[place + 1 :]])
            expected = (rise - fall) / (up.ravel()[at] - down.ravel()[at]).astype("f8")
            assert np.allclose(found[place].reshape(2, -1)[:, at], expected, rtol=0.02, atol=0.02)


def test_every_adjoint_is_tried() -> None:
    tried = {case.code for case in CASES.values()}
    passed = {Code.CAST, Code.DENSIFY, Code.DEQUANTIZE, Code.FAKE_QUANT, Code.QUANTIZE}
    assert set(ADJOINTS) - tried - passed == {Code.CUSTOM, Code.SELECT}
    assert not CONSTANT & ADJOINTS.keys()
