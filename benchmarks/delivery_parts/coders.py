"""The peers of recovery, each with the calls and the kinds of data that suit it best.

Knows nothing of midstream, nor of time. A package is imported where it is asked for: no
environment has all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

__all__ = ["OWN", "PEERS", "Coder", "Shape", "peer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a block is."""

    source: int
    """Packets."""
    repair: int
    """Repair symbols."""
    size: int
    """Bytes of each."""


class Coder(Protocol):
    """A package that makes repair symbols and rebuilds packets."""

    def load(self, data: bytes, /) -> Any:
        """The packets of a block as it likes them; this is not timed."""

    def encode(self, packets: Any, /) -> Any:
        """Their repair symbols."""

    def receive(self, packets: Any, repair: Any, lost: Sequence[int], /) -> Any:
        """What came without those that are lost, as it likes it; this is not timed."""

    def restore(self, received: Any, /) -> Any:
        """The lost packets, or all of them."""

    def packet(self, restored: Any, index: int, /) -> bytes:
        """One of those that were lost, to check it; this is not timed."""


class _Zfec:
    """The packages zfec and zfex, which share an interface."""

    def __init__(self, package: Any, shape: Shape, _: str) -> None:
        total = shape.source + shape.repair
        self._shape = shape
        self._numbers = list(range(shape.source, total))
        self._encoder = package.Encoder(shape.source, total)
        self._decoder = package.Decoder(shape.source, total)

    def load(self, data: bytes) -> Any:
        return _split(data, self._shape.size)

    def encode(self, packets: Any) -> Any:
        return self._encoder.encode(packets, self._numbers)

    def receive(self, packets: Any, repair: Any, lost: Sequence[int]) -> Any:
        blocks, numbers = list(packets), list(range(self._shape.source))
        for at, index in enumerate(lost):
            blocks[index], numbers[index] = repair[at], self._numbers[at]
        return blocks, numbers

    def restore(self, received: Any) -> Any:
        return self._decoder.decode(*received)

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(restored[index])


class _Leopard:
    """The package reed-solomon-leopard: reed-solomon-simd of Rust, another code over GF(2^16)."""

    def __init__(self, package: Any, shape: Shape, _: str) -> None:
        self._package = package
        self._shape = shape

    def load(self, data: bytes) -> Any:
        return _split(data, self._shape.size)

    def encode(self, packets: Any) -> Any:
        return self._package.encode(packets, self._shape.repair)

    def receive(self, packets: Any, repair: Any, lost: Sequence[int]) -> Any:
        kept = {index: packet for index, packet in enumerate(packets) if index not in lost}
        return kept, {at: repair[at] for at in range(len(lost))}

    def restore(self, received: Any) -> Any:
        return self._package.decode(self._shape.source, self._shape.repair, *received)

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(restored[index])


class _PyEClib:
    """The package pyeclib with one of the libraries in its wheel, ISA-L among them."""

    def __init__(self, package: Any, shape: Shape, library: str) -> None:
        self._size = shape.size
        self._driver = package.ECDriver(k=shape.source, m=shape.repair, ec_type=library)

    def load(self, data: bytes) -> Any:
        return data

    def encode(self, packets: Any) -> Any:
        return self._driver.encode(packets)

    def receive(self, _: Any, fragments: Any, lost: Sequence[int]) -> Any:
        return [fragment for index, fragment in enumerate(fragments) if index not in lost]

    def restore(self, received: Any) -> Any:
        return self._driver.decode(received)

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(restored[index * self._size : (index + 1) * self._size])


class _PyEClibLost(_PyEClib):
    """The same, asked for what is lost alone."""

    def receive(self, _: Any, fragments: Any, lost: Sequence[int]) -> Any:
        return super().receive(_, fragments, lost), list(lost)

    def restore(self, received: Any) -> Any:
        fragments, lost = received
        return dict(zip(lost, self._driver.reconstruct(fragments, lost), strict=True))

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(restored[index][-self._size :])


class _Creedsolo:
    """The package reedsolo, compiled: a call for each codeword."""

    def __init__(self, package: Any, shape: Shape, _: str) -> None:
        self._size = shape.size
        self._coder = package.RSCodec(shape.repair)

    def load(self, data: bytes) -> Any:
        return [data[column :: self._size] for column in range(self._size)]

    def encode(self, packets: Any) -> Any:
        return [self._coder.encode(word) for word in packets]

    def receive(self, _: Any, words: Any, lost: Sequence[int]) -> Any:
        damaged = [bytearray(word) for word in words]
        for word in damaged:
            for index in lost:
                word[index] ^= 0x5A
        return damaged, list(lost)

    def restore(self, received: Any) -> Any:
        words, lost = received
        return [self._coder.decode(word, erase_pos=lost)[0] for word in words]

    def packet(self, restored: Any, index: int) -> bytes:
        return bytes(word[index] for word in restored)


_MAKERS: dict[str, tuple[str, type[Any]]] = {
    "creedsolo": ("creedsolo", _Creedsolo),
    "leopard": ("reed_solomon_leopard", _Leopard),
    "pyeclib": ("pyeclib.ec_iface", _PyEClib),
    "pyeclib-lost": ("pyeclib.ec_iface", _PyEClibLost),
    "zfec": ("zfec", _Zfec),
    "zfex": ("zfex", _Zfec),
}
PEERS = (
    "creedsolo",
    "leopard",
    "pyeclib isa_l_rs_cauchy",
    "pyeclib isa_l_rs_vand",
    "pyeclib liberasurecode_rs_vand",
    "pyeclib-lost isa_l_rs_cauchy",
    "pyeclib-lost isa_l_rs_vand",
    "zfec",
    "zfex",
)
"""What `peer` makes; a package that has several ways is there with each."""
OWN = ("midstream", "midstream AVX2", "midstream portable", "midstream NumPy")
"""Ours, as it runs here, and as it would elsewhere."""


def peer(name: str, shape: Shape) -> Coder:
    """The coder of a name in PEERS.

    Args:
        name: A package, and what of it.
        shape: Of the blocks.
    """
    package, _, kind = name.partition(" ")
    module, maker = _MAKERS[package]
    coder: Coder = maker(import_module(module), shape, kind)
    return coder


def _split(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
