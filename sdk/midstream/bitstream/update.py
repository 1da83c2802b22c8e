"""The head of an update: which model it applies to, and what it is coded with.

Knows nothing of the weights themselves (spec/updates.md, "Head").
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.parts import Part, is_resizable, parts_of
from midstream.bitstream.patch import read_patch, write_patch
from midstream.bitstream.slices import Slice, partition
from midstream.bitstream.topology import Topology
from midstream.codec import Sigmas, TensorCode, raw, references, scales
from midstream.codec.references import Reference
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.types import Tensor
from midstream.wire import Reader, Writer

__all__ = ["STATE_ID_SIZE", "UpdateHead", "state_id"]

STATE_ID_SIZE = 16
"""Bytes of what an exact model is called."""
_CHANGED_TOPOLOGY = 1


def state_id(topology: Topology, model: bytes | bytearray | memoryview) -> bytes:
    """What an exact model is called: half a hash of its tensor table and its file."""
    digest = hashlib.sha256(topology.table)
    digest.update(model)
    return digest.digest()[:STATE_ID_SIZE]


@dataclass(frozen=True, kw_only=True)
class UpdateHead:
    """What a decoder must know before the first slice."""

    parent: bytes
    """The `state_id` of the model that it applies to."""
    old: Topology
    """That of this model."""
    topology: Topology
    """That of the new one; the same object where it did not change."""
    sources: tuple[int | None, ...]
    """For each new tensor, the old one that it comes from."""
    changed: frozenset[int] = frozenset()
    """Indices of the kept parts in which anything is new."""
    references: dict[int, Reference] = field(default_factory=dict)
    """What is expected of parts, where it is not just what was there."""
    codes: tuple[TensorCode, ...] = ()
    """Parameters of each part in `listed`."""

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All weights of the new model."""
        return parts_of(self.topology.tensors, self.old.tensors, self.sources)

    @property
    def keeps_places(self) -> bool:
        """Whether all weights have the place in the file that they had in the parent's."""
        new, old = self.topology, self.old
        if new is old:
            return True
        is_same = new.model_size == old.model_size and new.tensors == old.tensors
        return is_same and self.sources == tuple(range(len(new.tensors)))

    @cached_property
    def listed(self) -> tuple[int, ...]:
        """Indices of the parts that are in slices: the changed and the fresh ones."""
        pairs = enumerate(self.parts)
        return tuple(at for at, part in pairs if at in self.changed or part.source is None)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """What the parts in slices are coded as."""
        return tuple(self.parts[at].tensor for at in self.listed)

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Slices of the parts that are listed; the tensor of a run is a place in the list."""
        return partition(self.tensors, [code.coded for code in self.codes])

    def sigmas(self, piece: Slice) -> Sigmas:
        """How wide the differences of each weight of a slice spread."""
        return Sigmas.of(
            [(self.tensors[r.tensor], self.codes[r.tensor], r.start, r.stop) for r in piece.runs]
        )

    def is_expected(self, piece: Slice) -> bool:
        """Whether other weights are expected of any part of a slice than those of the parent."""
        return any(self.listed[run.tensor] in self.references for run in piece.runs)

    def expected(self, piece: Slice, parent: memoryview) -> NDArray[np.generic]:
        """What is expected of the weights of a slice whose parts are all kept; (weights,)."""
        found = []
        for run in piece.runs:
            part = self.parts[self.listed[run.tensor]]
            own = part.old(parent, run.start, run.stop)
            reference = self.references.get(self.listed[run.tensor])
            found.append(own if reference is None else reference.apply(own, part.tensor, run.start))
        return np.concatenate(found)

    def write(self) -> bytes:
        """The bytes of the head."""
        is_changed = self.topology is not self.old
        out = Writer().raw(self.parent).u8(_CHANGED_TOPOLOGY * is_changed)
        if is_changed:
            out.blob(write_patch(self.topology, self.old, self.sources))
        kept = [at for at, part in enumerate(self.parts) if part.source is not None]
        flags = np.packbits(np.isin(kept, list(self.changed)), bitorder="little")
        out.blob(raw.encode(flags.tobytes(), 1) if kept else b"")
        out.varint(len(self.references))
        last = -1
        for at, reference in sorted(self.references.items()):
            place = self.listed.index(at)
            out.varint(place - last - 1).blob(references.write(reference))
            last = place
        return out.raw(scales.write(self.codes, self.tensors)).bytes()

    @classmethod
    def read(
        cls, data: bytes | memoryview, old: Topology, *, limits: Limits = LIMITS
    ) -> "UpdateHead":
        """Parse what `write` gives, on the topology of the model that it applies to.

        Raises:
            BitstreamError: It is malformed, or does not fit that topology.
            LimitError: A count or size is over its limit.
        """
        reader = Reader(data, "update")
        parent, flags = bytes(reader.take(STATE_ID_SIZE)), reader.u8()
        if flags & ~_CHANGED_TOPOLOGY:
            raise _bad(f"flags {flags:#04x}")
        topology, sources = old, tuple[int | None, ...](range(len(old.tensors)))
        if flags:
            topology, sources = read_patch(reader.blob(limit=limits.unit_size), old, limits=limits)
        _check_sources(topology, old, sources)
        bare = cls(parent=parent, old=old, topology=topology, sources=sources)
        listing = _with(bare, changed=_read_changed(reader, bare.parts))
        found = _read_references(reader, listing)
        codes = scales.read(reader.take(reader.remaining), listing.tensors)
        _check_codes(codes, listing.tensors)
        return _with(listing, references=found, codes=tuple(codes))


def _with(head: UpdateHead, **fields: Any) -> UpdateHead:
    """The same with more of its fields; its parts depend on none of these."""
    found = replace(head, **fields)
    found.__dict__["parts"] = head.parts
    return found


def _check_sources(new: Topology, old: Topology, sources: Sequence[int | None]) -> None:
    for tensor, source in zip(new.tensors, sources, strict=True):
        if source is not None and not is_resizable(old.tensors[source], tensor):
            raise _bad(f"{tensor.name} from tensor {source} of another kind")


def _read_changed(reader: Reader, parts: Sequence[Part]) -> frozenset[int]:
    kept = [at for at, part in enumerate(parts) if part.source is not None]
    size = (len(kept) + 7) // 8
    data = reader.blob(limit=64 + 2 * size)
    if not kept:
        if len(data):
            raise _bad("changes of parts that there are not")
        return frozenset()
    packed = np.frombuffer(raw.decode(data, size, 1), np.uint8)
    flags = np.unpackbits(packed, count=len(kept), bitorder="little")
    return frozenset(at for at, flag in zip(kept, flags.tolist(), strict=True) if flag)


def _read_references(reader: Reader, head: UpdateHead) -> dict[int, Reference]:
    found: dict[int, Reference] = {}
    last = -1
    for _ in range(reader.varint(limit=len(head.listed))):
        last += 1 + reader.varint(limit=len(head.listed))
        if last >= len(head.listed) or head.parts[head.listed[last]].source is None:
            raise _bad(f"a reference of part {last}, which has nothing in its parent")
        at = head.listed[last]
        payload = reader.blob(limit=LIMITS.unit_size)
        found[at] = references.read(payload, head.parts[at].tensor)
    return found


def _check_codes(codes: Sequence[TensorCode], tensors: Sequence[Tensor]) -> None:
    """Differences are not predicted, nor on any grid but the finest."""
    for code, tensor in zip(codes, tensors, strict=True):
        is_coarse = not tensor.dtype.is_float and code.coded and (code.step or code.offset)
        if code.predictor or code.lattice or code.same_as is not None or is_coarse:
            raise _bad(f"parameters of {tensor.name} that updates have no use for")


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"update: {problem}")
