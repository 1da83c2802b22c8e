"""LiteRT and tflite-runtime behind one interface. Knows nothing of slots.

Both wheels have the same `Interpreter` class; LiteRT is preferred where both are there. Its
`CompiledModel` is not used: it holds the GIL while it runs.
"""

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from midstream.errors import DataError, ErrorCode, RefusedError, RuntimeMissingError, UsageError
from midstream.formats import tflite
from midstream.runtime.backend import Array, Inputs, Network, TensorInfo, in_order
from midstream.runtime.tracing import Tracer

__all__ = ["LITERT", "TFLITE", "InterpreterBackend", "Wheel", "find_backend"]

_NUMBERS = "fiub"
"""Kinds of data types that can be probed and compared: not text, not complex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A distribution with an `Interpreter` class."""

    name: str
    """What its backend is called, and the extra of this package that installs it."""
    package: str
    """What is imported."""
    verifies: bool
    """Whether it checks the offsets in a model file before it follows them."""


LITERT = Wheel(name="litert", package="ai_edge_litert", verifies=True)
TFLITE = Wheel(name="tflite", package="tflite_runtime", verifies=False)
_WHEELS = (LITERT, TFLITE)


def find_backend(preferred: str | None = None) -> "InterpreterBackend":
    """The runtime that is installed.

    Args:
        preferred: `litert` or `tflite`, and no other; LiteRT before tflite-runtime where None.

    Raises:
        RuntimeMissingError: NO_RUNTIME, with what to install.
        UsageError: There is no runtime of that name.
    """
    wheels = [wheel for wheel in _WHEELS if preferred in (None, wheel.name)]
    if not wheels:
        names = ", ".join(wheel.name for wheel in _WHEELS)
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"runtime {preferred!r}: expected one of {names}")
    reasons = []
    for wheel in wheels:
        try:
            return InterpreterBackend(wheel)
        except ImportError as error:
            reasons.append(f"pip install midstream[{wheel.name}] ({_first_line(error)})")
    raise RuntimeMissingError(
        ErrorCode.NO_RUNTIME, f"no TFLite runtime is installed: {' or '.join(reasons)}"
    )


class InterpreterBackend:
    """A wheel with an `Interpreter` class.

    LiteRT checks a whole model file before it uses it. tflite-runtime does not, and a damaged
    file ends the process; tables and weights are checked for it here, but not what operators
    refer to: give it only files whose hash was checked.

    Args:
        wheel: Which.

    Raises:
        ImportError: It is not installed, or not with this NumPy.
    """

    def __init__(self, wheel: Wheel) -> None:
        module = importlib.import_module(f"{wheel.package}.interpreter")
        self._build: Any = module.Interpreter
        self._resolvers: Any = module.OpResolverType
        self._verifies = wheel.verifies
        package = importlib.import_module(wheel.package)
        self.name = wheel.name
        """What it is called."""
        self.version = str(getattr(package, "__version__", "unknown"))
        """Its wheel's version."""

    def load(self, model: bytes | memoryview, *, threads: int = 1) -> Network:
        """Build an interpreter, open dimensions of its inputs set to 1, and allocate its tensors.

        Args:
            model: The model file; `bytes` are referred to, a memoryview is copied.
            threads: Threads that one run may use.

        Raises:
            RefusedError: LOAD_FAILED where the runtime does not take the model, or an input or
                output is not numbers.
            UsageError: BAD_ARGUMENT for fewer threads than one.
        """
        if threads < 1:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{threads} threads; expected 1 or more")
        kept = bytes(model)
        if not self._verifies:
            _check_offsets(kept)
        try:
            interpreter = self._build(model_content=kept, num_threads=threads)
            _close_dimensions(interpreter)
            interpreter.allocate_tensors()
            return _Interpreted(interpreter, kept)
        except (ValueError, RuntimeError) as error:
            raise _refused(f"{self.name} {self.version}: {_first_line(error)}") from error

    def trace(self, model: bytes) -> Tracer:
        """Build an interpreter that keeps all tensors; for the publisher's own files.

        Args:
            model: The model file; it is referred to.

        Raises:
            RefusedError: LOAD_FAILED where the runtime does not take the model, or an input or
                output is not numbers.
        """
        if not self._verifies:
            _check_offsets(model)
        plain = self._resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            return self._trace(model, plain)
        except (ValueError, RuntimeError):
            pass  # an operator that the delegate alone knows
        try:
            return self._trace(model, self._resolvers.AUTO)
        except (ValueError, RuntimeError) as error:
            raise _refused(f"{self.name} {self.version}: {_first_line(error)}") from error

    def _trace(self, model: bytes, resolver: Any) -> "_Traced":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that keeping all tensors costs memory
            interpreter = self._build(
                model_content=model,
                num_threads=1,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=resolver,
            )
        _close_dimensions(interpreter)
        interpreter.allocate_tensors()
        return _Traced(interpreter, model)


