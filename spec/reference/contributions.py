"""Contributions: what providers change, and what a policy makes of it.

Written from contributions.md.
"""

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reference.bits import Reader, bounded, check
from reference.grid import bits_float, float_bits
from reference.heads import read_parameters
from reference.tensors import BITS, Tensor, cut
from reference.units import LEVELS, RAW, VALUES, Decoder

CONTRIBUTION, FLOAT32 = 4, 1
WHOLE = 65_536
NAME_LIMIT = 64


def differences(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of the file of all differences."""
    found: list[Tensor] = []
    end = 0
    for tensor in (tensor for tensor in tensors if tensor.is_float):
        found.append(Tensor(end, FLOAT32, tensor.row_axis, tensor.column_axis, tensor.shape))
        end += found[-1].size
    return found


class Contribution(Decoder):
    """A decoder that knows the topology already, and no other unit before."""

    def apply(self, unit: bytes) -> None:
        """Decode a contribution."""
        reader = Reader(unit)
        check(reader.take(4) == b"MDU\0", "no unit of version 0")
        check(reader.integer(1) == CONTRIBUTION and reader.varint() == 0, "no contribution")
        head = Reader(reader.take(reader.varint()))
        self.parent = head.take(32)
        read_parameters(head, self.tensors, self.tables)
        self.slices = cut(self.tensors)
        self.records(reader)
        allowed = all(s.state in (LEVELS, RAW, VALUES) for s in self.slices)
        check(allowed, "an operation that no base has")


def decode_contribution(
    unit: bytes, tensors: Sequence[Tensor], model: bytes, tables: bytes
) -> list[float]:
    """How far a contribution moves each float of a model file."""
    decoder = Contribution(tables)
    decoder.tensors = differences(tensors)
    size = sum(tensor.size for tensor in decoder.tensors)
    decoder.model = bytearray(size)
    decoder.apply(unit)
    check(decoder.parent == hashlib.sha256(model).digest(), "for another model file")  # [CON-1]
    found = list(struct.unpack(f"<{size // 4}f", decoder.result()))
    check(all(map(math.isfinite, found)), "a change that is not finite")  # [CON-2]
    return found


@dataclass
class Part:
    """A provider that a policy names."""

    provider: str
    share: int
    is_required: bool


@dataclass
class Policy:
    """An adapter policy."""

    network: str
    norm: float
    parts: list[Part]
    exclusions: list[set[str]]


def read_name(reader: Reader) -> str:
    """A name of a network or provider."""
    size = reader.varint()
    check(1 <= size <= NAME_LIMIT, "a name that is too long, or none")
    name = bytes(reader.take(size)).decode("ascii", "replace")
    good = set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    check(set(name) <= good and name[0] not in "._-", "no name")
    check(name not in ("root", "targets", "snapshot", "timestamp"), "the name of a role of TUF")
    return name


def read_policy(data: bytes) -> Policy:
    """An adapter policy from its bytes [CON-9]."""
    reader = Reader(data)
    check(reader.take(4) == b"MDP\0", "no policy of version 0")
    network = read_name(reader)
    (norm,) = struct.unpack("<d", reader.take(8))
    check(2.0**-60 <= norm <= 2.0**60, "no such norm")
    count = reader.varint()
    check(1 <= count <= 16, "no parts, or too many")
    parts = [read_part(reader) for _ in range(count)]
    names = [part.provider for part in parts]
    check(len(set(names)) == count, "a provider twice")
    exclusions = reader.varint()
    check(exclusions <= 64, "too many exclusions")
    found = [read_exclusion(reader, names) for _ in range(exclusions)]
    reader.end()
    required = {part.provider for part in parts if part.is_required}
    check(all(len(one & required) < 2 for one in found), "two of one exclusion are required")
    return Policy(network, norm, parts, found)


def read_part(reader: Reader) -> Part:
    """A provider, what it counts, and whether it must."""
    provider, share, flags = read_name(reader), reader.varint(), reader.integer(1)
    check(1 <= share <= 16 * WHOLE and flags < 2, "no such share or flags")
    return Part(provider, share, flags == 1)


def read_exclusion(reader: Reader, names: Sequence[str]) -> set[str]:
    """Providers of which one at most counts."""
    count = reader.varint()
    check(2 <= count <= len(names), "an exclusion of too few, or too many")
    places = [reader.varint() for _ in range(count)]
    check(places == sorted(set(places)) and places[-1] < len(names), "places that do not rise")
    return {names[place] for place in places}


def is_within(changes: Sequence[float], norm: float) -> bool:
    """Whether a norm is at most a bound, in integers [CON-12]."""
    mantissa, exponent = math.frexp(norm)
    scale = 2.0 ** (20 - exponent + (mantissa == 0.5))
    most = math.ceil(norm * scale)
    return sum(round(abs(change) * scale) ** 2 for change in changes) <= most**2


def chosen(policy: Policy, changes: Mapping[str, Sequence[float]]) -> list[Part]:
    """The parts that count, in their order [CON-11]."""
    counted: list[Part] = []
    for part in sorted(policy.parts, key=lambda part: not part.is_required):
        names = {one.provider for one in counted}
        apart = any(part.provider in one and one & names for one in policy.exclusions)
        change = changes.get(part.provider)
        if not apart and change is not None and is_within(change, policy.norm):
            counted.append(part)
        else:
            check(not part.is_required, "one that is required does not count")
    check(bool(counted), "nothing is left to merge")
    return counted


def merge(
    model: bytes, tensors: Sequence[Tensor], policy: Policy, changes: Mapping[str, Sequence[float]]
) -> bytes:
    """A model file with adapters, given what those of each provider change [CON-13]."""
    parts = [(changes[part.provider], part.share) for part in chosen(policy, changes)]
    merged, place = bytearray(model), 0
    for tensor in (tensor for tensor in tensors if tensor.is_float):
        size = BITS[tensor.dtype] // 8
        for at in range(tensor.offset, tensor.offset + tensor.size, size):
            total = 0.0
            for change, share in parts:
                total += change[place] * (share / WHOLE)
            place += 1
            if total:  # [CON-3]
                old = bits_float(int.from_bytes(model[at : at + size], "little"), tensor.dtype)
                bits = float_bits(old + total, tensor.dtype)
                check(math.isfinite(bits_float(bits, tensor.dtype)), "not finite")  # [CON-4]
                merged[at : at + size] = bits.to_bytes(size, "little")
    return bytes(merged)


def read_provenance(data: bytes) -> list[tuple[str, int, bytes, int, str]]:
    """Provider, version, unit, share and refusal of each part of a merged release."""
    reader = Reader(data)
    check(reader.varint() < 2**31, "no such release")
    reader.take(bounded(reader.varint(), 256))  # the rule
    has_gate = reader.integer(1)
    check(has_gate < 2, "no such gate")
    reader.take(16 * has_gate)
    parts = []
    for _ in range(bounded(reader.varint(), 1024)):
        provider = reader.take(bounded(reader.varint(), 256)).decode()
        version, unit = bounded(reader.varint(), 2**53), reader.take(16)
        share = bounded(reader.varint(), 1_000_000)
        refused = reader.take(bounded(reader.varint(), 1024)).decode()
        parts.append((provider, version, unit, share, refused))
    reader.end()
    return parts
