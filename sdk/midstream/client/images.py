"""Exact models as a store keeps them. Knows nothing of how they came.

A release that came by updates has no units of its own here: its file is kept, with the table of
its holes, so that the next update finds them.
"""

import hashlib

from midstream.bitstream import Topology
from midstream.bitstream.tensor_table import read_table
from midstream.decoder import Exact
from midstream.errors import DataError
from midstream.limits import Limits
from midstream.trust.manifest import Manifest
from midstream.wire import Reader, Writer

__all__ = ["Image"]


class Image:
    """An exact model as a store keeps it: its tensor table, then its file."""

    @staticmethod
    def name(manifest: Manifest) -> str:
        """What a store calls it."""
        return manifest.model_sha256[:16].hex()

    @staticmethod
    def write(exact: Exact) -> bytes:
        """Its bytes."""
        topology = exact.topology
        out = Writer().varint(len(topology.tensors)).blob(topology.table)
        return out.raw(exact.model).bytes()

    @staticmethod
    def read(data: bytes, manifest: Manifest, limits: Limits) -> Exact | None:
        """The exact model of a release; None where it is another, or damaged."""
        try:
            reader = Reader(data, "image")
            count = reader.varint(limit=limits.tensors)
            table = reader.blob(limit=limits.topology_size)
            model = reader.take(reader.remaining)
            if hashlib.sha256(model).digest() != manifest.model_sha256:
                return None
            tensors, _ = read_table(table, count, len(model), limits)
        except DataError:
            return None
        return Exact(topology=Topology.cut(model, tensors), model=model)
