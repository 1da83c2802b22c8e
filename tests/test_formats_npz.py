"""Holes of NumPy archives: stored members, deflated ones, and what is refused."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream import decoder, formats
from midstream.encoder import encode
from midstream.errors import DataError, ErrorCode, FormatError
from tensorfiles import normal

ARRAYS: dict[str, NDArray[Any]] = {
    "dense/kernel": normal(30, 40),
    "half": normal(8, 9, seed=2).astype("<f2"),
    "columns first": np.asfortranarray(normal(20, 5, seed=3)),
    "bytes": np.arange(-60, 60, dtype="|i1").reshape(12, 10),
    "double": np.linspace(0, 1, 50),
    "scalar": np.array(3.5, "<f4"),
    "empty": np.zeros((0, 4), "<f4"),
}


def archive(arrays: dict[str, NDArray[Any]], *, is_deflated: bool = False) -> bytes:
    file = io.BytesIO()
    save: Any = np.savez_compressed if is_deflated else np.savez
    save(file, **arrays)
    return file.getvalue()


def arrays_of(data: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(data)) as loaded:
        return {name: loaded[name] for name in loaded}


STORED = archive(ARRAYS)
DEFLATED = archive(ARRAYS, is_deflated=True)


@pytest.mark.parametrize("is_deflated", [False, True])
def test_every_rung_is_an_archive_that_opens(is_deflated: bool) -> None:
    """[BIT-13]"""
    data = DEFLATED if is_deflated else STORED
    units = [unit.data for unit in encode(data, ladder="2b,4b,exact").units]
    for count in range(1, len(units) + 1):
        found = arrays_of(bytes(decoder.rebuild(units[:count])))
        assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)


def test_checksums_in_descriptors_are_written_too() -> None:
    """[BIT-13]"""
    file = Unseekable()
    with zipfile.ZipFile(file, "w") as made, made.open("a.npy", "w") as member:
        np.lib.format.write_array(member, normal(30, 40))
    data = bytes(file.written)
    unit = encode(data, ladder="2b").units[0].data
    rebuilt = bytes(decoder.rebuild([unit]))
    assert arrays_of(rebuilt)["a"].shape == (30, 40)
    assert rebuilt != data
    entry = rebuilt.rindex(b"PK\1\2")
    descriptor = rebuilt.rindex(b"PK\7\x08")
    assert rebuilt[descriptor + 4 : descriptor + 8] == rebuilt[entry + 16 : entry + 20]


class Unseekable(io.RawIOBase):
    """A pipe: what is written to it cannot be mended, so checksums come after."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


@pytest.mark.parametrize("end", [210, -1, -22, -60])
def test_what_only_begins_as_an_archive_stays_as_it_is(end: int) -> None:
    """[BIT-13]"""
    data = bytearray(STORED[:end] if end > 0 else STORED[: len(STORED) + end])
    data[200] ^= 1
    before = bytes(data)
    formats.settle(memoryview(data))
    assert bytes(data) == before


def test_members_that_overlap_are_not_summed() -> None:
    """[BIT-13]"""
    data = bytearray(archive({"a": normal(40, 50), "b": normal(40, 50)}))
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    size = (len(data) - 100).to_bytes(4, "little")
    data[first + 20 : first + 28] = size + size
    before = bytes(data)
    formats.settle(memoryview(data))
    assert bytes(data) == before


def test_a_stored_archive_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(STORED)
    data[formats.open_model(STORED).tensors[0].offset] ^= 1
    with pytest.raises(FormatError) as caught:
        formats.prepared(bytes(data))
    assert caught.value.code is ErrorCode.BAD_HASH


def test_stored_arrays_are_holes() -> None:
    opened = formats.open_model(STORED)
    assert opened.format == "npz"
    found = {t.name: t for t in opened.tensors}
    assert sorted(found) == ["bytes", "columns first", "dense/kernel", "half"]
    for name, tensor in found.items():
        order = "F" if name == "columns first" else "C"
        assert STORED[tensor.offset : tensor.end] == ARRAYS[name].tobytes(order)  # type: ignore[arg-type]


