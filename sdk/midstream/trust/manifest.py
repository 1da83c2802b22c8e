"""Manifests: what a release is made of. Knows nothing of how units are coded or fetched.

A manifest is the target file that is signed for; the units are checked against the roots of
hash trees in it (spec/trust.md, "Manifest").
"""

import math
from dataclasses import dataclass, replace

from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import LIMITS, Limits
from midstream.trust import layout
from midstream.trust.tree import HASH_SIZE
from midstream.types import Fidelity, UnitKind
from midstream.wire import Reader, Writer

__all__ = [
    "MAGIC",
    "VERSION",
    "Extension",
    "Manifest",
    "UnitEntry",
    "decode",
    "encode",
    "read_entry",
    "write_entry",
]

MAGIC = b"MDM"
VERSION = 0
"""The format's version; 0 means that its bytes may still change."""

_PARENT, _REPAIR, _WEIGHT_EXACT, _OUTPUT, _OUTPUT_EXACT, _CALIBRATED = 1, 2, 4, 8, 16, 32
_FLAGS = 63
_MAX_LAYER = 255
_MAX_RELEASE = 2**31 - 1
_MAX_WEIGHTS = 2**40
_MAX_PERMILLE = 4000
_MAX_PROBES = 1 << 16
_MAX_CENTIBELS = 100_000  # 0.01 dB each
_MAX_EXTENSIONS = 16
_MAX_EXTENSION_TAG = 255
_MIN_PACKET_SIZE = 16
_ID_SIZE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEntry:
    """What a release signs of one unit; a wrong one cannot be built.

    Raises (when built):
        BitstreamError: BAD_FIELD where two fields contradict each other.
        LimitError: A count or size is over its limit.
    """

    kind: UnitKind
    """What it does."""
    layer: int
    """The quality layer that is reached with it; 0 is the base."""
    parent: int | None = None
    """Index of the unit that it builds on, always a lower one; None where there is none."""
    size: int
    """Bytes of the unit."""
    head_size: int = 0
    """Bytes at its start, topology and parameters, that get `repair_head`."""
    packet_size: int
    """Bytes of a packet; the last may be shorter."""
    repair_head: int = 0
    """Repair symbols per thousand packets of the head."""
    repair_body: int = 0
    """The same for the rest."""
    repair_symbols: int = 0
    """Number of repair symbols; 0 where there is no `repair_root`."""
    parity_size: int = 0
    """Bytes of parity after the hashes in the unit's hash file."""
    fidelity: Fidelity
    """How near the model is to the original with it, in steps of 0.01 dB."""
    peak_decode_bytes: int = 0
    """Memory that decoding takes with it, the units and the model file included."""
    source_root: bytes
    """Root of the hash tree over its packets, 32 bytes."""
    repair_root: bytes | None = None
    """Root of the hash tree over its repair symbols; None where there are none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fidelity", _rounded(self.fidelity))
        _check_entry(self)

    @property
    def id(self) -> str:
        """What it is called: half its root, in hex; the same content has the same name."""
        return self.source_root[:_ID_SIZE].hex()

    @property
    def path(self) -> str:
        """Where the unit is, below the repository's address."""
        return f"units/{self.id}"

    @property
    def hashes_path(self) -> str:
        """Where its packet hashes and their parity are."""
        return f"{self.path}{self._variant}.hashes"

    @property
    def repair_path(self) -> str:
        """Where its repair symbols are."""
        return f"{self.path}{self._variant}.repair"

    @property
    def packets(self) -> int:
        """Number of packets."""
        return -(-self.size // self.packet_size)

    @property
    def page_size(self) -> int:
        """Bytes of the hash page."""
        return HASH_SIZE * (self.packets + self.repair_symbols)

    @property
    def hashes_size(self) -> int:
        """Bytes of the hash file: the page, then its parity."""
        return self.page_size + self.parity_size

    @property
    def repair_size(self) -> int:
        """Bytes of all repair symbols."""
        return self.repair_symbols * self.packet_size

    @property
    def _variant(self) -> str:
        # files are cached for ever, so other repair symbols for the same unit need another name
        return f".{self.repair_root[:4].hex()}" if self.repair_root else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A field that this version does not know; an odd tag may be ignored, an even one not."""

    tag: int
    """Its number in spec/trust.md, "Extensions"."""
    value: bytes
    """What it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One release of one network; a wrong one cannot be built.

    Raises (when built):
        BitstreamError: BAD_FIELD where a field makes no sense.
        LimitError: A count or size is over its limit.
    """

    name: str
    """The network: 1 to 64 of a-z, 0-9, dot, underscore, hyphen."""
    release: int
    """Number of the release, from 1."""
    format: str
    """What the model file is: `tflite`, `safetensors`, ..."""
    model_size: int
    """Bytes of the model file."""
    model_sha256: bytes
    """Hash of the original model file, 32 bytes."""
    weights: int
    """Number of weights that units code."""
    units: tuple[UnitEntry, ...]
    """A base first; each builds on one before it."""
    extensions: tuple[Extension, ...] = ()
    """Unknown fields that may be ignored, by rising tag."""

    def __post_init__(self) -> None:
        _check_manifest(self)

    @property
    def base(self) -> UnitEntry:
        """The unit to begin with."""
        return self.units[0]

    @property
    def target(self) -> str:
        """What TUF calls its file."""
        return layout.target_path(self.name, self.release)

    def chain(self, index: int) -> tuple[int, ...]:
        """Indices of the units to decode for this one, from the first to itself."""
        chain = [index]
        while (parent := self.units[chain[-1]].parent) is not None:
            chain.append(parent)
        return tuple(reversed(chain))


def encode(manifest: Manifest) -> bytes:
    """The bytes of a manifest."""
    out = Writer().raw(MAGIC).u8(VERSION).text(manifest.name).varint(manifest.release)
    out.text(manifest.format).varint(manifest.model_size).raw(manifest.model_sha256)
    out.varint(manifest.weights).varint(len(manifest.units))
    for entry in manifest.units:
        write_entry(out, entry)
    out.varint(len(manifest.extensions))
    for extension in manifest.extensions:
        out.varint(extension.tag).blob(extension.value)
    return out.bytes()


def decode(data: bytes | memoryview, *, limits: Limits = LIMITS) -> Manifest:
    """A manifest from its bytes; `encode` of it gives the same bytes again.

    Raises:
        BitstreamError: It is malformed, or of a version or with a field this reader must know.
        LimitError: It, or a count or size in it, is over its limit.
    """
    _check_limit("bytes", len(data), limits.manifest_size)
    reader = Reader(data, "manifest")
    if (magic := bytes(reader.take(3))) != MAGIC:
        raise BitstreamError(ErrorCode.BAD_MAGIC, f"manifest: starts with {magic!r}, not {MAGIC!r}")
    if (version := reader.u8()) != VERSION:
        raise BitstreamError(
            ErrorCode.BAD_VERSION, f"manifest: version {version}, this reader knows {VERSION}"
        )
    manifest = Manifest(
        name=reader.text(limit=64),
        release=reader.varint(limit=_MAX_RELEASE),
        format=reader.text(limit=64),
        model_size=reader.varint(limit=limits.model_size),
        model_sha256=bytes(reader.take(32)),
        weights=reader.varint(limit=_MAX_WEIGHTS),
        units=tuple(read_entry(reader, limits) for _ in range(reader.varint(limit=limits.units))),
        extensions=_read_extensions(reader, limits),
    )
    reader.end()
    return manifest


def write_entry(out: Writer, entry: UnitEntry) -> None:
    """Write what is signed of one unit."""
    out.u8(entry.kind).u8(_flags(entry)).varint(entry.layer)
    if entry.parent is not None:
        out.varint(entry.parent)
    out.varint(entry.size).varint(entry.head_size).varint(entry.packet_size)
    out.varint(entry.parity_size).varint(entry.peak_decode_bytes)
    _write_fidelity(out, entry.fidelity)
    out.raw(entry.source_root)
    if entry.repair_root is not None:
        out.varint(entry.repair_head).varint(entry.repair_body).varint(entry.repair_symbols)
        out.raw(entry.repair_root)


def _flags(entry: UnitEntry) -> int:
    output = entry.fidelity.output_snr
    return (
        _PARENT * (entry.parent is not None)
        | _REPAIR * (entry.repair_root is not None)
        | _WEIGHT_EXACT * math.isinf(entry.fidelity.weight_snr)
        | _OUTPUT * (output is not None)
        | _OUTPUT_EXACT * (output is not None and math.isinf(output))
        | _CALIBRATED * (output is not None and entry.fidelity.is_calibrated)
    )


def _write_fidelity(out: Writer, fidelity: Fidelity) -> None:
    if math.isfinite(fidelity.weight_snr):
        out.signed(round(fidelity.weight_snr * 100))
    if fidelity.output_snr is not None:
        if math.isfinite(fidelity.output_snr):
            out.signed(round(fidelity.output_snr * 100))
        out.varint(fidelity.probes)


def read_entry(reader: Reader, limits: Limits) -> UnitEntry:
    """What `write_entry` wrote.

    Raises:
        BitstreamError: It is malformed.
        LimitError: A count or size is over its limit.
    """
    kind, flags = _read_kind(reader), reader.u8()
    if flags & ~_FLAGS or (flags & (_OUTPUT_EXACT | _CALIBRATED) and not flags & _OUTPUT):
        raise _bad(f"a unit with flags {flags:#04x}")
    has_repair = bool(flags & _REPAIR)
    return UnitEntry(
        kind=kind,
        layer=reader.varint(limit=_MAX_LAYER),
        parent=reader.varint(limit=limits.units) if flags & _PARENT else None,
        size=reader.varint(limit=limits.unit_size),
        head_size=reader.varint(limit=limits.unit_size),
        packet_size=reader.varint(limit=limits.packet_size),
        parity_size=reader.varint(limit=limits.unit_size),
        peak_decode_bytes=reader.varint(limit=2 * limits.model_size),
        fidelity=_read_fidelity(reader, flags),
        source_root=bytes(reader.take(HASH_SIZE)),
        repair_head=reader.varint(limit=_MAX_PERMILLE) if has_repair else 0,
        repair_body=reader.varint(limit=_MAX_PERMILLE) if has_repair else 0,
        repair_symbols=reader.varint(limit=limits.unit_size) if has_repair else 0,
        repair_root=bytes(reader.take(HASH_SIZE)) if has_repair else None,
    )


def _read_kind(reader: Reader) -> UnitKind:
    value = reader.u8()
    try:
        return UnitKind(value)
    except ValueError:
        raise _bad(f"{value} is no kind of unit") from None


def _read_fidelity(reader: Reader, flags: int) -> Fidelity:
    weight = math.inf if flags & _WEIGHT_EXACT else reader.signed(limit=_MAX_CENTIBELS) / 100
    if not flags & _OUTPUT:
        return Fidelity(weight_snr=weight)
    output = math.inf if flags & _OUTPUT_EXACT else reader.signed(limit=_MAX_CENTIBELS) / 100
    return Fidelity(
        weight_snr=weight,
        output_snr=output,
        probes=reader.varint(limit=_MAX_PROBES),
        is_calibrated=bool(flags & _CALIBRATED),
    )


def _read_extensions(reader: Reader, limits: Limits) -> tuple[Extension, ...]:
    count = reader.varint(limit=_MAX_EXTENSIONS)
    return tuple(
        Extension(
            tag=reader.varint(limit=_MAX_EXTENSION_TAG),
            value=bytes(reader.blob(limit=limits.manifest_size)),
        )
        for _ in range(count)
    )


def _rounded(fidelity: Fidelity) -> Fidelity:
    """As the manifest holds it, so that what is built equals what is read."""
    return replace(
        fidelity,
        weight_snr=_round_snr(fidelity.weight_snr),
        output_snr=None if fidelity.output_snr is None else _round_snr(fidelity.output_snr),
        probes=0 if fidelity.output_snr is None else fidelity.probes,
        is_calibrated=fidelity.output_snr is not None and fidelity.is_calibrated,
    )


def _round_snr(value: float) -> float:
    if value == math.inf:
        return value
    if not abs(value) <= _MAX_CENTIBELS / 100:
        raise _bad(f"a unit with a signal to noise of {value} dB")
    return round(value * 100) / 100


def _check_entry(entry: UnitEntry) -> None:
    _check_limit("bytes of a unit", entry.size, LIMITS.unit_size)
    _check_limit("bytes of a packet", entry.packet_size, LIMITS.packet_size)
    _check_limit("as a layer", entry.layer, _MAX_LAYER)
    _check_limit("repair symbols a thousand", entry.repair_head, _MAX_PERMILLE)
    _check_limit("repair symbols a thousand", entry.repair_body, _MAX_PERMILLE)
    _check_limit("bytes to decode with", entry.peak_decode_bytes, 2 * LIMITS.model_size)
    _check_limit("probes", entry.fidelity.probes, _MAX_PROBES)
    if entry.size < 1 or entry.packet_size < _MIN_PACKET_SIZE or entry.head_size > entry.size:
        raise _bad(
            f"a unit of {entry.size} bytes with a head of {entry.head_size} "
            f"in packets of {entry.packet_size}"
        )
    _check_repair(entry)
    if len(entry.source_root) != HASH_SIZE or len(entry.repair_root or b"") not in (0, HASH_SIZE):
        raise _bad("a unit with a root that is not 32 bytes")


def _check_repair(entry: UnitEntry) -> None:
    """Sizes that follow from these are reserved before their bytes are seen."""
    has_root = entry.repair_root is not None
    if has_root != (entry.repair_symbols > 0) or has_root != (
        entry.repair_head + entry.repair_body > 0
    ):
        raise _bad(
            f"a unit with {entry.repair_symbols} repair symbols at {entry.repair_head} and "
            f"{entry.repair_body} a thousand, and {'a' if has_root else 'no'} root over them"
        )
    # each block rounds up by less than one symbol, and a block has a packet at least
    most = entry.packets * (_MAX_PERMILLE // 1000 + 1)
    _check_limit("repair symbols", entry.repair_symbols, most)
    _check_limit("bytes of repair symbols", entry.repair_size, LIMITS.unit_size)
    _check_limit("bytes of parity", entry.parity_size, 2 * entry.page_size + 1024)


def _check_manifest(manifest: Manifest) -> None:
    if not layout.is_name(manifest.name) or not layout.is_name(manifest.format):
        raise _bad(f"a network called {manifest.name!r} in format {manifest.format!r}")
    if not 1 <= manifest.release <= _MAX_RELEASE:
        raise _bad(f"release {manifest.release}")
    if manifest.model_size < 1 or manifest.weights < 0 or len(manifest.model_sha256) != HASH_SIZE:
        raise _bad(
            f"a model of {manifest.model_size} bytes and {manifest.weights} weights, "
            f"with a hash of {len(manifest.model_sha256)} bytes"
        )
    _check_limit("bytes of a model", manifest.model_size, LIMITS.model_size)
    _check_limit("weights", manifest.weights, _MAX_WEIGHTS)
    _check_limit("units", len(manifest.units), LIMITS.units)
    if not manifest.units or manifest.units[0].kind is not UnitKind.BASE:
        raise _bad("a release that does not begin with a base")
    for index, entry in enumerate(manifest.units):
        _check_parent(index, entry)
    _check_extensions(manifest.extensions)


def _check_parent(index: int, entry: UnitEntry) -> None:
    """Parents come first, so following them always ends."""
    is_base = entry.kind is UnitKind.BASE
    is_wrong = entry.parent is not None if is_base else entry.parent is None
    if is_wrong or (entry.parent is not None and not 0 <= entry.parent < index):
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"manifest: unit {index} ({entry.kind.name}) builds on {entry.parent}",
        )


def _check_extensions(extensions: tuple[Extension, ...]) -> None:
    tags = [extension.tag for extension in extensions]
    if tags != sorted(set(tags)):
        raise _bad(f"extensions {tags}, not in rising order")
    if unknown := [tag for tag in tags if tag % 2 == 0]:
        raise BitstreamError(
            ErrorCode.BAD_VERSION, f"manifest: extensions {unknown} have to be understood"
        )


def _check_limit(what: str, value: int, limit: int) -> None:
    if value > limit:
        raise LimitError(ErrorCode.OVER_LIMIT, f"manifest: {value} {what}, at most {limit}")


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"manifest: {problem}")
