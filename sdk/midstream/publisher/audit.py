"""A whole repository checked as a client would, and more: every byte of it.

Knows nothing of who asks.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from midstream import fec
from midstream.errors import ErrorCode, RecoveryError, TransportError, TrustError, UsageError
from midstream.limits import LIMITS
from midstream.publisher.signing import METADATA_REPAIR
from midstream.session.assembly import protection_of
from midstream.transport.adapters import AdapterClient
from midstream.trust import layout, tree
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.updates import updates_of

__all__ = ["Audited", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A network whose newest release is as it was signed."""

    name: str
    """The network."""
    release: int
    """Number of its newest release."""
    units: int
    """Units of it."""
    size: int
    """Bytes of them."""


def audit(folder: Path, root: bytes) -> list[Audited]:
    """Check a repository's folder against a pinned root.

    Signatures, versions and expiry of metadata; of each network's newest release every
    packet, hash page and repair symbol, what its providers have on offer, and that the parity
    files go with what they protect.

    Raises:
        UsageError: There is no such folder, or no network in it.
        TrustError: Something is not as it was signed; it says what.
        BitstreamError: A manifest is malformed.
        LimitError: Something is too large.
    """
    if not folder.is_dir():
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{folder}: there is no such folder")
    found = sorted(path.name for path in (folder / layout.TARGETS).glob("*") if path.is_dir())
    names = [name for name in found if layout.is_network(name)]
    if not names:
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: there is no network in it")
    with tempfile.TemporaryDirectory("-midstream") as kept:
        return [_audit_network(folder, name, root, Path(kept)) for name in names]


def _audit_network(folder: Path, name: str, root: bytes, kept: Path) -> Audited:
    def fetch(path: str, max_length: int) -> bytes:
        return _read(folder, path, max_length)

    client = AdapterClient(kept, root, fetch)
    manifest = client.refresh(name)
    if (folder / layout.TARGETS / layout.providers_role(name)).is_dir():
        client.check_offered(name)
    updates = [update.unit for update in updates_of(manifest)]
    for entry in (*manifest.units, *updates):
        _audit_unit(folder, entry)
    _audit_parity(folder, manifest)
    return Audited(
        name=name,
        release=manifest.release,
        units=len(manifest.units),
        size=sum(entry.size for entry in manifest.units),
    )


def _audit_unit(folder: Path, entry: UnitEntry) -> None:
    data = _read(folder, entry.path, entry.size)
    symbols = _read(folder, entry.repair_path, entry.repair_size) if entry.repair_root else b""
    page = tree.HashPage.of(data, symbols, entry.packet_size)
    if page.source_root != entry.source_root or len(data) != entry.size:
        raise _changed(entry.path)
    if page.repair_root != entry.repair_root:
        raise _changed(entry.repair_path)
    if entry.repair_root and protection_of(entry).encode(data) != symbols:
        raise _changed(entry.repair_path)
    hashes = _read(folder, entry.hashes_path, entry.hashes_size)
    if hashes[: entry.page_size] != page.bytes() or len(hashes) != entry.hashes_size:
        raise _changed(entry.hashes_path)
    if entry.parity_size:
        _check_parity(page.bytes(), hashes[entry.page_size :], entry.hashes_path)


def _audit_parity(folder: Path, manifest: Manifest) -> None:
    """Parity is not signed, but it should be of use."""
    for parity in sorted(folder.rglob("*.json.repair")) + sorted(
        (folder / "targets" / manifest.name).glob("*.repair")
    ):
        if not parity.with_suffix("").exists():
            continue  # parity is written first, and a publisher was interrupted
        path = parity.relative_to(folder).as_posix()
        data = _read(folder, path.removesuffix(".repair"), LIMITS.metadata_size)
        _check_parity(data, _read(folder, path, 3 * LIMITS.metadata_size), path)


def _check_parity(data: bytes, parity: bytes, path: str) -> None:
    """What this publisher would write, or what at least leaves a whole file whole."""
    expected = fec.protect(data, repair=METADATA_REPAIR)
    if parity == expected:
        return
    try:
        if len(parity) != len(expected) and fec.correct(data, parity) == data:
            return
    except RecoveryError as error:
        raise _changed(path) from error
    raise _changed(path)


def _read(folder: Path, path: str, limit: int) -> bytes:
    """A file of at most so many bytes."""
    try:
        with (folder / path).open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise TransportError(ErrorCode.NOT_FOUND, f"{path}: is not in the repository") from None
    except OSError as error:
        raise TransportError(ErrorCode.UNREACHABLE, f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise TransportError(ErrorCode.LONG_BODY, f"{path}: more than {limit} bytes")
    return data


def _changed(path: str) -> TrustError:
    return TrustError(ErrorCode.BAD_HASH, f"{path}: is not what was signed")
