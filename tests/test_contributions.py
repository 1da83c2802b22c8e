"""Contributions: coded, decoded, merged into a release; what is wrong with one is said."""

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from midstream.bitstream import read_unit, write_unit
from midstream.decoder import decode_contribution
from midstream.encoder import encode, encode_contribution, moved
from midstream.errors import BitstreamError, DataError, ErrorCode, FormatError, UsageError
from midstream.formats import open_model
from midstream.merging import apply_change
from midstream.types import UnitKind
from midstream.wire import Reader
from tensorfiles import bfloat16, normal, safetensors

INTEGERS = np.arange(-21, 21, dtype=np.int8).reshape(6, 7)


def model(*, moved_by: float = 0.0) -> bytes:
    """A network of three float types and integers, its floats moved at random."""
    change = np.random.default_rng(5)

    def near(array: NDArray[Any]) -> NDArray[Any]:
        return (array + moved_by * change.standard_normal(array.shape)).astype("<f4")

    return safetensors(
        {
            "a": near(normal(40, 60)),
            "b": INTEGERS,
            "c": near(normal(30, 20)).astype("<f2"),
            "d": bfloat16(near(normal(9, 8))),
        }
    )


PARENT = model()
TENSORS = open_model(PARENT).tensors
SHA256 = hashlib.sha256(PARENT).digest()
CHANGE = moved(PARENT, model(moved_by=0.01))
UNIT = encode_contribution(PARENT, CHANGE, share=0.1)


def test_a_contribution_moves_the_weights_towards_those_of_the_provider() -> None:
    decoded = decode_contribution(UNIT, TENSORS, SHA256)
    assert decoded.shape == CHANGE.shape == (40 * 60 + 30 * 20 + 9 * 8,)
    assert np.linalg.norm(CHANGE - decoded) < 0.8 * np.linalg.norm(CHANGE)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_a_contribution_keeps_to_its_budget(share: float) -> None:
    unit = encode_contribution(PARENT, CHANGE, share=share)
    assert len(unit) <= share * 4 * len(CHANGE)


def test_what_is_left_over_arrives_with_later_contributions() -> None:
    left, arrived = CHANGE.copy(), np.zeros_like(CHANGE)
    for _ in range(6):
        decoded = decode_contribution(encode_contribution(PARENT, left, share=0.1), TENSORS, SHA256)
        arrived += decoded
        left = left - decoded
    assert np.linalg.norm(CHANGE - arrived) < 0.3 * np.linalg.norm(CHANGE)


def test_a_large_budget_brings_all_changes() -> None:
    decoded = decode_contribution(encode_contribution(PARENT, CHANGE, share=1), TENSORS, SHA256)
    assert np.linalg.norm(CHANGE - decoded) < 0.3 * np.linalg.norm(CHANGE)


def test_integers_stay_and_floats_are_rounded_once() -> None:
    changed = apply_change(PARENT, TENSORS, CHANGE)
    before, after = (dict(_arrays(data)) for data in (PARENT, changed))
    assert np.array_equal(before["b"], after["b"])
    first = before["a"].astype(np.float64) + CHANGE[: 40 * 60].astype(np.float64)
    assert np.array_equal(after["a"], first.astype(np.float32))


def _arrays(data: bytes) -> Any:
    kinds = {"a": "<f4", "b": "i1", "c": "<f2", "d": "<u2"}
    for tensor in open_model(data).tensors:
        yield tensor.name, np.frombuffer(data[tensor.offset : tensor.end], kinds[tensor.name])


@pytest.mark.parametrize("dtype", ["<f4", "<f2"])
def test_a_tensor_of_many_blocks_is_changed_as_one(dtype: str) -> None:  # [CON-3]
    weights = normal(300, 450).astype(dtype)
    data = safetensors({"a": weights})
    change = normal(300, 450, seed=9, scale=0.01).ravel()
    changed = apply_change(data, open_model(data).tensors, change)
    expected = (weights.astype(np.float64).ravel() + change.astype(np.float64)).astype(dtype)
    assert changed[-expected.nbytes :] == expected.tobytes()


