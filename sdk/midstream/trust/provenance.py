"""What a merged release was made of, as its manifest says it. Knows nothing of merging.

An extension of the manifest that readers may ignore (spec/contributions.md, "Provenance").
"""

import struct
from dataclasses import dataclass

from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.trust.manifest import Extension, Manifest
from midstream.wire import Reader, Writer

__all__ = ["TAG", "Part", "Provenance", "decode", "encode", "provenance_of"]

TAG = 1
"""Of the extension."""
_MAX_PARTS = 1024
_MAX_TEXT = 256
_MAX_RELEASE = 2**31 - 1
_MAX_VERSION = 2**53
_ID_SIZE = 16
_SHARES = 1_000_000
_NO_GATE, _GATE = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One contribution that was looked at."""

    provider: str
    """Whose it was."""
    version: int
    """Of the provider's metadata."""
    unit: bytes
    """The first 16 bytes of the SHA-256 of the contribution."""
    share: float = 0.0
    """What it counted, in millionths; 0 where it was refused, or shares differ by weight."""
    refused: str = ""
    """Why it was left out; empty where it counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a release was merged from."""

    parent: int
    """The release that was changed."""
    rule: str
    """How."""
    parts: tuple[Part, ...]
    """Contributions, by provider."""
    gate: tuple[float, float] | None = None
    """What the gate said of the parent, and of this release; None without a gate."""


def encode(provenance: Provenance) -> Extension:
    """The extension of a manifest."""
    out = Writer().varint(provenance.parent).text(provenance.rule)
    if provenance.gate is None:
        out.u8(_NO_GATE)
    else:
        out.u8(_GATE).raw(struct.pack("<2d", *provenance.gate))
    out.varint(len(provenance.parts))
    for part in provenance.parts:
        out.text(part.provider).varint(part.version).raw(part.unit)
        out.varint(round(part.share * _SHARES)).text(part.refused[:_MAX_TEXT])
    return Extension(tag=TAG, value=out.bytes())


def decode(value: bytes, *, limits: Limits = LIMITS) -> Provenance:
    """What `encode` wrote.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    reader = Reader(value, "provenance")
    parent = reader.varint(limit=_MAX_RELEASE)
    rule = reader.text(limit=min(_MAX_TEXT, limits.tensor_name))
    gate = _read_gate(reader)
    parts = tuple(_read_part(reader) for _ in range(reader.varint(limit=_MAX_PARTS)))
    reader.end()
    return Provenance(parent=parent, rule=rule, parts=parts, gate=gate)


def _read_gate(reader: Reader) -> tuple[float, float] | None:
    if (has_gate := reader.u8()) not in (_NO_GATE, _GATE):
        raise BitstreamError(ErrorCode.BAD_FIELD, f"provenance: a gate of kind {has_gate}")
    if has_gate == _NO_GATE:
        return None
    before, after = struct.unpack("<2d", reader.take(16))
    return before, after


def _read_part(reader: Reader) -> Part:
    return Part(
        provider=reader.text(limit=_MAX_TEXT),
        version=reader.varint(limit=_MAX_VERSION),
        unit=bytes(reader.take(_ID_SIZE)),
        share=reader.varint(limit=_SHARES) / _SHARES,
        refused=reader.text(limit=4 * _MAX_TEXT),
    )


def provenance_of(manifest: Manifest) -> Provenance | None:
    """What a release was merged from; None where it was not.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    found = [extension for extension in manifest.extensions if extension.tag == TAG]
    return decode(found[0].value) if found else None
