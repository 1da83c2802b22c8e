"""Holes of TFLite files. Knows nothing of running them.

A hole is a constant buffer that holds the weights of a tensor. What else the file has, shape
vectors, quantisation parameters, places of sparse weights, signatures and metadata, is topology.
"""

from midstream.formats.constants import Constant, Use, read_constants
from midstream.formats.worth import apart, is_worth
from midstream.limits import LIMITS
from midstream.types import DType, Tensor

__all__ = ["is_tflite", "locate"]

_IDENTIFIER = b"TFL3"
_DTYPES = {
    0: DType.FLOAT32,
    1: DType.FLOAT16,
    2: DType.INT32,
    3: DType.UINT8,
    9: DType.INT8,
    17: DType.INT4,
    18: DType.BFLOAT16,
}
_CONVOLVED, _DEPTHWISE = int(Use.CONVOLVED), int(Use.DEPTHWISE)
_CONVOLVED_3D, _TRANSPOSED_3D, _BIAS = map(int, (Use.CONVOLVED_3D, Use.TRANSPOSED_3D, Use.BIAS))


def is_tflite(data: bytes | memoryview) -> bool:
    """Whether the file says that it is one."""
    return bytes(data[4:8]) == _IDENTIFIER


def locate(data: bytes | memoryview) -> tuple[Tensor, ...]:
    """Find the weights.

    Returns:
        Holes in order of their offsets; a buffer that several tensors share is one hole.

    Raises:
        FormatError: The file is damaged.
        LimitError: A count in it is over its limit.
    """
    view = memoryview(data).cast("B")
    found: dict[int, Tensor | None] = {}
    for constant in read_constants(view, _DTYPES):
        tensor = _tensor(view, constant)
        number = constant.buffer
        found[number] = _shared(found[number], tensor) if number in found else tensor
    return apart(found.values())  # a hostile file may share bytes between buffers


def _shared(known: Tensor | None, other: Tensor | None) -> Tensor | None:
    """A buffer that two tensors read is a hole only if they agree on what it holds."""
    if known is None or other is None:
        return None
    same = known.dtype is other.dtype and known.length == other.length
    return known if same else None


def _tensor(view: memoryview, constant: Constant) -> Tensor | None:
    """The hole that a tensor is, or None where it is topology."""
    dtype = _DTYPES.get(constant.type)
    if dtype is None:
        return None
    shape = constant.shape
    row, column = _axes(shape, constant.uses)
    if constant.is_sparse:
        # it holds weights without their places: one row of them, which is no vector
        shape, row, column = (1, constant.size * 8 // dtype.bits), None, None
    name = str(view[constant.name : constant.name + constant.name_size], "utf-8", "replace")
    tensor = Tensor(
        name=name[: LIMITS.tensor_name],
        dtype=dtype,
        shape=shape,
        offset=constant.start,
        row_axis=row,
        column_axis=column,
    )
    fits = tensor.length == constant.size
    may_be_index = not constant.uses & _BIAS
    return tensor if fits and is_worth(tensor, may_be_index=may_be_index) else None


def _axes(shape: tuple[int, ...], uses: int) -> tuple[int | None, int | None]:
    """Output and input channels, by the operators that read the tensor."""
    rank = len(shape)
    if rank < 2:
        return None, None
    if rank == 4 and uses & _DEPTHWISE:
        return 3, None  # 1HWC
    if rank == 4 and shape[0] == 1 and not uses & _CONVOLVED:
        return 3, None  # a picture or a row of channels, not a kernel
    if rank == 5 and uses & _CONVOLVED_3D:
        return 4, 3  # DHWIO
    if rank == 5 and uses & _TRANSPOSED_3D:
        return 3, 4  # DHWOI
    return 0, rank - 1  # OHWI, or outputs by inputs
