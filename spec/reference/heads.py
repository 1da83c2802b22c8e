"""Topologies and tensor parameters: the head of a base. Knows nothing of slices."""

import itertools
import math
from collections.abc import Sequence

from reference import objects
from reference.bits import Reader, bounded, check, unzstd
from reference.levels import read_lists
from reference.tables import Tables
from reference.tensors import BITS, Tensor
from reference.values import read_raw

MODEL_LIMIT = 1 << 31
VECTOR_LIMIT = 4_194_304
TOPOLOGY_WINDOW = 8 << 20
OBJECTS_LIMIT = 1 << 20
Vector = tuple[list[int], int, tuple[int, int]]
"""A list for the entries, their number, and the range that they are in."""


def read_tensor(reader: Reader, end: int) -> Tensor:
    """An entry of the tensor table, after a hole that ends there."""
    offset, dtype, axes, rank = end + reader.varint(), *reader.take(3)
    check(dtype in BITS and rank <= 8, "no such dtype, or too many axes")
    row, column = axes & 15, axes >> 4
    check(all(a < rank or a == 15 for a in (row, column)), "no such axis")
    check(row == 15 or row != column, "one axis cannot be rows and columns")
    shape = [reader.varint() for _ in range(rank)]
    check(1 <= math.prod(shape) <= 2 * MODEL_LIMIT, "no weights, or too many")
    return Tensor(
        offset, dtype, None if row == 15 else row, None if column == 15 else column, shape
    )


def read_topology(reader: Reader) -> tuple[list[Tensor], bytearray]:
    """The tensors, and the model file with its holes."""
    size, count = bounded(reader.varint(), MODEL_LIMIT), reader.varint()
    content = bounded(reader.varint(), MODEL_LIMIT)
    has_objects = reader.data[reader.at : reader.at + 1] == b"\1"
    if has_objects:
        reader.take(1)
        check(content <= OBJECTS_LIMIT, "too much content")
    unpacked = bounded(reader.varint(), OBJECTS_LIMIT) if has_objects else content
    inner = Reader(unzstd(reader.rest(), unpacked, TOPOLOGY_WINDOW))
    tensors, model, end = [], bytearray(), 0
    for _ in range(count):
        tensors.append(read_tensor(inner, end))
        end = tensors[-1].offset + tensors[-1].size
        check(end <= size, "a tensor ends outside the model file")
    if has_objects:
        content -= inner.at
        inner = Reader(objects.restore(inner.rest(), [(t.offset, t.size) for t in tensors], size))
        check(len(inner.data) == content, "another length than the content's")
    for tensor in tensors:
        model += inner.take(tensor.offset - len(model)) + bytes(tensor.size)
    model += inner.take(size - len(model))
    inner.end()
    return tensors, model


def read_flags(reader: Reader, tensors: Sequence[Tensor], tables: Tables) -> list[int]:
    """What is sent about each tensor."""
    payload = Reader(reader.take(reader.varint()))
    data = read_raw(payload, 2 * len(tensors), 2, tables, None)
    payload.end()
    flags = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
    for tensor, f in zip(tensors, flags, strict=True):
        check(f < 4096 and not f & 1 << 7 and f >> 4 & 3 < 3, "reserved flags, or no such shape")
        check(not f & 1 << 10 or tensor.weights >= 4096, "too few weights for the lattice")
        check(f in (0, 1 << 11) or f >> 11 < f & 1, "flags of a tensor that is not coded, or tied")
        check(not f & 1 or tensor.dtype != 4, "a coded tensor of int32")
        check(tensor.is_float or not f & 0x700, "steps of an integer tensor's rows")
        check(tensor.row_axis is not None or not f & 0x102, "no rows")
        check(tensor.column_axis is not None or not f & 0x204, "no columns")
        tensor.coded, tensor.kind, tensor.lattice = bool(f & 1), f >> 4 & 3, bool(f >> 10 & 1)
    return flags