def test_axes_of_an_array_with_columns_first_are_swapped() -> None:
    tensor = next(t for t in formats.open_model(STORED).tensors if t.name == "columns first")
    assert (tensor.shape, tensor.row_axis, tensor.column_axis) == ((5, 20), 1, 0)


def test_a_stored_archive_comes_back_byte_for_byte() -> None:
    assert formats.prepared(STORED) is STORED
    units = [unit.data for unit in encode(STORED, ladder="2b,exact").units]
    assert decoder.rebuild(units) == STORED


def test_of_a_deflated_archive_the_arrays_come_back() -> None:
    units = [unit.data for unit in encode(DEFLATED, ladder="2b,exact").units]
    rebuilt = bytes(decoder.rebuild(units))
    assert rebuilt == formats.prepared(DEFLATED)
    back = arrays_of(rebuilt)
    assert list(back) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_a_stored_archive_made_of_a_deflated_one_is_a_good_one() -> None:
    with zipfile.ZipFile(io.BytesIO(formats.prepared(DEFLATED))) as file:
        assert file.testzip() is None
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}


def code_of(data: bytes) -> ErrorCode:
    with pytest.raises(DataError) as caught:
        encode(data, ladder="exact")
    return caught.value.code


def with_bytes(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


FIRST_ENTRY = STORED.index(b"PK\1\2")
DEFLATED_ENTRY = DEFLATED.index(b"PK\1\2")
BAD = {
    "no directory": (STORED[:-30], ErrorCode.TRUNCATED),
    "an entry that is none": (with_bytes(STORED, FIRST_ENTRY, b"XX"), ErrorCode.BAD_OFFSET),
    "a member elsewhere": (with_bytes(STORED, FIRST_ENTRY + 42, b"\xff\xff"), ErrorCode.BAD_OFFSET),
    "a method unknown": (with_bytes(STORED, FIRST_ENTRY + 10, b"\x0c"), ErrorCode.BAD_HEADER),
    "an encrypted member": (with_bytes(STORED, FIRST_ENTRY + 8, b"\1"), ErrorCode.BAD_HEADER),
    "sizes that differ": (with_bytes(STORED, FIRST_ENTRY + 24, b"\1"), ErrorCode.BAD_LENGTH),
    "a member over the limit": (
        with_bytes(DEFLATED, DEFLATED_ENTRY + 24, b"\xff\xff\xff\xff"),
        ErrorCode.OVER_LIMIT,
    ),
    "more than it says": (with_bytes(DEFLATED, DEFLATED_ENTRY + 24, b"\1\0"), ErrorCode.BAD_LENGTH),
    "another checksum": (with_bytes(DEFLATED, DEFLATED_ENTRY + 16, b"abcd"), ErrorCode.BAD_HASH),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD)
def test_a_damaged_archive_is_refused(data: bytes, code: ErrorCode) -> None:
    assert code_of(data) is code


def test_an_archive_of_anything_else_is_no_model() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archived:
        archived.writestr("data.pkl", bytes(40))
    with pytest.raises(FormatError) as caught:
        formats.open_model(file.getvalue())
    assert caught.value.code is ErrorCode.UNKNOWN_FORMAT


@pytest.mark.parametrize("data", [STORED, DEFLATED], ids=["stored", "deflated"])
def test_any_damage_is_survived(data: bytes) -> None:
    for place in range(0, len(data), 7):
        for value in (0x00, 0x7F, 0xFF):
            try:
                changed = formats.prepared(with_bytes(data, place, bytes([value])))
                opened = formats.open_model(changed)
            except DataError:
                continue
            assert all(tensor.end <= len(changed) for tensor in opened.tensors)
