"""Units that are not whole yet: what came stays, through kills, torn writes and full disks."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.errors import ErrorCode, StoreError
from midstream.store import PartialUnit, Store
from midstream.store.partial import JOURNAL

UNIT = random.Random(5).randbytes(50_000)
ENTRY = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "unit"


def journal(path: Path) -> Path:
    return path.with_name(path.name + JOURNAL)


def put(partial: PartialUnit, start: int, stop: int) -> None:
    partial.write(start, UNIT[start:stop])


def holds(path: Path) -> list[tuple[int, int]]:
    """The ranges that the next run finds, once it is sure that their bytes are right."""
    received = PartialUnit(path, len(UNIT)).received()
    for start, data in received:
        assert data == UNIT[start : start + len(data)]
    return [(start, start + len(data)) for start, data in received]


def test_nothing_has_come_of_a_new_unit(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    assert partial.received() == []
    assert partial.missing() == [(0, len(UNIT))]


def test_what_came_is_there_in_the_next_run(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    put(partial, 5000, 6000)
    put(partial, 1000, 2000)
    assert holds(path) == [(0, 2000), (5000, 6000)]
    assert partial.missing() == [(2000, 5000), (6000, len(UNIT))]


def test_bytes_that_come_again_replace_those_that_were_there(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    partial.write(0, bytes(100))
    put(partial, 0, 100)
    assert holds(path) == [(0, 100)]


def test_bytes_behind_the_end_of_the_unit_are_not_kept(path: Path) -> None:
    partial = PartialUnit(path, 100)
    partial.write(90, bytes(5000))
    partial.write(100, b"x")
    partial.write(1 << 50, b"x")
    assert path.stat().st_size == 100
    assert partial.received() == [(90, bytes(10))]


def test_nothing_costs_nothing(path: Path) -> None:
    partial = PartialUnit(path, 100)
    partial.write(5, b"")
    assert not journal(path).exists()


@pytest.mark.parametrize("torn", range(1, ENTRY))
def test_a_torn_entry_costs_that_entry_alone(path: Path, torn: int) -> None:
    """[DEL-14]"""
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    put(partial, 5000, 6000)
    os.truncate(journal(path), 2 * ENTRY - torn)
    partial = PartialUnit(path, len(UNIT))
    put(partial, 7000, 8000)  # what comes after it is not lost behind it
    assert holds(path) == [(0, 1000), (7000, 8000)]


@pytest.mark.parametrize("place", range(2 * ENTRY))
def test_a_damaged_entry_is_not_believed(path: Path, place: int) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    put(partial, 5000, 6000)
    data = bytearray(journal(path).read_bytes())
    data[place] ^= 0x10
    journal(path).write_bytes(data)
    assert holds(path) == ([(0, 1000)] if place >= ENTRY else [])


def test_an_entry_whose_bytes_are_not_there_is_not_believed(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    put(partial, 5000, 6000)
    os.truncate(path, 5500)
    assert holds(path) == [(0, 1000)]
    path.unlink()
    assert holds(path) == []


def test_a_journal_of_a_longer_unit_is_not_believed(path: Path) -> None:
    put(PartialUnit(path, len(UNIT)), 5000, 6000)
    assert PartialUnit(path, 5500).received() == []


@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_journal_can_be_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "unit"
    path.write_bytes(UNIT)
    journal(path).write_bytes(data)
    holds(path)


@given(
    spans=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 9000)), max_size=12),
    reopened=st.integers(0, 12),
)
@settings(max_examples=60, deadline=None)
def test_any_ranges_in_any_order_are_there_in_the_next_run(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], reopened: int
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "unit"
    partial = PartialUnit(path, len(UNIT))
    expected = set()
    for number, (start, length) in enumerate(spans):
        if number == reopened:
            partial = PartialUnit(path, len(UNIT))
        put(partial, start, start + length)
        expected |= set(range(start, min(start + length, len(UNIT))))
    assert {at for start, stop in holds(path) for at in range(start, stop)} == expected


def test_a_server_that_sends_byte_by_byte_does_not_make_the_journal_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.store.partial._MOST_ENTRIES", 50)
    partial = PartialUnit(path, len(UNIT))
    for start in range(300):
        put(partial, start, start + 1)
        assert journal(path).stat().st_size <= 51 * ENTRY
    assert holds(path) == [(0, 300)]


def test_a_unit_that_is_discarded_leaves_nothing(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    partial.discard()
    partial.discard()
    assert list(path.parent.iterdir()) == []
    assert holds(path) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, ErrorCode.STORE_FULL),
        (errno.EROFS, ErrorCode.STORE_READ_ONLY),
        (errno.EIO, ErrorCode.STORE_IO),
    ],
)
@pytest.mark.parametrize("name", ["unit", "unit" + JOURNAL])
def test_a_disk_that_fails_is_one_clear_error_and_costs_that_write_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: ErrorCode, name: str
) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    whole = os.open

    def failing(opened: Path, *rest: Any) -> int:
        if opened.name == name:
            raise OSError(number, os.strerror(number))
        return whole(opened, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", failing)
        with pytest.raises(StoreError) as caught:
            put(partial, 1000, 2000)
        assert caught.value.code is code
    assert partial.missing() == [(1000, len(UNIT))]
    assert holds(path) == [(0, 1000)]


def test_bytes_that_cannot_be_read_are_one_clear_error(path: Path) -> None:
    partial = PartialUnit(path, len(UNIT))
    put(partial, 0, 1000)
    path.unlink()
    with pytest.raises(StoreError):
        partial.received()


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        PartialUnit(tmp_path / "none" / "unit", 10)


WRITER = """
import random, sys
from midstream.store import Store
unit = random.Random(5).randbytes(50_000)
with Store(sys.argv[1]) as store:
    partial = store.partial("a" * 32, len(unit))
    print(len(partial.received()), flush=True)
    rng = random.Random()
    while missing := partial.missing():
        start, stop = rng.choice(missing)
        start = rng.randrange(start, stop)
        partial.write(start, unit[start : min(stop, start + rng.randint(1, 300))])
    store.commit("a" * 32, unit)
    print("whole", flush=True)
"""


@pytest.mark.once
def test_a_kill_at_any_moment_loses_nothing_and_lies_about_nothing(tmp_path: Path) -> None:
    """[DEL-14]"""
    rng = random.Random(1)
    had = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
        with Store(tmp_path) as store:
            if store.unit("a" * 32, lambda data: data == UNIT) is None:
                partial = store.partial("a" * 32, len(UNIT))
                for start, data in partial.received():
                    assert UNIT[start : start + len(data)] == data
                has = len(UNIT) - sum(stop - start for start, stop in partial.missing())
                assert has >= had, "what an earlier run had is still there"
                had = has
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=True, capture_output=True)
    with Store(tmp_path) as store:
        assert store.unit("a" * 32, lambda data: data == UNIT) == UNIT
        assert store.size == len(UNIT)
