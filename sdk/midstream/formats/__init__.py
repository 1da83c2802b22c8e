"""Where the weights are in a model file. Knows nothing of how they are coded.

An adapter only locates holes; everything else of the file is topology and comes back as it is.
"""

from dataclasses import dataclass

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats import safetensors, tflite
from midstream.limits import LIMITS
from midstream.types import Tensor

__all__ = ["ModelFile", "open_model", "skeleton"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file, looked at."""

    format: str
    """`tflite` or `safetensors`."""
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
    raise FormatError(
        ErrorCode.UNKNOWN_FORMAT,
        f"model: {len(data)} bytes that are neither TFLite (TFL3 at 4) nor safetensors",
    )


def skeleton(data: bytes | memoryview, tensors: tuple[Tensor, ...]) -> bytes:
    """The file with its holes zeroed."""
    copy = bytearray(data)
    for tensor in tensors:
        copy[tensor.offset : tensor.end] = bytes(tensor.length)
    return bytes(copy)
