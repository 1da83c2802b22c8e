"""What a runtime must do to be used here. Knows no runtime.

A backend may keep a network in another process: nothing here assumes that it is in this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from midstream.errors import ErrorCode, UsageError

__all__ = ["Array", "Backend", "Inputs", "Network", "TensorInfo", "in_order"]

Array = NDArray[np.generic]
Inputs = Array | Sequence[Array] | Mapping[str, Array]
"""One array for a network with one input, or all of them in order or by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a network."""

    name: str
    """Its name in the model file."""
    shape: tuple[int, ...]
    """Dimensions; in an output, -1 for one that the model file leaves open."""
    dtype: np.dtype[np.generic]
    """Data type of its elements."""

    def takes(self, array: Array) -> bool:
        """Whether an array has this shape and data type."""
        if array.dtype != self.dtype or array.ndim != len(self.shape):
            return False
        pairs = zip(self.shape, array.shape, strict=True)
        return all(here in (there, -1) for here, there in pairs)


class Network(Protocol):
    """A loaded network; used by one thread at a time."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What it takes."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """What it gives."""

    def run(self, inputs: Inputs) -> tuple[Array, ...]:
        """Run it once.

        Returns:
            A copy of each output, in order: the next run does not change it.

        Raises:
            UsageError: BAD_ARGUMENT for inputs that are not those of this network, STALE_PIN
                after `close`.
            RefusedError: RUN_FAILED where the runtime failed.
        """

    def close(self) -> None:
        """Let go of its memory, which may take milliseconds; a second call does nothing."""


class Backend(Protocol):
    """A runtime that is installed here."""

    @property
    def name(self) -> str:
        """What it is called, such as `litert`."""

    @property
    def version(self) -> str:
        """Which version of it this is."""

    def load(self, model: bytes | memoryview, *, threads: int = 1) -> Network:
        """Build a network.

        Args:
            model: The model file. `bytes` are referred to as long as the network lives, not
                copied; a memoryview is copied, since its owner may write to it, and a runtime
                that reads weights where they are would see that in mid-run.
            threads: Threads that one run may use.

        Raises:
            RefusedError: LOAD_FAILED where the runtime does not take the model.
            UsageError: BAD_ARGUMENT for fewer threads than one.
        """


def in_order(inputs: Inputs, expected: tuple[TensorInfo, ...]) -> list[Array]:
    """Inputs as a list, in the order that a network takes them; for those who write a backend.

    Args:
        inputs: As they came.
        expected: What the network takes.

    Raises:
        UsageError: BAD_ARGUMENT where a number, name, shape or data type differs.
    """
    if isinstance(inputs, np.ndarray):
        arrays = [inputs]
    elif isinstance(inputs, Mapping):
        if inputs.keys() != {info.name for info in expected}:
            raise _wrong(f"inputs {sorted(inputs)}", [info.name for info in expected])
        arrays = [np.asarray(inputs[info.name]) for info in expected]
    else:
        arrays = [np.asarray(array) for array in inputs]
    if len(arrays) != len(expected):
        raise _wrong(f"{len(arrays)} inputs", len(expected))
    for array, info in zip(arrays, expected, strict=True):
        if array.shape != info.shape or array.dtype != info.dtype:
            raise _wrong(f"{info.name}: {array.dtype} {array.shape}", f"{info.dtype} {info.shape}")
    return arrays


def _wrong(got: str, expected: object) -> UsageError:
    return UsageError(ErrorCode.BAD_ARGUMENT, f"run: got {got}, expected {expected}")
