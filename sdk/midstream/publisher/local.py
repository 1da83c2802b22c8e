"""Folders of units without signatures: the codec by itself, and what files hold.

Knows nothing of repositories' trust: what it reads here is not verified.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from midstream import decoder, formats
from midstream.bitstream import Head, read_unit
from midstream.encoder.progress import Report
from midstream.errors import BitstreamError, ErrorCode, StoreError, UsageError
from midstream.limits import LIMITS
from midstream.publisher.publish import (
    describe,
    encode_checked,
    naming,
    peak_memory,
    protect,
)
from midstream.publisher.release import Release
from midstream.publisher.spending import spending
from midstream.runtime import Backend, Inputs
from midstream.store.files import map_given, read_given, write_file
from midstream.store.models import new_model, read_model
from midstream.trust import bundle, manifest, tree
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import UnitKind

__all__ = ["decode_folder", "encode_folder", "inspect"]

_MANIFEST = "model.manifest"


def encode_folder(
    model: Path,
    folder: Path,
    *,
    ladder: str | Sequence[str],
    backend: Backend | None,
    progress: Callable[[str], None],
    calibration: Sequence[Inputs] | None = None,
    report: Report = lambda _: None,
) -> Release:
    """Encode a model file into a folder: a manifest and its units.

    Raises:
        UsageError: The ladder makes no sense, or there is no such model file.
        FormatError: The model file cannot be read.
        LimitError: The model file is too large.
        StoreError: The folder cannot be written.
    """
    data = read_model(model)
    with naming(model):
        encoded = encode_checked(
            data, ladder, backend, progress, calibration=calibration, report=report
        )
    entries = []
    for index, unit in enumerate(encoded.units):
        entries.append(protect(unit, index, 0.0, peak_memory(encoded, index))[0])
        write_file(folder / _unit_name(unit.layer), unit.data)
    _remove_layers_from(folder, len(entries))
    described = describe("model", 1, data, encoded, entries)
    write_file(folder / _MANIFEST, manifest.encode(described))
    return Release(manifest=described, rungs=tuple(unit.rung for unit in encoded.units))


def _remove_layers_from(folder: Path, layer: int) -> None:
    """A longer ladder of before must not be taken for a part of this one."""
    while (stale := folder / _unit_name(layer)).exists():
        try:
            stale.unlink()
        except OSError as error:
            raise StoreError.of(error, f"{stale}: cannot be removed") from error
        layer += 1


def decode_folder(folder: Path, output: Path, *, layer: int | None) -> tuple[int, int]:
    """Decode what `encode_folder` wrote into a file, in place: the model is never in memory.

    Returns:
        The bytes of the model file, and the layer that it was decoded to.

    Raises:
        UsageError: There is no such folder or layer.
        BitstreamError: A file is malformed, or not the one that the manifest names.
        LimitError: A count or size is over its limit.
        StoreError: The model file cannot be written.
    """
    described = manifest.decode(_read(folder / _MANIFEST))
    chosen = [e for e in described.units if layer is None or e.layer <= layer]
    if not chosen or (layer is not None and chosen[-1].layer != layer):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"{folder}: no layer {layer}; it has 0 to {described.units[-1].layer}",
        )
    stack = decoder.read_stack([_map_unit(folder, entry) for entry in chosen])
    with new_model(output, stack.model_size) as model:
        decoder.rebuild_into(stack, model)
    return stack.model_size, chosen[-1].layer


def _map_unit(folder: Path, entry: UnitEntry) -> memoryview:
    path = folder / _unit_name(entry.layer)
    data = map_given(path, limit=LIMITS.unit_size)
    if tree.root(tree.leaves(data, entry.packet_size)) != entry.source_root:
        raise BitstreamError(ErrorCode.BAD_HASH, f"{path}: changed since encode")
    return data


def inspect(path: Path) -> dict[str, Any]:
    """What a file or folder holds, in JSON's types.

    Raises:
        UsageError: There is nothing of that name.
        DataError: It is malformed, or nothing that is known here.
    """
    if path.is_dir():
        return _inspect_folder(path)
    data = _read(path)
    readers = {b"MDU": _inspect_unit, b"MDM": _inspect_manifest, b"MDB": _inspect_bundle}
    return readers.get(data[:3], _inspect_model)(data)


def _unit_name(layer: int) -> str:
    return f"layer-{layer}.unit"


def _read(path: Path) -> bytes:
    return read_given(path, limit=LIMITS.model_size)


def _inspect_folder(path: Path) -> dict[str, Any]:
    if (path / _MANIFEST).is_file():
        data = _read(path / _MANIFEST)
        layers = [entry.layer for entry in manifest.decode(data).units]
        units = [_read(path / _unit_name(layer)) for layer in layers]
        return {**_inspect_manifest(data), "spent": spending(units)}
    manifests = sorted((path / "targets").rglob("*.manifest"))
    if not manifests:
        raise UsageError(
            ErrorCode.NOT_FOUND, f"{path}: neither a repository nor a folder that encode wrote"
        )
    rows = []
    for file in manifests:
        described = manifest.decode(_read(file))
        sizes = " + ".join(str(entry.size) for entry in described.units)
        rows.append({"network": described.name, "release": described.release, "units": sizes})
    return {"what": "repository", "releases": rows}


def _inspect_unit(data: bytes) -> dict[str, Any]:
    unit = read_unit(data)
    found: dict[str, Any] = {
        "what": "unit",
        "kind": unit.kind.name,
        "layer": unit.layer,
        "bytes": len(data),
        "records": len(unit.records),
    }
    if unit.kind is UnitKind.BASE:
        head = Head.read(unit.head)
        found["head_bytes"] = len(unit.head)
        found["model_size"] = head.topology.model_size
        found["slices"] = len(head.slices)
        found["tensors"] = len(head.topology.tensors)
        found["spent"] = spending([data])
    return found


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
                "weights_db": str(entry.fidelity.weight_snr),
                "outputs_db": str(entry.fidelity.output_snr),
            }
            for entry in described.units
        ],
    }


def _inspect_bundle(data: bytes) -> dict[str, Any]:
    files = bundle.decode(data)
    rows = [{"path": path, "bytes": len(content)} for path, content in files.items()]
    return {"what": "bundle", "files": rows}


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
