"""LiteRT and tflite-runtime behind one interface. Knows nothing of slots.

Both wheels have the same `Interpreter` class; LiteRT is preferred where both are there.
"""

import importlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from midstream.errors import ErrorCode, RefusedError, RuntimeMissingError, UsageError
from midstream.runtime.backend import Array, Backend, Inputs, Network, TensorInfo

__all__ = ["LITERT", "TFLITE", "InterpreterBackend", "find_backend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wheel:
    distribution: str
    module: str


LITERT = _Wheel(distribution="ai-edge-litert", module="ai_edge_litert.interpreter")
TFLITE = _Wheel(distribution="tflite-runtime", module="tflite_runtime.interpreter")


def find_backend() -> Backend:
    """The runtime that is installed.

    Raises:
        RuntimeMissingError: NO_RUNTIME, with what to install.
    """
    for wheel in (LITERT, TFLITE):
        try:
            return InterpreterBackend(wheel)
        except ImportError:
            continue
    raise RuntimeMissingError(
        ErrorCode.NO_RUNTIME,
        "no TFLite runtime is installed; expected one of: pip install midstream[litert], "
        "pip install midstream[tflite]",
    )


class InterpreterBackend:
    """A wheel with an `Interpreter` class.

    Args:
        wheel: Which.

    Raises:
        ImportError: It is not installed.
    """

    def __init__(self, wheel: _Wheel) -> None:
        self._interpreter: Any = importlib.import_module(wheel.module).Interpreter
        version = importlib.metadata.version(wheel.distribution)
        self.name = f"{wheel.distribution} {version}"

    def load(self, model: bytes) -> Network:
        """Build an interpreter with one thread and allocate its tensors."""
        try:
            interpreter = self._interpreter(model_content=model, num_threads=1)
            interpreter.allocate_tensors()
            return _Interpreted(interpreter, model)
        except (ValueError, RuntimeError, TypeError) as error:
            raise RefusedError(
                ErrorCode.LOAD_FAILED, f"{self.name} does not take the model: {_first_line(error)}"
            ) from error


class _Interpreted:
    """A network in an interpreter of this process."""

    def __init__(self, interpreter: Any, model: bytes) -> None:
        self._interpreter = interpreter
        # without a delegate that copies them, the interpreter reads weights from here
        self._model = model
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._input_indices = [detail["index"] for detail in inputs]
        self._output_indices = [detail["index"] for detail in outputs]
        self.inputs = tuple(_info(detail) for detail in inputs)
        self.outputs = tuple(_info(detail) for detail in outputs)

    def run(self, inputs: Inputs) -> tuple[Array, ...]:
        if self._interpreter is None:
            raise UsageError(ErrorCode.STALE_PIN, "the network is closed")
        arrays = _in_order(inputs, self.inputs)
        try:
            for index, array in zip(self._input_indices, arrays, strict=True):
                self._interpreter.set_tensor(index, array)
            self._interpreter.invoke()
            return tuple(self._interpreter.get_tensor(index) for index in self._output_indices)
        except (ValueError, RuntimeError) as error:
            raise RefusedError(
                ErrorCode.SELF_TEST_FAILED, f"the network does not run: {_first_line(error)}"
            ) from error

    def close(self) -> None:
        self._interpreter = None


def _info(detail: Mapping[str, Any]) -> TensorInfo:
    shape = tuple(int(dimension) for dimension in detail["shape"])
    return TensorInfo(name=detail["name"], shape=shape, dtype=np.dtype(detail["dtype"]))


def _in_order(inputs: Inputs, expected: tuple[TensorInfo, ...]) -> list[Array]:
    """Inputs as a list, each of the right shape and type."""
    if isinstance(inputs, Mapping):
        if set(inputs) != {info.name for info in expected}:
            raise _wrong(f"inputs {sorted(inputs)}", [info.name for info in expected])
        arrays = [inputs[info.name] for info in expected]
    else:
        arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    if len(arrays) != len(expected):
        raise _wrong(f"{len(arrays)} inputs", len(expected))
    for array, info in zip(arrays, expected, strict=True):
        if array.shape != info.shape or array.dtype != info.dtype:
            raise _wrong(
                f"{info.name}: {array.dtype} {array.shape}", f"{info.dtype} {info.shape}"
            )
    return arrays


def _wrong(got: str, expected: object) -> UsageError:
    return UsageError(ErrorCode.BAD_ARGUMENT, f"run: got {got}, expected {expected}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
