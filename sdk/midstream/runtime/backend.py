"""What a runtime must do to be used here. Knows no runtime.

A backend may keep a network in another process: nothing here assumes that it is in this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Backend", "Inputs", "Network", "TensorInfo"]

Array = NDArray[np.generic]
Inputs = Array | Sequence[Array] | Mapping[str, Array]
"""One array for a network with one input, or all of them in order or by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a network."""

    name: str
    """Its name in the model file."""
    shape: tuple[int, ...]
    """Dimensions."""
    dtype: np.dtype[np.generic]
    """Data type of its elements."""


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
            A copy of each output, in order.

        Raises:
            UsageError: The inputs are not those of this network.
            RefusedError: The runtime failed.
        """

    def close(self) -> None:
        """Let go of its memory; calling it again does nothing."""


class Backend(Protocol):
    """A runtime that is installed here."""

    @property
    def name(self) -> str:
        """What it is called, with its version."""

    def load(self, model: bytes) -> Network:
        """Build a network; the bytes are kept as long as it lives.

        Raises:
            RefusedError: LOAD_FAILED where the runtime does not take it.
        """
