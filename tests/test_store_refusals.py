"""What was refused stays on disk: bounded, counted, and readable whatever happens to the file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import BitstreamError, ErrorCode, StoreError, UsageError
from midstream.store import Store
from midstream.store.files import NEW_PREFIX
from midstream.store.refusals import Refusal, RefusalLog, of_store

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def refusal(message: str = "why", *, now: datetime = NOW, **more: Any) -> Refusal:
    error = BitstreamError(ErrorCode.WRONG_PARENT, message)
    return Refusal.of(error, "net", now, what="update", **more)


@pytest.fixture
def log(tmp_path: Path) -> RefusalLog:
    return RefusalLog(tmp_path / "refused.jsonl")


def test_what_is_put_down_is_read(log: RefusalLog) -> None:
    assert log.read() == ((), 0)
    log.add([refusal("one", release=3, unit="ab", provider="east")])
    log.add([refusal("two")])
    (first, second), damaged = log.read()
    assert (first.at, first.network, first.what) == ("2026-05-01T12:00:00+00:00", "net", "update")
    assert (first.release, first.unit, first.provider) == (3, "ab", "east")
    assert (first.error, first.message, first.times) == ("WRONG_PARENT", "one", 1)
    assert (second.message, damaged) == ("two", 0)


def test_what_is_refused_again_counts(log: RefusalLog) -> None:
    log.add([refusal("one"), refusal("two")])
    log.add([refusal("one", now=NOW.replace(hour=13))])
    two, one = log.read().refusals
    assert (two.message, one.message, one.times, one.at[11:13]) == ("two", "one", 2, "13")


def test_the_last_thousand_are_kept(log: RefusalLog) -> None:
    log.add(refusal(str(number)) for number in range(1003))
    kept = log.read().refusals
    assert [kept[0].message, kept[-1].message, len(kept)] == ["3", "1002", 1000]


def test_a_file_stays_within_a_mebibyte(log: RefusalLog) -> None:
    """Characters of many bytes, too."""
    log.add(refusal(chr(0x1F600) * 500 + str(number), unit="é" * 500) for number in range(300))
    log.add(refusal("\U0001f601" * 399 + str(number), unit="é" * 500) for number in range(600))
    assert log.path.stat().st_size <= 1 << 20
    assert not log.read().damaged


def test_texts_are_cut_and_steer_no_terminal(log: RefusalLog) -> None:
    log.add([refusal("\x1b[2Jgone\n" + "x" * 500)])
    (one,) = log.read().refusals
    assert one.message == "?[2Jgone?" + "x" * 391


def test_damaged_lines_are_left_out_and_counted(log: RefusalLog) -> None:
    """[DEL-30]"""
    log.add([refusal("one"), refusal("two")])
    data = log.path.read_bytes()
    log.path.write_bytes(data[:20] + b"\xff" + data[21:] + b"[" * 100_000 + b'\n{"at": 1}\n{"half')
    kept, damaged = log.read()
    assert ([one.message for one in kept], damaged) == (["two"], 4)
    log.add([refusal("three")])
    assert [one.message for one in log.read().refusals] == ["two", "three"]


@pytest.mark.parametrize("field", ["times", "message", "at", "release"])
def test_a_line_of_other_types_is_damaged(log: RefusalLog, field: str) -> None:
    log.add([refusal()])
    data = log.path.read_bytes()
    before = {"times": b"1", "message": b'"why"', "release": b"0"}.get(field, b'"2026')
    changed = {"at": b'["x"], "what": "2026'}.get(field, b"true")
    name = f'"{field}": '.encode()
    log.path.write_bytes(data.replace(name + before, name + changed))
    assert log.read() == ((), 1)


@pytest.mark.parametrize("times", ["0", "-1", "9" * 20, "9" * 4300, "9" * 5000])
def test_a_count_that_makes_no_sense_is_damaged(log: RefusalLog, times: str) -> None:
    """[DEL-30] One more would be a number that is too long to be written."""
    log.add([refusal("one"), refusal("two")])
    data = log.path.read_bytes()
    log.path.write_bytes(data.replace(b'"times": 1', f'"times": {times}'.encode(), 1))
    assert log.read().damaged == 1
    log.add([refusal("one")])
    assert [(one.message, one.times) for one in log.read().refusals] == [("two", 1), ("one", 1)]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    log = RefusalLog(tmp_path_factory.mktemp("any") / "refused.jsonl")
    log.path.write_bytes(data)
    log.add([refusal("new")])
    assert log.read().refusals[-1].message == "new"


def test_a_file_that_is_too_large_is_read_from_its_end(log: RefusalLog) -> None:
    log.add([refusal("last")])
    log.path.write_bytes(b"x" * (2 << 20) + b"\n" + log.path.read_bytes())
    kept, damaged = log.read()
    assert ([one.message for one in kept], damaged) == (["last"], 1)


def test_a_disk_that_fails_is_said(tmp_path: Path) -> None:
    (tmp_path / "refused.jsonl").mkdir()
    with pytest.raises(StoreError):
        RefusalLog(tmp_path / "refused.jsonl").read()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        RefusalLog(tmp_path / "file" / "refused.jsonl").add([refusal()])


def test_a_folder_that_is_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no client's store") as caught:
        of_store(tmp_path)
    assert caught.value.code is ErrorCode.NOT_FOUND
    with Store(tmp_path) as store:
        store.refusals.add([refusal()])
    assert len(of_store(tmp_path).read().refusals) == 1


def test_what_a_killed_writer_left_is_removed_once_nobody_else_may_be_writing(
    tmp_path: Path,
) -> None:
    """[DEL-14]"""
    left = tmp_path / f"{NEW_PREFIX}left"
    with Store(tmp_path):
        left.write_bytes(b"{")
        with Store(tmp_path):
            assert left.exists()
    with Store(tmp_path) as store:
        assert not left.exists()
        assert store.refusals.read() == ((), 0)
