"""Activations of a network, read while it runs. Not for clients: it costs memory and time.

The interpreter keeps every tensor and uses plain kernels, without a delegate that would fuse
operators; where an operator is known to a delegate alone, that delegate.
"""

from typing import Protocol, runtime_checkable

from midstream.runtime.backend import Array, Backend, Inputs, TensorInfo

__all__ = ["Tracer", "TracingBackend"]


class Tracer(Protocol):
    """A loaded network whose tensors can be read."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What it takes."""

    def run(self, inputs: Inputs) -> tuple[Array, ...]:
        """Run it once; raises what `Network.run` raises."""

    def value(self, variable: int) -> Array | None:
        """A copy of a tensor of the graph after a run, by number; None where it has none."""

    def close(self) -> None:
        """Let go of its memory; a second call does nothing."""


@runtime_checkable
class TracingBackend(Backend, Protocol):
    """A runtime that can keep all tensors of a run."""

    def trace(self, model: bytes) -> Tracer:
        """Build a network that keeps its tensors.

        Raises:
            RefusedError: LOAD_FAILED where the runtime does not take the model.
        """
