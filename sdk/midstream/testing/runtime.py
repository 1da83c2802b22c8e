"""A runtime without a runtime: NumPy alone, any bytes are a network. Knows no model format."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

import numpy as np

from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime.backend import Array, Inputs, Network, TensorInfo, in_order

__all__ = ["FakeBackend", "Fault", "Function"]

Function = Callable[[bytes, Sequence[Array]], Sequence[Array]]
"""What a network does: the model file and the inputs in order, to the outputs in order."""

_INPUTS = (TensorInfo(name="input", shape=(1, 4), dtype=np.dtype("float32")),)
_OUTPUTS = (TensorInfo(name="output", shape=(1, 2), dtype=np.dtype("float32")),)


class Fault(Enum):
    """What is wrong with the networks that are loaded."""

    NONE = "none"
    LOADING = "loading"
    """They do not load."""
    RUNNING = "running"
    """They load, and do not run."""
    NOT_FINITE = "not finite"
    """Their outputs are not numbers; for networks whose outputs are all floating point."""
    SHAPE = "shape"
    """They have outputs of one more dimension than they say."""


class FakeBackend:
    """Runs any bytes as a network; the same bytes and inputs always give the same outputs.

    Give it where a `Backend` is asked for, to test a player without TFLite.

    Args:
        inputs: What every network takes.
        outputs: What every network gives.
        function: What a network does; outputs from -1 to 1 that depend on the SHA-256 of the
            model file and on every input where None.
        fault: What is wrong with networks loaded from now on; set the attribute to change it.
        load_seconds: How long loading takes; set the attribute to change it.
        run_seconds: How long a run of any network takes; set the attribute to change it.
        sleep: Called with those seconds; give a fake clock's to take no time.
    """

    name = "fake"
    version = "1"

    def __init__(
        self,
        *,
        inputs: tuple[TensorInfo, ...] = _INPUTS,
        outputs: tuple[TensorInfo, ...] = _OUTPUTS,
        function: Function | None = None,
        fault: Fault = Fault.NONE,
        load_seconds: float = 0.0,
        run_seconds: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.inputs = inputs
        """What networks loaded from now on take."""
        self.outputs = outputs
        """What networks loaded from now on give."""
        self.fault = fault
        """What is wrong with networks loaded from now on."""
        self.load_seconds = load_seconds
        """How long loading takes."""
        self.run_seconds = run_seconds
        """How long a run of any network takes."""
        self._function = function
        self._sleep = sleep
        self._guard = threading.Lock()
        self._loaded = 0
        self._closed = 0

    @property
    def loaded(self) -> int:
        """Networks that were loaded."""
        return self._loaded

    @property
    def alive(self) -> int:
        """Networks that are loaded and not closed."""
        return self._loaded - self._closed

    def load(self, model: bytes | memoryview, *, threads: int = 1) -> Network:
        """Make a network of a model file, whatever is in it.

        Args:
            model: The model file; copied where it is not `bytes`.
            threads: Of no meaning here.

        Raises:
            RefusedError: LOAD_FAILED with `Fault.LOADING`.
            UsageError: BAD_ARGUMENT for fewer threads than one.
        """
        if threads < 1:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{threads} threads; expected 1 or more")
        self._wait(self.load_seconds)
        if self.fault is Fault.LOADING:
            raise RefusedError(ErrorCode.LOAD_FAILED, "the model does not load: a fake fault")
        with self._guard:
            self._loaded += 1
        return _Faked(bytes(model), self.inputs, self.outputs, self._compute(), self._forget)

    def _compute(self) -> Function:
        """What a network does, with the fault of now."""
        function = self._function or partial(_hashed, self.outputs)
        fault = self.fault

        def compute(model: bytes, inputs: Sequence[Array]) -> Sequence[Array]:
            self._wait(self.run_seconds)
            return _spoil(fault, function(model, inputs))

        return compute

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)

    def _forget(self) -> None:
        with self._guard:
            self._closed += 1


class _Faked:
    """A model file that is run as a network."""

    def __init__(
        self,
        model: bytes,
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
        compute: Function,
        on_close: Callable[[], None],
    ) -> None:
        self._model = model
        self.inputs = inputs
        self.outputs = outputs
        self._compute = compute
        self._on_close = on_close
        self._is_open = True

    def run(self, inputs: Inputs) -> tuple[Array, ...]:
        if not self._is_open:
            raise UsageError(ErrorCode.STALE_PIN, "the network is closed")
        arrays = in_order(inputs, self.inputs)
        return tuple(np.array(array) for array in self._compute(self._model, arrays))

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._on_close()


def _hashed(infos: Sequence[TensorInfo], model: bytes, inputs: Sequence[Array]) -> Sequence[Array]:
    """Outputs from a weighted sum of all inputs for each element, the weights from the hash."""
    rng = np.random.default_rng(np.frombuffer(hashlib.sha256(model).digest(), "<u4"))
    numbers = np.concatenate([array.ravel() for array in inputs]).astype(np.float64)
    outputs: list[Array] = []
    for info in infos:
        weights = rng.standard_normal((*info.shape, numbers.size))
        sums = (weights * numbers).sum(axis=-1) / np.sqrt(numbers.size)
        outputs.append(np.tanh(sums).astype(info.dtype))
    return outputs


def _spoil(fault: Fault, outputs: Sequence[Array]) -> Sequence[Array]:
    if fault is Fault.RUNNING:
        raise RefusedError(ErrorCode.RUN_FAILED, "the network does not run: a fake fault")
    if fault is Fault.NOT_FINITE:
        return [np.full(output.shape, np.nan, output.dtype) for output in outputs]
    if fault is Fault.SHAPE:
        return [output[np.newaxis] for output in outputs]
    return outputs
