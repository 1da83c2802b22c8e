"""Model files on disk that are several: what is read with them, and what they may write."""

from pathlib import Path

import pytest

from midstream.errors import DataError, ErrorCode, FormatError, UsageError
from midstream.formats import parts
from midstream.store.models import new_model, read_model
from midstream.wire import Writer
from onnxfiles import external, model
from tensorfiles import normal

WEIGHT = normal(6, 7)
MODEL = model([external("w", WEIGHT, "w.bin")])
JOINED = parts.join(MODEL, {"w.bin": WEIGHT.tobytes()})


def write(path: Path, data: bytes) -> None:
    with new_model(path, len(data)) as file:
        file[:] = data


def test_data_files_are_read_with_their_model(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(MODEL)
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    assert read_model(tmp_path / "m.onnx") == JOINED


def test_data_files_are_written_beside_their_model(tmp_path: Path) -> None:
    write(tmp_path / "new" / "m.onnx", JOINED)
    assert (tmp_path / "new" / "m.onnx").read_bytes() == MODEL
    assert (tmp_path / "new" / "w.bin").read_bytes() == WEIGHT.tobytes()
    write(tmp_path / "new" / "m.onnx", JOINED)  # the same once more
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_any_other_model_is_one_file(tmp_path: Path) -> None:
    for data in (b"", b"MD", b"anything"):
        write(tmp_path / "m", data)
        assert (tmp_path / "m").read_bytes() == data


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(MODEL)
    with pytest.raises(UsageError, match=r"w\.bin"):
        read_model(tmp_path / "m.onnx")


NAMES = ["../w.bin", "/etc/passwd", "a/b", ".bashrc", "", "..", "a\\b", "a\0b", "c:d", "a" * 256]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_file_elsewhere_is_not_read(tmp_path: Path, name: str) -> None:
    """[BIT-12]"""
    (tmp_path / "m.onnx").write_bytes(model([external("w", WEIGHT, name)]))
    with pytest.raises(FormatError) as caught:
        read_model(tmp_path / "m.onnx")
    assert caught.value.code is ErrorCode.BAD_NAME


@pytest.mark.parametrize("name", NAMES)
def test_a_data_file_elsewhere_is_not_written(tmp_path: Path, name: str) -> None:
    """[BIT-12]"""
    joined = JOINED.replace(b"\5w.bin", Writer().blob(name.encode()).bytes(), 1)
    with pytest.raises(DataError):
        write(tmp_path / "m.onnx", joined)
    assert not list(tmp_path.iterdir())


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    """[BIT-12]"""
    (tmp_path / "w.bin").write_bytes(b"mine")
    with pytest.raises(UsageError):
        write(tmp_path / "m.onnx", JOINED)
    assert [file.name for file in tmp_path.iterdir()] == ["w.bin"]
    assert (tmp_path / "w.bin").read_bytes() == b"mine"


def test_a_data_file_does_not_replace_its_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write(tmp_path / "w.bin", JOINED)


def test_a_name_that_comes_twice_is_refused() -> None:
    """[BIT-12]"""
    joined = parts.join(MODEL, {"a": b"1", "b": b"2"}).replace(b"\1b\1", b"\1a\1", 1)
    with pytest.raises(FormatError) as caught:
        parts.read(joined)
    assert caught.value.code is ErrorCode.BAD_LENGTH


@pytest.mark.parametrize("cut", [1, 4, len(JOINED) // 2])
def test_missing_bytes_are_refused(cut: int) -> None:
    with pytest.raises(DataError):
        parts.read(JOINED[:-cut])
