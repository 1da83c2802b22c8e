"""The policy as a TFLite file, and back. Knows nothing of training.

Written with the object API of the public TFLite schema, which LiteRT's wheel ships; there is no
converter and no TensorFlow. The same weights give the same bytes.
"""

from typing import Any

import numpy as np

from midstream.errors import DataError, ErrorCode, RuntimeMissingError
from midstream.formats import open_model
from network import Floats32, Network

__all__ = ["read_network", "write_network"]

_VERSION = 3
_ALIGNMENT = 16
_IDENTIFIER = b"TFL3"
_DESCRIPTION = "midstream example: adaptive bit rate policy"


def write_network(network: Network) -> bytes:
    """A `.tflite` file: float32 [1, inputs] to float32 [1, outputs].

    Args:
        network: Layers with ReLU between them; each becomes one FULLY_CONNECTED.

    Raises:
        RuntimeMissingError: LiteRT is not installed.
    """
    schema, builder = _schema()
    model = schema.ModelT()
    model.version = _VERSION
    model.description = _DESCRIPTION
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    model.operatorCodes = [code]
    model.buffers = [schema.BufferT()]
    model.subgraphs = [_graph(schema, model.buffers, network)]
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def read_network(data: bytes) -> Network:
    """The network of a file that `write_network` wrote.

    Args:
        data: The file.

    Raises:
        FormatError: It is not a TFLite file.
        DataError: It is not one of these.
    """
    schema, _ = _schema()
    open_model(data)
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    parts: list[Floats32] = []
    widths: list[int] = []
    for operator in model.subgraphs[0].operators:
        weights, biases = (
            _values(model, model.subgraphs[0].tensors[index]) for index in operator.inputs[1:3]
        )
        if weights.ndim != 2 or biases.shape != weights.shape[:1]:
            raise DataError(ErrorCode.BAD_FIELD, "not a file of fully connected layers")
        widths = [*(widths or weights.shape[1:]), len(biases)]
        parts += [weights.T.ravel(), biases]
    return Network(widths, parameters=np.concatenate(parts))


def _values(model: Any, tensor: Any) -> Floats32:
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view("<f4").astype(np.float32).reshape(tensor.shape)


def _graph(schema: Any, buffers: list[Any], network: Network) -> Any:
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(schema, "features", (1, network.widths[0]), 0)]
    graph.operators = []
    current, last = 0, len(network.layers) - 1
    for index, (weights, biases) in enumerate(network.layers):
        constants = (("weights", weights.T), ("biases", biases))
        for name, values in constants:
            graph.tensors.append(
                _tensor(schema, f"{name}{index}", values.shape, _buffer(schema, buffers, values))
            )
        name = "scores" if index == last else f"hidden{index}"
        graph.tensors.append(_tensor(schema, name, (1, len(biases)), 0))
        output = len(graph.tensors) - 1
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs = [current, output - 2, output - 1]
        operator.outputs = [output]
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        if index != last:
            operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
        graph.operators.append(operator)
        current = output
    graph.inputs, graph.outputs = [0], [current]
    return graph


def _tensor(schema: Any, name: str, shape: tuple[int, ...], buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name = name
    tensor.shape = list(shape)
    tensor.type = schema.TensorType.FLOAT32
    tensor.buffer = buffer
    return tensor


def _buffer(schema: Any, buffers: list[Any], values: Floats32) -> int:
    buffer = _aligned(schema)()
    buffer.data = np.ascontiguousarray(values, "<f4").tobytes()
    buffers.append(buffer)
    return len(buffers) - 1


def _aligned(schema: Any) -> Any:
    """Buffers that start at a multiple of 16, as the schema asks and its Python code forgets."""

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the schema has no types
        def Pack(self, builder: Any) -> Any:  # noqa: N802  # the schema's name
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head = builder.Head() - len(self.data)
            builder.Bytes[builder.Head() : builder.Head() + len(self.data)] = self.data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    return AlignedBuffer


def _schema() -> tuple[Any, Any]:
    try:
        import flatbuffers  # type: ignore[import-untyped]  # it ships no type information
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise RuntimeMissingError(
            ErrorCode.NO_RUNTIME, "writing a .tflite file needs ai-edge-litert"
        ) from error
    return schema_py_generated, flatbuffers.Builder(1 << 17)
