"""Folders of units without signatures: the codec by itself.

Knows nothing of repositories' trust: what it reads here is not verified.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from midstream import decoder
from midstream.encoder.progress import Report
from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.limits import LIMITS
from midstream.publisher.mapping import map_unit
from midstream.publisher.publish import (
    describe,
    encode_checked,
    naming,
    peak_memory,
    protect,
)
from midstream.publisher.recovery import Recovery
from midstream.publisher.release import Release
from midstream.runtime import Backend, Inputs
from midstream.store.files import read_given, write_file
from midstream.store.models import new_model, read_model
from midstream.trust import manifest

__all__ = ["MANIFEST", "decode_folder", "encode_folder", "unit_name"]

MANIFEST = "model.manifest"
"""The file in such a folder that names its units."""


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
    entries, nothing = [], Recovery(repair=0)
    for index, unit in enumerate(encoded.units):
        entries.append(protect(unit, index, nothing, peak_memory(encoded, index))[0])
        write_file(folder / unit_name(unit.layer), unit.data)
    _remove_layers_from(folder, len(entries))
    described = describe("model", 1, data, encoded, entries)
    write_file(folder / MANIFEST, manifest.encode(described))
    return Release.of(described, encoded)


def _remove_layers_from(folder: Path, layer: int) -> None:
    """A longer ladder of before must not be taken for a part of this one."""
    while (stale := folder / unit_name(layer)).exists():
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
    if not (folder / MANIFEST).is_file():
        raise UsageError(ErrorCode.NOT_FOUND, f"{folder}: no folder that encode wrote")
    described = manifest.decode(_read(folder / MANIFEST))
    chosen = [e for e in described.units if layer is None or e.layer <= layer]
    if not chosen or (layer is not None and chosen[-1].layer != layer):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"{folder}: no layer {layer}; it has 0 to {described.units[-1].layer}",
        )
    stack = decoder.read_stack(
        [map_unit(folder / unit_name(entry.layer), entry) for entry in chosen]
    )
    with new_model(output, stack.model_size) as model:
        decoder.rebuild_into(stack, model)
    return stack.model_size, chosen[-1].layer


def unit_name(layer: int) -> str:
    """The file of a layer in a folder that `encode_folder` writes."""
    return f"layer-{layer}.unit"


def _read(path: Path) -> bytes:
    return read_given(path, limit=LIMITS.model_size)