def read_parameters(reader: Reader, tensors: Sequence[Tensor], tables: Tables) -> None:
    """The parameters of all tensors."""
    flags = read_flags(reader, tensors, tables)
    widths = reader.take(7)
    check(max(widths) <= 40, "a width of a list is out of range")
    vectors = [vector for t, f in zip(tensors, flags, strict=True) for vector in vectors_of(t, f)]
    check(sum(size for _, size, _ in vectors) <= VECTOR_LIMIT, "too many entries of vectors")
    coded = [tensor for tensor in tensors if tensor.coded]
    whole = [tensor for tensor in coded if not tensor.is_float]
    predicted = [tensor for tensor, f in zip(tensors, flags, strict=True) if f >> 6 & 1]
    counts = [len(coded), len(coded), len(whole), len(vectors), len(predicted)]
    steps, bases, offsets, spreads, masks = read_lists(reader, tables, widths[:5], counts)
    give_steps(coded, steps, bases)
    for tensor, offset in zip(whole, offsets, strict=True):
        tensor.zero = offset
    check(all(1 <= mask <= 1023 for mask in masks), "no such neighbours")
    pairs = [
        (t, p) for t, mask in zip(predicted, masks, strict=True) for p in range(10) if mask >> p & 1
    ]
    tied = [i for i, f in enumerate(flags) if f >> 11]
    coefficients, ties = read_lists(reader, tables, widths[5:], [len(pairs), len(tied)])
    for (tensor, p), c in zip(pairs, coefficients, strict=True):
        check(abs(c) <= 64, "a coefficient is out of range")
        tensor.predictor[p] = c
    tie(tensors, dict(zip(tied, ties, strict=True)))
    read_vectors(reader, tables, vectors, list(itertools.accumulate(spreads)))
    reader.end()


def vectors_of(tensor: Tensor, flags: int) -> list[Vector]:
    """The vectors that a tensor has."""
    rows = 1 if tensor.row_axis is None else tensor.shape[tensor.row_axis]
    columns = 1 if tensor.column_axis is None else tensor.shape[tensor.column_axis]
    sizes = [rows, columns, tensor.weights // rows // columns, rows, columns]
    vectors = [*tensor.scales, *tensor.steps]
    return [
        (vectors[i], sizes[i], (-128, 127) if i < 3 else (-24, 24))
        for i, bit in enumerate((1, 2, 3, 8, 9))
        if flags >> bit & 1
    ]


def give_steps(coded: Sequence[Tensor], steps: Sequence[int], widths: Sequence[int]) -> None:
    """Step indices or trit exponents, and base widths; each minus the one before."""
    pairs = zip(itertools.accumulate(steps), itertools.accumulate(widths), strict=True)
    for tensor, (step, width) in zip(coded, pairs, strict=True):
        low, high = (-2560, 2560) if tensor.is_float else (0, 20)
        check(low <= step <= high and abs(width) <= 512, "a step or width is out of range")
        tensor.step, tensor.width = step, width


def tie(tensors: Sequence[Tensor], ties: dict[int, int]) -> None:
    """Tensors whose bytes are those of one so far back, by their index."""
    for i, back in ties.items():
        check(0 < back <= i and i - back not in ties, "a tie to no earlier tensor, or a tied one")
        tensor, other = tensors[i], tensors[i - back]
        alike = (other.dtype, other.weights) == (tensor.dtype, tensor.weights)
        check(alike, "a tie to another kind")
        tensor.tied = other


def read_vectors(
    reader: Reader, tables: Tables, vectors: Sequence[Vector], spreads: Sequence[int]
) -> None:
    """The entries of all vectors, each vector in levels of its own spread."""
    check(all(0 <= w <= 40 for w in spreads), "a spread is out of range")
    entries = read_lists(reader, tables, spreads, [size for _, size, _ in vectors])
    for (vector, _, (low, high)), read in zip(vectors, entries, strict=True):
        vector += read
        check(all(low <= x <= high for x in vector), "a vector's entry is out of range")