class _Interpreted:
    """A network in an interpreter of this process."""

    def __init__(self, interpreter: Any, model: bytes) -> None:
        self._interpreter = interpreter
        # without a delegate that copies them, the interpreter reads weights from here
        self._model = model
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._input_indices = [detail["index"] for detail in inputs]
        self._output_indices = [detail["index"] for detail in outputs]
        self.inputs = tuple(_info(detail, detail["shape"]) for detail in inputs)
        self.outputs = tuple(_info(detail, _open_shape(detail)) for detail in outputs)

    def run(self, inputs: Inputs) -> tuple[Array, ...]:
        interpreter = self._interpreter
        if interpreter is None:
            raise UsageError(ErrorCode.STALE_PIN, "the network is closed")
        arrays = in_order(inputs, self.inputs)
        try:
            for index, array in zip(self._input_indices, arrays, strict=True):
                interpreter.set_tensor(index, array)
            interpreter.invoke()
            return tuple([interpreter.get_tensor(index) for index in self._output_indices])
        except (ValueError, RuntimeError) as error:
            raise RefusedError(
                ErrorCode.RUN_FAILED, f"the network does not run: {_first_line(error)}"
            ) from error

    def close(self) -> None:
        self._interpreter = None
        self._model = b""


class _Traced(_Interpreted):
    """A network in an interpreter that keeps its tensors."""

    def value(self, variable: int) -> Array | None:
        try:
            return np.asarray(self._interpreter.get_tensor(variable))
        except (ValueError, RuntimeError):  # it was never computed, or is of no type of NumPy's
            return None


def _check_offsets(model: bytes) -> None:
    try:
        tflite.locate(model)
    except DataError as error:
        raise _refused(error.message) from error


def _close_dimensions(interpreter: Any) -> None:
    for detail in interpreter.get_input_details():
        shape = [1 if dimension < 0 else int(dimension) for dimension in _open_shape(detail)]
        if shape != detail["shape"].tolist():
            interpreter.resize_tensor_input(detail["index"], shape)


def _open_shape(detail: Mapping[str, Any]) -> Any:
    """The shape, -1 where the model file leaves a dimension open; without such, no signature."""
    signature = detail["shape_signature"]
    return signature if len(signature) == len(detail["shape"]) else detail["shape"]


def _info(detail: Mapping[str, Any], shape: Any) -> TensorInfo:
    name, dtype = detail["name"], np.dtype(detail["dtype"])
    if dtype.kind not in _NUMBERS:
        raise _refused(f"{name} is of {dtype}; expected numbers")
    return TensorInfo(name=name, shape=tuple(int(size) for size in shape), dtype=dtype)


def _refused(why: str) -> RefusedError:
    return RefusedError(ErrorCode.LOAD_FAILED, f"the model does not load: {why}")


def _first_line(error: Exception) -> str:
    """What a runtime says, without bytes of the model that it may quote."""
    line = str(error).strip().split("\n")[0][:200]
    return "".join(
        character for character in line if character.isascii() and character.isprintable()
    )
