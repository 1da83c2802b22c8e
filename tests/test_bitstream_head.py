"""The head of a base: topology and parameters, and what they say of each slice."""

import numpy as np
import pytest

from midstream.bitstream import Head, Topology
from midstream.codec import TensorCode
from midstream.errors import BitstreamError, ErrorCode, LimitError
from midstream.limits import Limits
from midstream.types import DType, Tensor

FLOATS = Tensor(name="a", dtype=DType.FLOAT32, shape=(2, 3), offset=2, row_axis=0, column_axis=1)
NANS = Tensor(name="b", dtype=DType.FLOAT32, shape=(4,), offset=26)
BYTES = Tensor(name="c", dtype=DType.UINT8, shape=(5,), offset=42)
MORE = Tensor(name="d", dtype=DType.UINT8, shape=(1, 2), offset=47)
MODEL = bytes(49)
HEAD = Head(
    topology=Topology.cut(MODEL, (FLOATS, NANS, BYTES, MORE)),
    codes=(
        TensorCode(step=-40, shape=2, width=9, rows=np.array([3, -3], np.int8)),
        TensorCode(coded=False),
        TensorCode(step=2, offset=128, shape=0, width=5),
        TensorCode(step=1, offset=7, shape=1, width=6),
    ),
)


def test_a_head_comes_back() -> None:
    data = HEAD.write()
    read = Head.read(data)
    assert read.write() == data
    assert [code.coded for code in read.codes] == [True, False, True, True]
    assert [code.step for code in read.codes] == [-40, 0, 2, 1]


def test_its_slices_keep_data_types_and_raw_tensors_apart() -> None:
    found = [(s.dtype, s.coded, [r.tensor for r in s.runs]) for s in HEAD.slices]
    assert found == [
        (DType.FLOAT32, True, [0]),
        (DType.FLOAT32, False, [1]),
        (DType.UINT8, True, [2, 3]),
    ]


def test_each_weight_has_the_parameters_of_its_tensor() -> None:
    floats, _, small = HEAD.slices
    assert HEAD.steps(floats).tolist() == [-40] * 6
    assert HEAD.steps(small).tolist() == [2] * 5 + [1] * 2
    assert HEAD.offsets(small).tolist() == [128] * 5 + [7] * 2


def test_each_weight_has_the_width_of_its_row() -> None:
    floats, _, small = HEAD.slices
    assert HEAD.context(floats).width.tolist() == [12] * 3 + [6] * 3
    assert HEAD.context(floats).shape.tolist() == [2] * 6
    assert HEAD.context(small).width.tolist() == [5] * 5 + [6] * 2


def test_a_raw_slice_has_no_context() -> None:
    assert not len(HEAD.context(HEAD.slices[1]).width)


def test_a_head_of_a_model_without_weights_comes_back() -> None:
    head = Head(topology=Topology.cut(b"nothing to code", ()), codes=())
    read = Head.read(head.write())
    assert (read.slices, read.topology.blank()) == ((), b"nothing to code")


def test_a_truncated_head_is_refused() -> None:
    data = HEAD.write()
    for size in range(len(data)):
        with pytest.raises(BitstreamError):
            Head.read(data[:size])


def test_bytes_after_the_parameters_are_refused() -> None:
    """[BIT-3]"""
    with pytest.raises(BitstreamError) as caught:
        Head.read(HEAD.write() + b"\0")
    assert caught.value.code is ErrorCode.TRAILING_BYTES


def test_a_limit_of_the_caller_holds() -> None:
    """[BIT-2]"""
    with pytest.raises(LimitError):
        Head.read(HEAD.write(), limits=Limits(model_size=48))
