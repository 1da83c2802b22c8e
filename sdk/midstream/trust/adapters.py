"""Adapter policies: which providers' adapters a client merges into a release, and how much of each.

Knows nothing of how adapters are coded or summed. A policy is a file that the role naming a
network's providers signs for (spec/contributions.md, "Adapter policy").
"""

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from midstream.errors import BitstreamError, ErrorCode, LimitError, TrustError
from midstream.limits import LIMITS, Limits
from midstream.trust import layout
from midstream.wire import Reader, Writer

__all__ = ["MAGIC", "SHARE_UNIT", "AdapterPolicy", "PolicyPart", "decode", "encode"]

MAGIC = b"MDP"
_VERSION = 0
SHARE_UNIT = 1 << 16
"""What a share counts in: so many are the whole adapter."""
_MAX_SHARE = 16 * SHARE_UNIT
_MAX_PARTS = 16
_MAX_EXCLUSIONS = 64
_LEAST_NORM, _MAX_NORM = 2.0**-60, 2.0**60
_REQUIRED = 1
_MAX_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPart:
    """One provider that a policy takes an adapter of."""

    provider: str
    """Its name."""
    share: int = SHARE_UNIT
    """What its adapter counts, in 1/65,536: 1 to 16 times 65,536."""
    is_required: bool = False
    """Whether nothing is merged without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterPolicy:
    """What is merged into releases of a network; a wrong one cannot be built.

    Raises (when built):
        BitstreamError: BAD_FIELD where a field makes no sense, a provider is named twice, or two
            are required that never go together.
    """

    network: str
    """The network whose releases are the base."""
    parts: tuple[PolicyPart, ...]
    """Providers, each once; 1 to 16."""
    never_together: tuple[frozenset[str], ...] = ()
    """Sets of these providers of which one at most counts."""
    largest_norm: float
    """Of a change: the root of the sum of its squares, before it is multiplied by its share."""

    def __post_init__(self) -> None:
        _check_parts(self.network, self.parts)
        if len(self.never_together) > _MAX_EXCLUSIONS:
            raise _bad(f"{len(self.never_together)} exclusions, at most {_MAX_EXCLUSIONS}")
        for names in self.never_together:
            self._check_exclusion(names)
        if not _LEAST_NORM <= self.largest_norm <= _MAX_NORM:
            raise _bad(f"a largest norm of {self.largest_norm}")

    @property
    def ordered(self) -> tuple[PolicyPart, ...]:
        """Parts in the order in which they are looked at and summed: required ones first."""
        return tuple(sorted(self.parts, key=lambda part: not part.is_required))

    def check_apart(self, provider: str, counted: Collection[str]) -> None:
        """Make sure that a provider may count beside those that do.

        Raises:
            TrustError: BAD_ARGUMENT where the policy says never.
        """
        for names in self.never_together:
            others = sorted(names & set(counted)) if provider in names else []
            if others:
                raise TrustError(
                    ErrorCode.BAD_ARGUMENT,
                    f"adapter of {provider}: never together with {others[0]}",
                )

    def _check_exclusion(self, names: frozenset[str]) -> None:
        known = {part.provider for part in self.parts}
        if len(names) < 2 or not names <= known:
            raise _bad(f"an exclusion of {', '.join(sorted(names)) or 'nobody'}")
        required = [part.provider for part in self.parts if part.is_required]
        both = sorted(names & set(required))
        if len(both) > 1:
            raise _bad(f"{both[0]} and {both[1]} are both required, and never together")


def encode(policy: AdapterPolicy) -> bytes:
    """The bytes of a policy."""
    out = Writer().raw(MAGIC).u8(_VERSION).text(policy.network)
    out.raw(struct.pack("<d", policy.largest_norm)).varint(len(policy.parts))
    for part in policy.parts:
        out.text(part.provider).varint(part.share).u8(_REQUIRED * part.is_required)
    places = {part.provider: place for place, part in enumerate(policy.parts)}
    out.varint(len(policy.never_together))
    for names in policy.never_together:
        out.varint(len(names))
        for place in sorted(places[name] for name in names):
            out.varint(place)
    return out.bytes()


def decode(data: bytes | memoryview, *, limits: Limits = LIMITS) -> AdapterPolicy:
    """A policy from its bytes; `encode` of it gives the same bytes again.

    Raises:
        BitstreamError: It is malformed, or of another version.
        LimitError: It, or a count in it, is over its limit.
    """
    if len(data) > limits.manifest_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"policy: {len(data)} bytes, at most {limits.manifest_size}"
        )
    reader = Reader(data, "policy")
    if (magic := bytes(reader.take(3))) != MAGIC:
        raise BitstreamError(ErrorCode.BAD_MAGIC, f"policy: starts with {magic!r}, not {MAGIC!r}")
    if (version := reader.u8()) != _VERSION:
        raise BitstreamError(
            ErrorCode.BAD_VERSION, f"policy: version {version}, this reader knows {_VERSION}"
        )
    network = reader.text(limit=_MAX_NAME)
    (largest_norm,) = struct.unpack("<d", reader.take(8))
    parts = tuple(_read_part(reader) for _ in range(reader.varint(limit=_MAX_PARTS)))
    count = reader.varint(limit=_MAX_EXCLUSIONS)
    never_together = tuple(_read_exclusion(reader, parts) for _ in range(count))
    reader.end()
    return AdapterPolicy(
        network=network, parts=parts, never_together=never_together, largest_norm=largest_norm
    )


def _read_part(reader: Reader) -> PolicyPart:
    provider = reader.text(limit=_MAX_NAME)
    share, flags = reader.varint(limit=_MAX_SHARE), reader.u8()
    if flags & ~_REQUIRED:
        raise _bad(f"a part with flags {flags:#04x}")
    return PolicyPart(provider=provider, share=share, is_required=bool(flags))


def _read_exclusion(reader: Reader, parts: Sequence[PolicyPart]) -> frozenset[str]:
    """Providers by their places, which rise: an exclusion has one encoding."""
    count = reader.varint(limit=len(parts))
    places = [reader.varint(limit=max(len(parts) - 1, 0)) for _ in range(count)]
    if places != sorted(set(places)):
        raise _bad(f"an exclusion of the parts {places}, which do not rise")
    return frozenset(parts[place].provider for place in places)


def _check_parts(network: str, parts: Sequence[PolicyPart]) -> None:
    names = [part.provider for part in parts]
    if not all(map(layout.is_name, [network, *names])):
        raise _bad(f"names {network!r} and {', '.join(map(repr, names))}")
    if not 1 <= len(parts) <= _MAX_PARTS or len(set(names)) < len(names):
        raise _bad(
            f"{len(parts)} parts, of {len(set(names))} providers: expected 1 to 16, each once"
        )
    for part in parts:
        if not 1 <= part.share <= _MAX_SHARE:
            raise _bad(f"{part.provider} counts {part.share}, expected 1 to {_MAX_SHARE}")


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"policy: {problem}")
