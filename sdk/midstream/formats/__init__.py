"""Where the weights are in a model file. Knows nothing of how they are coded.

An adapter only locates holes; everything else of the file is topology and comes back as it is.
"""

from dataclasses import dataclass, replace

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats import npz, onnx, parts, safetensors, tflite
from midstream.limits import LIMITS
from midstream.types import Tensor

__all__ = ["ModelFile", "open_model", "prepared", "settle", "skeleton"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file, looked at."""

    format: str
    """`tflite`, `safetensors`, `onnx` or `npz`."""
    tensors: tuple[Tensor, ...]
    """Its holes, in order of their offsets, none overlapping another."""


def open_model(data: bytes | memoryview) -> ModelFile:
    """Find the holes of a model file; what it is follows from its content.

    Raises:
        FormatError: It is of no format known here, or damaged.
        LimitError: A count or size in it is over its limit.
    """
    if len(data) > LIMITS.model_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"model: {len(data)} bytes, at most {LIMITS.model_size}"
        )
    if tflite.is_tflite(data):
        return ModelFile(format="tflite", tensors=tflite.locate(data))
    if safetensors.is_safetensors(data):
        return ModelFile(format="safetensors", tensors=safetensors.locate(data))
    if npz.is_npz(data):
        return ModelFile(format="npz", tensors=npz.locate(data))
    if parts.is_joined(data):
        return ModelFile(format="onnx", tensors=_locate_joined(data))
    if onnx.is_onnx(data):
        return ModelFile(format="onnx", tensors=onnx.locate(data))
    raise FormatError(
        ErrorCode.UNKNOWN_FORMAT,
        f"model: {len(data)} bytes that are neither TFLite (TFL3 at 4) nor safetensors, "
        "ONNX or NPZ; convert it to one of these",
    )


def prepared(data: bytes) -> bytes:
    """The model file as it is coded, and comes back: an NPZ archive with nothing deflated.

    Raises:
        FormatError: It is damaged.
        LimitError: A count or size in it is over its limit.
    """
    return npz.stored(data) if npz.is_npz(data) else data


def settle(data: memoryview) -> None:
    """Make what a model file says of its own weights fit them, after they were changed.

    That is the checksums of an NPZ archive; other formats have none.

    Args:
        data: The model file, writable; any bytes will do.
    """
    if npz.is_npz(data):
        npz.settle(data)


def _locate_joined(data: bytes | memoryview) -> tuple[Tensor, ...]:
    """Holes of an ONNX model and its data files."""
    view = memoryview(data)
    where = parts.read(view)
    start, stop = where.model
    # what is in the model file is found from its start, what is in others from the whole's
    shifted = {name: (first - start, last - start) for name, (first, last) in where.files.items()}
    return tuple(
        replace(tensor, offset=start + tensor.offset)
        for tensor in onnx.locate(view[start:stop], shifted)
    )


def skeleton(data: bytes | memoryview, tensors: tuple[Tensor, ...]) -> bytes:
    """The file with its holes zeroed."""
    copy = bytearray(data)
    for tensor in tensors:
        copy[tensor.offset : tensor.end] = bytes(tensor.length)
    return bytes(copy)
