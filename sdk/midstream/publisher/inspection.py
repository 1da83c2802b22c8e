"""What files and folders of ours hold. Nothing is trusted or verified by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midstream import formats
from midstream.bitstream import Head, Unit, read_unit
from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.publisher import decibels
from midstream.publisher.accounting import Account, account
from midstream.publisher.local import MANIFEST, unit_name
from midstream.publisher.mapping import map_unit
from midstream.publisher.noise import tensor_snr
from midstream.publisher.publish import naming
from midstream.store.files import read_given
from midstream.trust import bundle, manifest
from midstream.trust.manifest import Manifest
from midstream.trust.updates import updates_of
from midstream.types import UnitKind

__all__ = ["Inspected", "inspect"]

_NEWS = "news: a compressed bundle of what a client reads of the newest release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What was found."""

    found: dict[str, Any]
    """In JSON's types."""
    accounts: dict[str, Account] = field(default_factory=dict)
    """Where bytes went, by what they belong to; nothing where there is no base."""


def inspect(path: Path, *, network: str | None = None) -> Inspected:
    """What a file or folder holds.

    Args:
        path: A model file, unit, manifest, bundle or news; a folder that encode or publish wrote.
        network: The one network of a repository to look into; None for all.

    Raises:
        UsageError: There is nothing of that name.
        DataError: It is malformed, or nothing that is known here.
    """
    if path.is_dir() and not (path / MANIFEST).is_file():
        return _inspect_repository(path, network)
    if network is not None:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: it is no repository of networks")
    if path.is_dir():
        return _inspect_folder(path)
    with naming(path):
        return _inspect_file(path)


def _inspect_file(path: Path) -> Inspected:
    data = read_given(path, limit=LIMITS.model_size)
    if data[:3] == b"MDU":
        return _inspect_unit(path, data)
    readers = {b"MDM": _inspect_manifest, b"MDB": _inspect_bundle}
    if (news := bundle.decompress(data[: LIMITS.metadata_size]))[:3] == b"MDB":
        return Inspected(found=_inspect_bundle(news, what=_NEWS) | {"compressed": len(data)})
    return Inspected(found=readers.get(data[:3], _inspect_model)(data))


def _inspect_folder(path: Path) -> Inspected:
    data = read_given(path / MANIFEST, limit=LIMITS.model_size)
    described = manifest.decode(data)
    units = [map_unit(path / unit_name(entry.layer), entry) for entry in described.units]
    accounts = {path.resolve().name: _account(units, described.model_sha256)}
    return Inspected(found=_inspect_manifest(data), accounts=accounts)


def _inspect_repository(path: Path, network: str | None) -> Inspected:
    files = sorted((path / "targets").rglob("*.manifest"))
    if not files:
        raise UsageError(
            ErrorCode.NOT_FOUND, f"{path}: neither a repository nor a folder that encode wrote"
        )
    releases = [manifest.decode(read_given(file, limit=LIMITS.model_size)) for file in files]
    releases.sort(key=lambda described: (described.name, described.release))
    newest = {described.name: described for described in releases}
    if network is not None and network not in newest:
        names = ", ".join(newest)
        raise UsageError(ErrorCode.NOT_FOUND, f"{path}: no network {network!r}; it has {names}")
    wanted = [described for name, described in newest.items() if network in (None, name)]
    return Inspected(
        found={"what": "repository", "releases": [_release_row(r) for r in releases]},
        accounts={
            f"{described.name} release {described.release}": _account(
                [map_unit(path / entry.path, entry) for entry in described.units],
                described.model_sha256,
            )
            for described in wanted
        },
    )


def _release_row(described: Manifest) -> dict[str, Any]:
    sizes = " + ".join(str(entry.size) for entry in described.units)
    return {"network": described.name, "release": described.release, "units": sizes}


def _account(units: Sequence[memoryview], original_sha256: bytes) -> Account:
    """Where bytes went, and what they brought where the original is known."""
    found = account(units)
    snr = tensor_snr(units, original_sha256)
    return found if snr is None else found.with_snr(snr)


def _inspect_unit(path: Path, data: bytes) -> Inspected:
    unit = read_unit(data)
    found: dict[str, Any] = {
        "what": "unit",
        "kind": unit.kind.name,
        "layer": unit.layer,
        "bytes": len(data),
        "records": len(unit.records),
    }
    if unit.kind is not UnitKind.BASE:
        return Inspected(found={**found, **_record_rows(unit, len(data))})
    head = Head.read(unit.head)
    found["head_bytes"] = len(unit.head)
    found["model_size"] = head.topology.model_size
    found["slices"] = len(head.slices)
    return Inspected(found=found, accounts={path.name: account([data])})


def _record_rows(unit: Unit, size: int) -> dict[str, Any]:
    """Records, largest first: which tensors they are of, the base alone says."""
    rows = [
        {"slice": r.slice, "operation": r.operation.name, "bytes": len(r.payload)}
        for r in sorted(unit.records, key=lambda record: -len(record.payload))
    ]
    framing = size - sum(len(record.payload) for record in unit.records)
    return {"framing": framing, "payloads": rows}


def _inspect_manifest(data: bytes) -> dict[str, Any]:
    described: Manifest = manifest.decode(data)
    return {
        "what": "manifest",
        "network": described.name,
        "release": described.release,
        "format": described.format,
        "model_size": described.model_size,
        "model_sha256": described.model_sha256.hex(),
        "weights": described.weights,
        "units": [
            {
                "layer": entry.layer,
                "kind": entry.kind.name,
                "bytes": entry.size,
                "packets": entry.packets,
                "repair": entry.repair_symbols,
                "weights_db": decibels.as_json(entry.fidelity.weight_snr),
                "outputs_db": decibels.as_json(entry.fidelity.output_snr),
            }
            for entry in described.units
        ],
        **_update_rows(described),
    }


def _update_rows(described: Manifest) -> dict[str, Any]:
    rows = [
        {
            "from": update.parent,
            "rung": "exact" if update.rung is None else str(update.rung),
            "to": update.release,
            "layer": update.unit.layer,
            "bytes": update.unit.size,
        }
        for update in updates_of(described)
    ]
    return {"updates": rows} if rows else {}


def _inspect_bundle(data: bytes, *, what: str = "bundle") -> dict[str, Any]:
    files = bundle.decode(data)
    rows = [{"path": path, "bytes": len(content)} for path, content in files.items()]
    return {"what": what, "files": rows}


def _inspect_model(data: bytes) -> dict[str, Any]:
    opened = formats.open_model(data)
    holes = sum(tensor.length for tensor in opened.tensors)
    return {
        "what": f"{opened.format} model",
        "bytes": len(data),
        "topology_bytes": len(data) - holes,
        "weights": sum(tensor.weights for tensor in opened.tensors),
        "limit": LIMITS.model_size,
        "tensors": [
            {"name": t.name, "dtype": t.dtype.name, "shape": "x".join(map(str, t.shape))}
            for t in opened.tensors
        ],
    }
