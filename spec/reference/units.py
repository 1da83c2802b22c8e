"""Units, applied one after another."""

from collections.abc import Sequence

from reference.archives import settle
from reference.bits import Reader, check
from reference.exact import read_exact
from reference.grid import reconstruct
from reference.heads import read_parameters, read_topology
from reference.levels import read_digits, read_expected_points, read_levels, read_points
from reference.refined import read_refined_points
from reference.tables import read_tables
from reference.tensors import BITS, Slice, cut
from reference.values import read_copies, read_raw, read_values, repeat

BASE, ENHANCEMENT, EXACT_UNIT = range(3)
LEVELS, DIGITS, EXACT, RAW, VALUES = range(5)
REPEATS, POINTS = 7, 8


class Decoder:
    """A model file, unit by unit."""

    def __init__(self, tables: bytes):
        self.tables = read_tables(tables)
        self.layer = -1
        self.slices: list[Slice] = []

    def apply(self, unit: bytes) -> None:
        """Decode a unit on top of those before it."""
        reader = Reader(unit)
        check(reader.take(4) == b"MDU\0", "no unit of version 0")
        kind, layer = reader.integer(1), reader.varint()
        check(kind in (BASE, ENHANCEMENT, EXACT_UNIT), "no such kind, or one that is reserved")
        check((kind == BASE) == (self.layer < 0), "a base comes first, and only first")
        check(self.layer < layer <= 255, "layers rise to at most 255")
        head = Reader(reader.take(reader.varint()))
        if kind == BASE:
            self.start(head.rest())
        head.end()
        self.records(reader)
        self.layer = layer

    def records(self, reader: Reader) -> None:
        """The records of a unit, to its end."""
        last = 0
        for _ in range(reader.varint()):
            index, operation = reader.varint(), reader.integer(1)
            check(last <= index < len(self.slices), "slices out of order, or no such slice")
            last = index
            payload = Reader(reader.take(reader.varint()))
            self.operate(self.slices[index], operation, payload)
            payload.end()
        reader.end()
        check(
            all(s.state not in (None, REPEATS) for s in self.slices),
            "a slice without a first record",
        )

    def start(self, data: bytes) -> None:
        """Take the head of a base."""
        head = Reader(data)
        self.tensors, self.model = read_topology(Reader(head.take(head.varint())))
        read_parameters(head, self.tensors, self.tables)
        self.slices = cut(self.tensors)
        head.end()

    def operate(self, piece: Slice, operation: int, payload: Reader) -> None:
        """Apply one record to its slice."""
        is_new, has_levels = piece.state is None, piece.state in (LEVELS, DIGITS)
        allowed = {
            REPEATS: is_new and piece.coded and piece.is_float,
            LEVELS: (is_new or piece.state == REPEATS) and piece.coded,
            DIGITS: has_levels,
            EXACT: has_levels and piece.is_float,
            POINTS: has_levels and piece.is_float,
            RAW: is_new or has_levels,
            VALUES: is_new and piece.coded and piece.is_float,
        }
        check(allowed.get(operation, False), "no such operation, or not on what there is")
        if operation == REPEATS:
            piece.fold(read_copies(payload, len(piece.every)))
        elif operation == LEVELS:
            piece.levels = self.first_levels(piece, payload)
            piece.climb = [piece.levels]
        elif operation == DIGITS:
            check_digits(piece)
            piece.levels = read_digits(payload, self.tables, piece)
            piece.climb.append(piece.levels)
            piece.digits += 1
        elif operation == POINTS:
            check_digits(piece)
            piece.levels, piece.ratio = read_refined_points(payload, self.tables, piece)
        else:
            piece.data = self.values(piece, operation, payload)
        piece.state = operation

    def first_levels(self, piece: Slice, payload: Reader) -> list[int]:
        """The levels of a slice, on the integers or the lattice."""
        contexts = [(t.kind, t.sigma_width(at)) for t, at, _ in piece.weights]
        if piece.pieces[0][0].lattice and piece.pieces[0][0].neighbours and not piece.copies:
            return read_expected_points(payload, self.tables, piece)
        if piece.pieces[0][0].lattice:
            return read_points(payload, self.tables, contexts)
        return read_levels(payload, self.tables, contexts, piece.mean, piece.nearest)

    def values(self, piece: Slice, operation: int, payload: Reader) -> bytes:
        """The bytes of a slice that has no levels from here on."""
        if operation == EXACT:
            data = read_exact(payload, piece)
            return repeat(piece.copies, data, BITS[piece.dtype] // 8) if piece.copies else data
        if operation == RAW:
            size = sum(((b - a) * BITS[t.dtype] + 7) // 8 for t, a, b in piece.pieces)
            return read_raw(payload, size, max(1, BITS[piece.dtype] // 8), self.tables, piece)
        widths = [t.value_width(at) for t, at, _ in piece.weights]
        weights = [
            (t.kind, (t.step >> 2) + w - 12, w)
            for (t, _, _), w in zip(piece.weights, widths, strict=True)
        ]
        return read_values(payload, self.tables, piece.dtype, weights)

    def result(self) -> bytes:
        """The model file as it is now."""
        model = bytearray(self.model)
        for piece in self.slices:
            has_levels = piece.state in (LEVELS, DIGITS, POINTS)
            data = unfolded(piece) if has_levels and piece.copies else piece.data
            at = 0
            for tensor, start, stop in piece.pieces:
                part = range(at, at + stop - start)
                size = (len(part) * BITS[tensor.dtype] + 7) // 8
                first = tensor.offset + start * BITS[tensor.dtype] // 8
                if has_levels and not piece.copies:
                    model[first : first + size] = reconstruct(piece, part)
                else:
                    model[first : first + size], data = data[:size], data[size:]
                at = part.stop
        for tensor in self.tensors:
            if tensor.dtype == 7 and tensor.weights % 2:
                model[tensor.offset + tensor.size - 1] &= 15
            if tensor.tied is not None:
                other = tensor.tied.offset
                model[tensor.offset : tensor.offset + tensor.size] = model[
                    other : other + tensor.size
                ]
        settle(model)
        return bytes(model)


def unfolded(piece: Slice) -> bytes:
    """The bytes of a slice of which weights were left out, from the levels of the others."""
    data = reconstruct(piece, range(len(piece.weights)))
    return repeat(piece.copies, data, BITS[piece.dtype] // 8)


def check_digits(piece: Slice) -> None:
    """Refuse another digit of points, or of an integer that has all its trits."""
    most = min((t.step for t, _, _ in piece.pieces), default=0)
    check(piece.is_float or piece.digits < most, "more digits than trits")
    check(not piece.pieces[0][0].lattice, "digits on points of the lattice")


def decode(units: Sequence[bytes], tables: bytes) -> bytes:
    """The model file of a base and the units on top of it."""
    decoder = Decoder(tables)
    for unit in units:
        decoder.apply(unit)
    check(len(units) > 0, "no units")
    return decoder.result()
