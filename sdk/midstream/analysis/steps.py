"""One operator of a run, with the numbers it read and wrote. Knows nothing of what ran it."""

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from midstream.formats.graph import Graph, Operator

__all__ = ["Activation", "Adjoint", "Code", "Found", "Numbers", "Pull", "Reader", "Step"]

Numbers = NDArray[np.float32]
"""Real numbers of a variable, or gradients of it with projections first."""
Reader = Callable[[int], NDArray[np.generic] | None]
"""From a variable's number to its stored numbers in this run; None where there are none."""


class Code(IntEnum):
    """Operators of the TFLite schema that are known here."""

    ADD = 0
    AVERAGE_POOL_2D = 1
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEPTH_TO_SPACE = 5
    DEQUANTIZE = 6
    FLOOR = 8
    FULLY_CONNECTED = 9
    L2_NORMALIZATION = 11
    LOGISTIC = 14
    MAX_POOL_2D = 17
    MUL = 18
    RELU = 19
    RELU_N1_TO_1 = 20
    RELU6 = 21
    RESHAPE = 22
    RESIZE_BILINEAR = 23
    SOFTMAX = 25
    SPACE_TO_DEPTH = 26
    TANH = 28
    CUSTOM = 32
    PAD = 34
    GATHER = 36
    BATCH_TO_SPACE_ND = 37
    SPACE_TO_BATCH_ND = 38
    TRANSPOSE = 39
    MEAN = 40
    SUB = 41
    DIV = 42
    SQUEEZE = 43
    STRIDED_SLICE = 45
    EXP = 47
    SPLIT = 49
    LOG_SOFTMAX = 50
    CAST = 53
    PRELU = 54
    MAXIMUM = 55
    ARG_MAX = 56
    MINIMUM = 57
    LESS = 58
    NEG = 59
    PADV2 = 60
    GREATER = 61
    GREATER_EQUAL = 62
    LESS_EQUAL = 63
    SLICE = 65
    SIN = 66
    TRANSPOSE_CONV = 67
    TILE = 69
    EXPAND_DIMS = 70
    EQUAL = 71
    NOT_EQUAL = 72
    LOG = 73
    SUM = 74
    SQRT = 75
    RSQRT = 76
    SHAPE = 77
    POW = 78
    ARG_MIN = 79
    FAKE_QUANT = 80
    REDUCE_MAX = 82
    PACK = 83
    UNPACK = 88
    REDUCE_MIN = 89
    SQUARE = 92
    ZEROS_LIKE = 93
    RESIZE_NEAREST_NEIGHBOR = 97
    LEAKY_RELU = 98
    SQUARED_DIFFERENCE = 99
    MIRROR_PAD = 100
    ABS = 101
    SPLIT_V = 102
    CEIL = 104
    REVERSE_V2 = 105
    ADD_N = 106
    COS = 108
    ELU = 111
    QUANTIZE = 114
    ROUND = 116
    HARD_SWISH = 117
    SELECT = 64
    SELECT_V2 = 123
    DENSIFY = 124
    BATCH_MATMUL = 126
    BROADCAST_TO = 130
    GELU = 150


class Activation(IntEnum):
    """How an operator clips its result; runtimes know no other."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3


class Step:
    """An operator as it ran.

    Args:
        graph: The graph.
        operator: One of its operators.
        reader: Gives stored numbers of the run.
    """

    def __init__(self, graph: Graph, operator: Operator, reader: Reader) -> None:
        self._variables = graph.variables
        self._reader = reader
        self.operator = operator
        """Which."""

    def read(self, place: int) -> Numbers:
        """What it read: float32 for what stands for real numbers, else as stored.

        Raises:
            LookupError: There is no such input, or it has no numbers.
        """
        if not 0 <= place < len(self.operator.inputs):
            raise LookupError(f"operator {self.operator.code} has no input {place}")
        return self._numbers(self.operator.inputs[place])

    def result(self, place: int = 0) -> Numbers:
        """What it wrote; raises LookupError where there is no such output."""
        if not 0 <= place < len(self.operator.outputs):
            raise LookupError(f"operator {self.operator.code} has no output {place}")
        return self._numbers(self.operator.outputs[place])

    def _numbers(self, number: int) -> Numbers:
        stored = self._reader(number) if number >= 0 else None
        if stored is None:
            raise LookupError(f"operator {self.operator.code} has no numbers of {number}")
        return self._variables[number].real(stored)  # type: ignore[return-value]  # or integers


class Pull(Step):
    """An operator as it ran, and the gradients that are to be pulled through it.

    Args:
        graph: The graph.
        operator: One of its operators.
        reader: Gives stored numbers of the run.
        gradients: Of its outputs, (projections, *shape) each; None for one that none came to.
        wanted: Places of the inputs whose gradients are asked for.
    """

    def __init__(
        self,
        graph: Graph,
        operator: Operator,
        reader: Reader,
        gradients: Sequence[Numbers | None],
        wanted: frozenset[int],
    ) -> None:
        super().__init__(graph, operator, reader)
        self.gradients = gradients
        """Of its outputs."""
        self.wanted = wanted
        """Places of inputs."""

    @property
    def gradient(self) -> Numbers:
        """That of the first output; raises LookupError where there is none."""
        if not self.gradients or self.gradients[0] is None:
            raise LookupError(f"operator {self.operator.code} has no gradient")
        return self.gradients[0]


Found = dict[int, Numbers]
"""Gradients of inputs, by their place."""
Adjoint = Callable[[Pull], Found]
"""Gradients of the inputs that are wanted; raises LookupError where it does not know the step."""
