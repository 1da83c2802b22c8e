"""The head of a base: the topology, and the parameters that its tensors are coded with.

Knows nothing of the weights themselves.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.slices import Run, Slice
from midstream.bitstream.topology import Topology
from midstream.codec import Context, Sigmas, TensorCode, prediction, scales
from midstream.limits import LIMITS, Limits
from midstream.wire import Reader, Writer

__all__ = ["Head"]


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a decoder must know before the first slice."""

    topology: Topology
    """The file without its weights."""
    codes: tuple[TensorCode, ...]
    """Parameters of each tensor."""

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """The network's slices; they follow from the tensors."""
        coded = [code.coded if code.same_as is None else None for code in self.codes]
        return self.topology.partition(coded)

    def context(self, piece: Slice) -> Context:
        """The table that each weight of a slice is coded with; empty for a raw slice."""
        if not piece.coded:
            return Context(shape=np.zeros(0, np.int8), width=np.zeros(0, np.int16))
        runs = [
            (self.topology.tensors[run.tensor], self.codes[run.tensor], run) for run in piece.runs
        ]
        width = np.empty(piece.weights, np.int16)
        shape = np.empty(piece.weights, np.int8)
        done = 0
        for tensor, code, run in runs:
            here = slice(done, done + run.weights)
            shape[here] = code.shape
            scales.write_contexts(width[here], tensor, code, run.start)
            done += run.weights
        return Context(
            shape=shape,
            width=width,
            terms=prediction.terms([(t, code, run.start, run.stop) for t, code, run in runs]),
            # tensors on the lattice share their slices with none
            lattice=any(code.lattice for _, code, _ in runs),
        )

    def sigmas(self, piece: Slice) -> Sigmas:
        """How wide the values of each weight of a slice spread, where they have no levels."""
        tensors, codes = self.topology.tensors, self.codes
        return Sigmas.of(
            [(tensors[run.tensor], codes[run.tensor], run.start, run.stop) for run in piece.runs]
        )

    def steps(self, piece: Slice) -> NDArray[np.int32]:
        """Each weight's step index, or trit exponent for integers; (weights,)."""
        tensors = self.topology.tensors
        parts = [
            scales.weight_steps(tensors[run.tensor], self.codes[run.tensor], run.start, run.stop)
            for run in piece.runs
        ]
        return np.concatenate(parts)

    def run_steps(self, run: Run) -> NDArray[np.int32]:
        """The step indices of a run, (weights,); or (1,) where all weights have the same."""
        code = self.codes[run.tensor]
        if code.row_steps is None and code.column_steps is None:
            return np.array([code.step], np.int32)
        return scales.weight_steps(self.topology.tensors[run.tensor], code, run.start, run.stop)

    def offsets(self, piece: Slice) -> NDArray[np.int32]:
        """Each weight's offset, for integers; (weights,)."""
        return self.per_weight(piece, [code.offset for code in self.codes])

    @staticmethod
    def per_weight(piece: Slice, values: list[int]) -> NDArray[np.int32]:
        """A value of each tensor, repeated for each weight of a slice; (weights,)."""
        chosen = np.array([values[run.tensor] for run in piece.runs], np.int32)
        return np.repeat(chosen, [run.weights for run in piece.runs])

    def write(self) -> bytes:
        """The bytes of the head."""
        parameters = scales.write(self.codes, self.topology.tensors)
        return Writer().blob(self.topology.write()).raw(parameters).bytes()

    @classmethod
    def read(cls, data: bytes | memoryview, *, limits: Limits = LIMITS) -> "Head":
        """Parse what `write` gives.

        Raises:
            BitstreamError: It is malformed.
            LimitError: A count or size is over its limit.
        """
        reader = Reader(data, "head")
        topology = Topology.read(reader.blob(limit=limits.unit_size), limits=limits)
        codes = scales.read(reader.take(reader.remaining), topology.tensors)
        return cls(topology=topology, codes=tuple(codes))
