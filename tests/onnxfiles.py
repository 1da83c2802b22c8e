"""Small ONNX files, built by hand, field by field."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = {"<f4": 1, "|u1": 2, "|i1": 3, "<i4": 6, "<i8": 7, "<f2": 10, "<f8": 11}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field that is an integer."""
    return varint(field << 3) + varint(value)


def span(field: int, data: bytes | str) -> bytes:
    """A field that has a length."""
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def dims(shape: Sequence[int]) -> bytes:
    return span(1, b"".join(map(varint, shape)))


def raw(name: str, array: NDArray[Any]) -> bytes:
    """A tensor in raw data."""
    kind = number(2, NUMBERS[array.dtype.str])
    return dims(array.shape) + kind + span(8, name) + span(9, array.tobytes())


def packed(name: str, array: NDArray[np.float32]) -> bytes:
    """A tensor in packed floats."""
    return dims(array.shape) + number(2, 1) + span(4, array.tobytes()) + span(8, name)


def single_floats(name: str, array: NDArray[np.float32]) -> bytes:
    """A tensor whose floats have a field each."""
    fields = b"".join(varint(4 << 3 | 5) + value.tobytes() for value in array.ravel())
    return dims(array.shape) + number(2, 1) + fields + span(8, name)


def external(name: str, array: NDArray[Any], location: str, **pairs: int) -> bytes:
    """A tensor in a file of its own."""
    entries = {"location": location} | {key: str(value) for key, value in pairs.items()}
    texts = b"".join(span(13, span(1, key) + span(2, value)) for key, value in entries.items())
    head = dims(array.shape) + number(2, NUMBERS[array.dtype.str]) + span(8, name)
    return head + texts + number(14, 1)


def attribute(name: str, value: int) -> bytes:
    return span(1, name) + number(3, value) + number(20, 2)


def node(
    kind: str, inputs: Sequence[str], output: str = "out", attributes: Sequence[bytes] = ()
) -> bytes:
    fields = b"".join(span(1, name) for name in inputs) + span(2, output) + span(4, kind)
    return fields + b"".join(span(5, item) for item in attributes)


def model(tensors: Sequence[bytes], nodes: Sequence[bytes] = ()) -> bytes:
    """A file with these initializers and nodes."""
    graph = b"".join(span(1, item) for item in nodes) + span(2, "g")
    graph += b"".join(span(5, tensor) for tensor in tensors)
    return number(1, 8) + span(2, "tests") + span(7, graph) + span(8, number(2, 17))
