"""Our side of recovery, as a coder beside its peers."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delivery_parts.coders import Coder, Shape
from midstream import fec
from midstream.fec import blocks
from midstream.kernels import native_gf256, numpy_gf256

__all__ = ["own"]

_WAYS = {
    "midstream AVX2": partial(native_gf256.combine_rows_by, native_gf256.Way.AVX2),
    "midstream portable": partial(native_gf256.combine_rows_by, native_gf256.Way.PORTABLE),
    "midstream NumPy": numpy_gf256.combine_rows,
}


class _Own:
    """The package fec of ours, as the client uses it: lost packets go to their places."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def load(self, data: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8).reshape(self._shape.source, self._shape.size)

    def encode(self, packets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return fec.encode(packets, self._shape.repair)

    def receive(
        self, packets: NDArray[np.uint8], repair: NDArray[np.uint8], lost: Sequence[int]
    ) -> Any:
        symbols = np.concatenate([packets, repair])
        present = np.ones(len(symbols), np.bool_)
        present[list(lost)] = False
        symbols[~present] ^= 0x5A
        return symbols, present, list(lost)

    def restore(self, received: Any) -> Any:
        symbols, present, lost = received
        symbols[lost] = fec.lost_packets(symbols, self._shape.source, present)
        return symbols

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(restored[index])


def own(name: str, shape: Shape) -> Coder:
    """The coder of a name in OWN.

    Args:
        name: What multiplies.
        shape: Of the blocks.
    """
    if name in _WAYS:
        # what is taken elsewhere is chosen when it runs: here it has to be put in its place
        vars(blocks)["combine_rows"] = _WAYS[name]
    return _Own(shape)
