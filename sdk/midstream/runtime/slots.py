"""Two slots and one pointer: a network is changed while decisions are made with it.

Knows nothing of event loops: `stage` is slow and belongs on a thread; `pin`, `swap`, `revert`
and `mark_bad` are a few assignments each and may be called anywhere. A generation's life::

    stage ──refused──> (nothing changed)
      v
    STANDBY ──swap──> ACTIVE ──swap──> PREVIOUS ──swap──> retired
                        ^                 │
                        └─────revert──────┘  (the one left is retired)

A retired network is closed by the next `stage` or by `collect`, once no decision holds it, and
never by a decision: closing takes milliseconds.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np

from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime.backend import Array, Backend, Inputs, Network, TensorInfo
from midstream.runtime.pins import Generation, Held, PinnedNetwork
from midstream.runtime.probes import make_probes

__all__ = ["Slots"]

_PROBES = 2
"""The first run is the warm-up, the second is one as they will be."""


class Slots:
    """The active and the standby slot.

    Args:
        backend: The runtime that builds networks.
        probes: Inputs of the self-test; two seeded ones, made for the network, where None.
        threads: Threads that one run may use.
        clock: Seconds, from any start; for durations only.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        probes: Sequence[Inputs] | None = None,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._probes = probes
        self._threads = threads
        self._clock = clock
        self._active: Held | None = None
        self._standby: Held | None = None
        self._previous: Held | None = None
        self._retired: list[Held] = []
        self._bad: set[str] = set()
        self._left: set[str] = set()
        self._count = 0
        self._guard = threading.Lock()  # of the pointers, never held while a network is at work
        self._staging = threading.Lock()
        self._closed = False

    @property
    def active(self) -> Generation | None:
        """The generation that decisions are made with."""
        return _generation(self._active)

    @property
    def standby(self) -> Generation | None:
        """The generation that waits for a swap."""
        return _generation(self._standby)

    @property
    def previous(self) -> Generation | None:
        """The generation that `revert` goes back to."""
        return _generation(self._previous)

    def stage(
        self, model: bytes | memoryview, *, release: int, layer: int, sha256: str | None = None
    ) -> Generation:
        """Build, warm up and test a network in the standby slot; slow, so not for a loop.

        One that is in the standby slot already is replaced; the active one is not touched.

        Args:
            model: The model file.
            release: Number of its release.
            layer: Its layer.
            sha256: Hash of the model file, hex; computed where None.

        Returns:
            The generation that waits for a swap.

        Raises:
            RefusedError: LOAD_FAILED where it does not load, RUN_FAILED where it does not run;
                SELF_TEST_FAILED where its inputs or outputs are not those of the active one,
                an output is not finite, or it was marked bad. Nothing has changed then.
            UsageError: BAD_STATE after `close`; BAD_ARGUMENT where `probes` do not fit.
        """
        with self._staging, ExitStack() as undo:
            self._check_open()
            self.collect()
            start = self._clock()
            digest = sha256 or hashlib.sha256(model).hexdigest()
            self._check_not_bad(digest)
            network = self._backend.load(model, threads=self._threads)
            undo.callback(network.close)
            self._test(network)
            generation = Generation(
                number=self._count + 1,
                release=release,
                layer=layer,
                sha256=digest,
                staged_seconds=self._clock() - start,
            )
            self._put(Held(generation=generation, network=network))
            undo.pop_all()
        self.collect()
        return generation

    def swap(self) -> Generation | None:
        """Make the standby generation the active one: one reference assignment.

        Decisions under way keep the one that they pinned. The one left is what `revert` goes
        back to until the next swap, unless it is marked bad, or to be left.

        Returns:
            The generation that is active now, or None where nothing was staged.
        """
        with self._guard:
            if self._standby is None:
                return None
            left = self._active
            self._active, self._standby = self._standby, None
            if left is None or left.generation.sha256 in self._bad | self._left:
                self._retire(left)
            else:
                self._retire(self._previous)
                self._previous = left
            return self._active.generation

    def revert(self) -> Generation | None:
        """Make the generation before the active one active again; the one left is retired.

        Returns:
            The generation that is active now, or None where there is none to go back to.
        """
        with self._guard:
            return self._go_back()

    def mark_bad(self, generation: Generation) -> Generation | None:
        """Use a generation's model file no more: `stage` refuses it from now on.

        Where it is the active one, this reverts; where there is nothing to go back to, it
        stays active until the next swap. In the other slots it is dropped.

        Returns:
            The generation that is active now.
        """
        with self._guard:
            self._bad.add(generation.sha256)
            if self._is_bad(self._standby):
                self._retire(self._standby)
                self._standby = None
            if self._is_bad(self._previous):
                self._retire(self._previous)
                self._previous = None
            if self._is_bad(self._active):
                self._go_back()
            return _generation(self._active)

    def leave(self, sha256: str) -> None:
        """Do not go back to a model file's generation; it is not bad, and may be staged anew.

        Where it is active, it stays so until the next swap or `revert`.
        """
        with self._guard:
            self._left.add(sha256)
            if self._previous is not None and self._previous.generation.sha256 == sha256:
                self._retire(self._previous)
                self._previous = None

    @contextmanager
    def pin(self) -> Iterator[PinnedNetwork]:
        """Hold the active generation for one decision, whatever is swapped meanwhile.

        Raises:
            UsageError: NO_GENERATION where nothing is active.
        """
        with self._guard:
            held = self._active
            if held is None:
                raise UsageError(ErrorCode.NO_GENERATION, "no network is active")
            held.pins += 1
        pinned = PinnedNetwork(held)
        try:
            yield pinned
        finally:
            pinned.end()
            with self._guard:
                held.pins -= 1
                is_last = self._closed and not held.pins
            if is_last:  # there will be no more staging to do it
                self.collect()

    def collect(self) -> int:
        """Close retired networks that no decision holds; takes milliseconds each.

        Returns:
            How many were closed.
        """
        with self._guard:
            free = [held for held in self._retired if not held.pins]
            self._retired = [held for held in self._retired if held.pins]
        for held in free:
            held.close()
        return len(free)

    def close(self) -> None:
        """Let go of all networks; one that a decision holds, when it ends.

        Waits for a `stage` under way; a second call does nothing.
        """
        with self._staging:
            with self._guard:
                self._closed = True
                for held in (self._active, self._standby, self._previous):
                    self._retire(held)
                self._active = self._standby = self._previous = None
            self.collect()

    def _put(self, held: Held) -> None:
        with self._guard:
            # it may have been marked bad while it was loaded
            self._check_not_bad(held.generation.sha256)
            self._count = held.generation.number
            self._left.discard(held.generation.sha256)
            self._retire(self._standby)
            self._standby = held

    def _go_back(self) -> Generation | None:
        if self._previous is None:
            return None
        self._retire(self._active)
        self._active, self._previous = self._previous, None
        return self._active.generation

    def _retire(self, held: Held | None) -> None:
        if held is not None:
            self._retired.append(held)

    def _is_bad(self, held: Held | None) -> bool:
        return held is not None and held.generation.sha256 in self._bad

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(ErrorCode.BAD_STATE, "the slots are closed")

    def _check_not_bad(self, sha256: str) -> None:
        if sha256 in self._bad:
            raise _failed(f"model file {sha256[:16]} was marked bad")

    def _test(self, network: Network) -> None:
        """Warm up; outputs must be finite, and inputs and outputs like the active one's."""
        active = self._active
        if active is not None:
            _check_same(network, active.network)
        probes = self._probes or make_probes(network.inputs, _PROBES)
        for probe in probes:
            for info, output in zip(network.outputs, network.run(probe), strict=True):
                _check_output(info, output)


def _generation(held: Held | None) -> Generation | None:
    return None if held is None else held.generation


def _check_same(network: Network, active: Network) -> None:
    """The calling interface may not change under a player; the outputs' names are not in it."""
    if network.inputs != active.inputs:
        raise _failed(f"inputs {_text(network.inputs)}, the active ones {_text(active.inputs)}")
    got = [(info.shape, info.dtype) for info in network.outputs]
    if got != [(info.shape, info.dtype) for info in active.outputs]:
        raise _failed(f"outputs {_text(network.outputs)}, the active ones {_text(active.outputs)}")


def _check_output(info: TensorInfo, output: Array) -> None:
    if not info.takes(output):
        raise _failed(f"output {info.name}: {output.dtype} {output.shape}, not {_text((info,))}")
    if output.dtype.kind == "f" and not np.isfinite(output).all():
        raise _failed(f"output {info.name} is not finite")


def _text(infos: Sequence[TensorInfo]) -> str:
    return ", ".join(f"{info.name} {info.dtype} {info.shape}" for info in infos)


def _failed(why: str) -> RefusedError:
    return RefusedError(ErrorCode.SELF_TEST_FAILED, f"self-test: {why}")