def test_weights_whose_change_is_zero_keep_their_bits() -> None:  # [CON-3]
    odd = normal(16, 4)
    odd[0] = [np.nan, np.inf, -0.0, 0.0]
    odd.view("<u4")[0, 0] |= 1  # a NaN with a payload
    data = safetensors({"a": odd})
    change = np.zeros(64, np.float32)
    change[8] = 1
    changed = apply_change(data, open_model(data).tensors, change)
    different = [at for at in range(len(data)) if data[at] != changed[at]]
    start = open_model(data).tensors[0].offset + 8 * 4
    assert different
    assert set(different) <= set(range(start, start + 4))


def test_a_changed_archive_still_opens() -> None:
    file = io.BytesIO()
    np.savez(file, a=normal(30, 40))
    data = file.getvalue()
    changed = apply_change(data, open_model(data).tensors, np.ones(1200, np.float32))
    assert np.array_equal(np.load(io.BytesIO(changed))["a"], normal(30, 40) + 1)


def test_a_change_to_infinity_is_refused() -> None:  # [CON-4]
    data = safetensors({"a": normal(8, 8).astype("<f2")})
    with pytest.raises(BitstreamError) as caught:
        apply_change(data, open_model(data).tensors, np.full(64, 1e5, np.float32))
    assert caught.value.code is ErrorCode.BAD_FIELD


def test_a_change_of_other_floats_is_refused() -> None:
    with pytest.raises(UsageError, match="3072 floats") as caught:
        apply_change(PARENT, TENSORS, CHANGE[:-1])
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_a_contribution_to_another_release_is_refused() -> None:  # [CON-1]
    with pytest.raises(BitstreamError) as caught:
        decode_contribution(UNIT, TENSORS, hashlib.sha256(b"another").digest())
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_a_change_that_is_not_finite_is_refused_by_who_reads_it() -> None:  # [CON-2]
    infinite = safetensors({"a": np.full((8, 8), 3e38, "<f4")})
    tensors = open_model(infinite).tensors
    base = read_unit(
        encode(safetensors({"a": np.full((8, 8), np.inf, "<f4")}), ladder="exact").units[0].data
    )
    parameters = bytes(base.head)[-_parameter_size(base.head) :]
    unit = write_unit(UnitKind.CONTRIBUTION, 0, SHA256 + parameters, base.records)
    with pytest.raises(BitstreamError) as caught:
        decode_contribution(unit, tensors, SHA256)
    assert caught.value.code is ErrorCode.BAD_FIELD


def _parameter_size(head: Any) -> int:
    reader = Reader(head)
    reader.blob(limit=len(head))
    return reader.remaining


def test_a_unit_of_another_kind_is_refused() -> None:
    base = encode(PARENT, ladder="20dB").units[0].data
    with pytest.raises(BitstreamError, match="kind base"):
        decode_contribution(base, TENSORS, SHA256)


@pytest.mark.parametrize(
    ("change", "share", "said"),
    [
        (CHANGE, 0.0, "share 0"),
        (CHANGE, 2.0, "share 2"),
        (CHANGE[:-1], 0.01, "shape"),
        (np.zeros_like(CHANGE), 0.01, "nothing has changed"),
        (np.full_like(CHANGE, np.nan), 0.01, "finite"),
    ],
)
def test_what_makes_no_sense_is_not_coded(change: Any, share: float, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        encode_contribution(PARENT, change, share=share)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_another_network_is_no_change_of_this_one() -> None:
    with pytest.raises(FormatError, match="differ in name, type or shape"):
        moved(PARENT, safetensors({"a": normal(40, 61)}))


def test_a_model_with_nan_is_no_change() -> None:
    broken = normal(40, 60)
    broken[0, 0] = np.nan
    parent = safetensors({"a": normal(40, 60)})
    with pytest.raises(UsageError, match="1 of its changes"):
        moved(parent, safetensors({"a": broken}))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_contributions_end_in_an_error_or_a_change(data: st.DataObject) -> None:
    damaged = bytearray(UNIT)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_contribution(bytes(damaged), TENSORS, SHA256)
    except DataError:
        return
    assert found.shape == CHANGE.shape
    assert np.isfinite(found).all()
