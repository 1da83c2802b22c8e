"""Holes of safetensors files. Knows nothing of the frameworks that write them."""

import json
from typing import Any, TypeGuard

from midstream.errors import ErrorCode, FormatError, LimitError
from midstream.formats.worth import is_worth
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["is_safetensors", "locate"]

_DTYPES = {
    "F32": DType.FLOAT32,
    "F16": DType.FLOAT16,
    "BF16": DType.BFLOAT16,
    "I32": DType.INT32,
    "I8": DType.INT8,
    "U8": DType.UINT8,
}


def is_safetensors(data: bytes | memoryview) -> bool:
    """Whether it begins with a header length that makes sense, and a JSON object."""
    size = int.from_bytes(data[:8], "little")
    return len(data) > 9 and size >= 2 and bytes(data[8:9]) == b"{"


def locate(data: bytes | memoryview) -> tuple[Tensor, ...]:
    """Find the weights.

    Returns:
        Holes in order of their offsets; other data types and tiny tensors are topology.

    Raises:
        FormatError: The header is damaged, or tensors overlap, leave a gap or leave the file.
        LimitError: A count or size in it is over its limit.
    """
    start, header = _header(data)
    tensors: list[Tensor] = []
    end = start
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    if len(entries) > LIMITS.tensors:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"safetensors: {len(entries)} tensors, at most {LIMITS.tensors}"
        )
    spans = sorted((_span(name, entry, start, len(data)), name) for name, entry in entries)
    for (first, last), name in spans:
        if first != end:
            problem = "overlaps the tensor" if first < end else "leaves a gap to what is"
            raise _bad(ErrorCode.BAD_OFFSET, f"{name[:80]!r} {problem} before it")
        end = last
        tensor = _tensor(name, header[name], first)
        if tensor is not None and tensor.length != last - first:
            raise _bad(
                ErrorCode.BAD_OFFSET,
                f"{name[:80]!r}: {last - first} bytes, its shape needs {tensor.length}",
            )
        if tensor is not None and is_worth(tensor, may_be_index=False):
            tensors.append(tensor)
    if end != len(data):
        raise _bad(ErrorCode.BAD_OFFSET, f"{len(data) - end} bytes after the last tensor")
    return tuple(tensors)


def _header(data: bytes | memoryview) -> tuple[int, dict[str, Any]]:
    size = int.from_bytes(data[:8], "little")
    if size > LIMITS.header_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"safetensors: header of {size}, at most {LIMITS.header_size}"
        )
    if 8 + size > len(data):
        raise _bad(ErrorCode.TRUNCATED, f"header of {size} bytes in a file of {len(data)}")
    try:
        header = json.loads(str(data[8 : 8 + size], "utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise _bad(ErrorCode.BAD_HEADER, f"header is not JSON: {str(error)[:80]}") from None
    if not isinstance(header, dict):
        raise _bad(ErrorCode.BAD_HEADER, "header is no JSON object")
    return 8 + size, header


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that comes twice would mean two things to two readers."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name comes twice")
    return result


def _span(name: str, entry: Any, start: int, file_size: int) -> tuple[int, int]:
    """Where a tensor's bytes are in the file."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not _is_sizes(offsets) or len(offsets) != 2:
        raise _bad(ErrorCode.BAD_HEADER, f"{name[:80]!r} has no data_offsets")
    first, last = start + offsets[0], start + offsets[1]
    if first > last or last > file_size:
        raise _bad(ErrorCode.BAD_OFFSET, f"{name[:80]!r}: bytes {first} to {last} of {file_size}")
    return first, last


def _tensor(name: str, entry: dict[str, Any], offset: int) -> Tensor | None:
    shape = entry.get("shape")
    if not _is_sizes(shape):
        raise _bad(ErrorCode.BAD_HEADER, f"{name[:80]!r} has no shape")
    dtype = entry.get("dtype")
    if not isinstance(dtype, str):
        raise _bad(ErrorCode.BAD_HEADER, f"{name[:80]!r} has no dtype")
    if dtype not in _DTYPES or len(shape) > LIMITS.dimensions or 0 in shape:
        return None
    rank = len(shape)
    return Tensor(
        # JSON may hold half a surrogate pair, which nothing can print
        name=name[: LIMITS.tensor_name].encode("utf-8", "replace").decode(),
        dtype=_DTYPES[dtype],
        shape=tuple(shape),
        offset=offset,
        row_axis=0 if rank > 1 else None,
        column_axis=1 if rank > 1 else None,  # PyTorch: (out, in, taps...)
    )


def _is_sizes(value: object) -> TypeGuard[list[int]]:
    """Whether it is a list of sizes, none of them larger than a model may be."""
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item <= LIMITS.model_size for item in value
    )


def _bad(code: ErrorCode, problem: str) -> FormatError:
    return FormatError(code, f"safetensors: {problem}")
