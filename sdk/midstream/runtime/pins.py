"""A generation, and the hold that a decision has on it. Knows nothing of slots."""

import threading
from dataclasses import dataclass, field

from midstream.errors import ErrorCode, UsageError
from midstream.runtime.backend import Array, Inputs, Network, TensorInfo

__all__ = ["Generation", "Held", "PinnedNetwork"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A network that runs, or ran, in this process."""

    number: int
    """Counted from 1 in this process."""
    release: int
    """Number of its release."""
    layer: int
    """Its layer."""
    sha256: str
    """Hash of its model file, hex."""
    staged_seconds: float
    """How long it took to build, warm up and test."""


@dataclass(slots=True, kw_only=True, eq=False)
class Held:
    """A generation and its network, with a count of the decisions that hold it."""

    generation: Generation
    """Which it is."""
    network: Network
    """It, loaded."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Of the network: it serves one thread at a time."""
    pins: int = 0
    """Decisions that hold it; the slots' lock guards this."""

    def close(self) -> None:
        """Let go of the network."""
        with self.lock:  # a pin may have been handed to a thread that outlives its with block
            self.network.close()


class PinnedNetwork:
    """One generation, for one decision."""

    __slots__ = ("_held", "generation")

    def __init__(self, held: Held) -> None:
        self._held: Held | None = held
        self.generation = held.generation
        """Which it is."""

    @property
    def release(self) -> int:
        """Number of its release."""
        return self.generation.release

    @property
    def layer(self) -> int:
        """Its layer."""
        return self.generation.layer

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What it takes.

        Raises:
            UsageError: STALE_PIN outside of its with block.
        """
        return self._fresh().network.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """What it gives.

        Raises:
            UsageError: STALE_PIN outside of its with block.
        """
        return self._fresh().network.outputs

    def run(self, inputs: Inputs) -> Array | tuple[Array, ...]:
        """Run it once.

        Args:
            inputs: One array for a network with one input, or all in order or by name.

        Returns:
            A copy of the output, or of each of them where there are several.

        Raises:
            UsageError: STALE_PIN outside of its with block; BAD_ARGUMENT for wrong inputs.
            RefusedError: RUN_FAILED where the runtime failed.
        """
        held = self._fresh()
        with held.lock:
            outputs = held.network.run(inputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _fresh(self) -> Held:
        if self._held is None:
            raise UsageError(ErrorCode.STALE_PIN, "a pin was used after its with block; pin again")
        return self._held

    def end(self) -> None:
        """End the pin; its with block does it."""
        self._held = None
