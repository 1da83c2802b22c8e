"""Two slots and one pointer: a network is changed while decisions are made with it.

Knows nothing of event loops: `stage` is slow and belongs on a thread; `pin`, `swap` and
`revert` are one assignment each and may be called anywhere. A generation's life::

    stage ──refused──> (nothing changed)
      v
    STANDBY ──swap──> ACTIVE ──swap──> PREVIOUS ──swap──> retired, closed after its last pin
                        ^                 │
                        └─────revert──────┘  (the one left is retired)
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime.backend import Array, Backend, Inputs, Network, TensorInfo
from midstream.runtime.fidelity import make_probes

__all__ = ["Generation", "PinnedNetwork", "Slots"]


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


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """A generation and its network; decisions hold it while they run."""

    generation: Generation
    network: Network
    lock: threading.Lock
    pins: int = 0
    retired: bool = False


class PinnedNetwork:
    """One generation, for one decision."""

    def __init__(self, held: _Held) -> None:
        self._held: _Held | None = held
        self.generation = held.generation
        """Which it is."""

    def run(self, inputs: Inputs) -> Array | tuple[Array, ...]:
        """Run it once.

        Returns:
            A copy of the output, or of each of them where there are several.

        Raises:
            UsageError: STALE_PIN outside of its with block; BAD_ARGUMENT for wrong inputs.
            RefusedError: The runtime failed.
        """
        held = self._held
        if held is None:
            raise UsageError(
                ErrorCode.STALE_PIN, "a pin was used after its with block; pin again"
            )
        with held.lock:  # one network serves one thread at a time
            outputs = held.network.run(inputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def release(self) -> None:
        """End the pin; its with block does it."""
        self._held = None


class Slots:
    """The active and the standby slot.

    Args:
        backend: The runtime that builds networks.
        probes: Inputs of the self-test; seeded ones where None.
    """

    def __init__(self, backend: Backend, *, probes: Sequence[Inputs] | None = None) -> None:
        self._backend = backend
        self._probes = probes
        self._active: _Held | None = None
        self._standby: _Held | None = None
        self._previous: _Held | None = None
        self._retired: list[_Held] = []
        self._count = 0
        self._guard = threading.Lock()  # of the pointers, never held while a network runs
        self._staging = threading.Lock()
        self._closed = False

    @property
    def active(self) -> Generation | None:
        """The generation that decisions are made with."""
        held = self._active
        return None if held is None else held.generation

    @property
    def standby(self) -> Generation | None:
        """The generation that waits for a swap."""
        held = self._standby
        return None if held is None else held.generation

    def stage(self, model: bytes, *, release: int, layer: int, sha256: str) -> Generation:
        """Build, warm up and test a network in the standby slot; slow, so not for a loop.

        Args:
            model: The model file.
            release: Number of its release.
            layer: Its layer.
            sha256: Hash of the model file, hex.

        Raises:
            RefusedError: It does not load, or failed its self-test; the active one stays.
            UsageError: BAD_STATE after `close`.
        """
        with self._staging:
            self.collect()
            network = self._backend.load(model)
            try:
                self._test(network)
            except RefusedError:
                network.close()
                raise
            return self._put(network, release, layer, sha256)

    def swap(self) -> Generation | None:
        """Make the standby generation the active one.

        Returns:
            It, or None where nothing was staged.
        """
        with self._guard:
            if self._standby is None:
                return None
            self._retire(self._previous)
            self._previous, self._active, self._standby = self._active, self._standby, None
            return self._active.generation

    def revert(self) -> Generation | None:
        """Make the generation before the active one again; the one left is retired.

        Returns:
            The active generation, or None where there is none to go back to.
        """
        with self._guard:
            if self._previous is None:
                return None
            self._retire(self._active)
            self._active, self._previous = self._previous, None
            return self._active.generation

    @contextmanager
    def pin(self) -> Iterator[PinnedNetwork]:
        """Hold the active generation for one decision, whatever is swapped meanwhile.

        Raises:
            UsageError: NO_GENERATION where nothing is active.
        """
        with self._guard:
            held = self._active
            if held is None:
                raise UsageError(ErrorCode.NO_GENERATION, "no network is active yet")
            held.pins += 1
        pinned = PinnedNetwork(held)
        try:
            yield pinned
        finally:
            pinned.release()
            with self._guard:
                held.pins -= 1

    def collect(self) -> int:
        """Close retired networks that no decision holds; takes milliseconds each.

        Returns:
            How many were closed.
        """
        with self._guard:
            free = [held for held in self._retired if not held.pins]
            self._retired = [held for held in self._retired if held.pins]
        for held in free:
            held.network.close()
        return len(free)

    def close(self) -> None:
        """Let go of all networks; calling it again does nothing."""
        with self._staging:
            with self._guard:
                self._closed = True
                for held in (self._active, self._standby, self._previous):
                    self._retire(held)
                self._active = self._standby = self._previous = None
            self.collect()

    def _put(self, network: Network, release: int, layer: int, sha256: str) -> Generation:
        with self._guard:
            if self._closed:
                network.close()
                raise UsageError(ErrorCode.BAD_STATE, "the slots are closed")
            self._count += 1
            generation = Generation(
                number=self._count, release=release, layer=layer, sha256=sha256
            )
            self._retire(self._standby)
            self._standby = _Held(
                generation=generation, network=network, lock=threading.Lock()
            )
            return generation

    def _retire(self, held: _Held | None) -> None:
        if held is not None:
            self._retired.append(held)

    def _test(self, network: Network) -> None:
        """Warm up; outputs must be finite and of the shapes and types of the active one."""
        active = self._active
        if active is not None:
            _same(network.inputs, active.network.inputs, "inputs")
            _same(network.outputs, active.network.outputs, "outputs")
        probes = make_probes(network.inputs, 2) if self._probes is None else self._probes
        for probe in probes:
            for info, output in zip(network.outputs, network.run(probe), strict=True):
                _check_output(info, output)


def _same(
    got: tuple[TensorInfo, ...], expected: tuple[TensorInfo, ...], what: str
) -> None:
    shapes = [(info.shape, info.dtype) for info in got]
    if shapes != [(info.shape, info.dtype) for info in expected]:
        raise RefusedError(
            ErrorCode.SELF_TEST_FAILED, f"self-test: {what} {shapes} differ from the active ones"
        )


def _check_output(info: TensorInfo, output: Array) -> None:
    if np.issubdtype(output.dtype, np.floating) and not np.isfinite(output).all():
        raise RefusedError(
            ErrorCode.SELF_TEST_FAILED, f"self-test: output {info.name} is not finite"
        )
