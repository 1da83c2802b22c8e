"""Verified units to a model file, on disk or in memory. Knows nothing of how they came."""

import hashlib
from pathlib import Path

from midstream import decoder
from midstream.client.holdings import Holdings
from midstream.decoder import Stack
from midstream.errors import ErrorCode, LimitError, TrustError
from midstream.limits import Limits
from midstream.store.models import new_model
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import UnitKind

__all__ = ["Decoding"]


class Decoding:
    """One release up to a layer, read and about to be decoded.

    Args:
        held: The units.
        release: Which of its releases.
        layer: The highest layer to use; None for all that are here.
        limits: Bounds on what the units claim, and on the memory that is taken.

    Raises:
        UsageError: Not even the base is here.
        BitstreamError: A unit is malformed, though signed.
        LimitError: A count or size is over its limit, or decoding takes more memory.
    """

    def __init__(self, held: Holdings, release: int, layer: int | None, limits: Limits) -> None:
        self._manifest = held.manifest(release)
        self._last = held.entries(release, layer)[-1]
        _check_memory(self._manifest, self._last, limits)
        self._stack: Stack = decoder.read_stack(held.units(release, layer), limits=limits)

    def bytes(self) -> bytearray:
        """The model file, in memory; raises as `write` does."""
        model = bytearray(self._stack.model_size)
        self._decode(memoryview(model))
        return model

    def write(self, path: Path) -> None:
        """Write the model file, in place: it is not in memory besides.

        Raises:
            BitstreamError: A payload is malformed.
            TrustError: The exact layer does not give the model that was signed for.
            StoreError: The file cannot be written.
        """
        with new_model(path, self._stack.model_size) as model:
            self._decode(model)

    def _decode(self, model: memoryview) -> None:
        decoder.rebuild_into(self._stack, model)
        if self._last.kind is UnitKind.EXACT:
            _check_model(model, self._manifest)


def _check_memory(manifest: Manifest, entry: UnitEntry, limits: Limits) -> None:
    if entry.peak_decode_bytes > limits.decode_memory:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"{manifest.name} release {manifest.release}, layer {entry.layer}: takes "
            f"{entry.peak_decode_bytes} bytes to decode, at most {limits.decode_memory}",
        )


def _check_model(model: memoryview, manifest: Manifest) -> None:
    """The exact layer gives the very file; else what decoded it is at fault, or the publisher."""
    if hashlib.sha256(model).digest() != manifest.model_sha256:
        raise TrustError(
            ErrorCode.BAD_HASH,
            f"{manifest.name} release {manifest.release}: the exact layer is not the model file "
            "that was signed for",
        )
