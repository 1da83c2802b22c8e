"""Units on disk: whole or not at all, checked again, bounded."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import Fault, Faults
from midstream.errors import ErrorCode, LimitError, StoreError, UsageError
from midstream.limits import Limits
from midstream.store import (
    DEFAULT_SIZE_LIMIT,
    MemoryPartial,
    MemoryStore,
    PartialUnit,
    Store,
    default_folder,
)
from midstream.store.files import read_file, read_given, write_file

A, B, C, D = (f"{mark:032x}" for mark in (10, 11, 12, 13))


def is_any(_: bytes) -> bool:
    return True


def is_exactly(data: bytes) -> Callable[[bytes], bool]:
    digest = hashlib.sha256(data).digest()
    return lambda found: hashlib.sha256(found).digest() == digest


def fail(code: int) -> Callable[..., Any]:
    def failing(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return failing


def age(folder: Path, unit_id: str, seconds: int) -> None:
    """Make a unit look as if it was used so long ago."""
    path = folder / "units" / unit_id
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_a_unit_that_was_kept_is_there_in_the_next_run(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.unit(A, is_any) is None
        store.commit(A, b"unit")
        assert store.unit(A, is_exactly(b"unit")) == b"unit"
    with Store(tmp_path) as store:
        assert store.unit(A, is_exactly(b"unit")) == b"unit"
        assert store.unit(B, is_any) is None


def test_a_unit_can_be_written_again(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(A, b"unit")
        store.commit(A, b"unit")
        assert store.unit(A, is_any) == b"unit"
        assert store.size == 4


@pytest.mark.parametrize("rot", [b"unjt", b"", b"unit and more"])
def test_a_unit_that_rotted_is_dropped_and_not_given(tmp_path: Path, rot: bytes) -> None:
    """[DEL-13]"""
    with Store(tmp_path) as store:
        store.commit(A, b"unit")
        (tmp_path / "units" / A).write_bytes(rot)
        assert store.unit(A, is_exactly(b"unit")) is None
        assert not (tmp_path / "units" / A).exists()
        store.commit(A, b"unit")
        assert store.unit(A, is_exactly(b"unit")) == b"unit"


def test_a_file_that_is_larger_than_any_unit_is_not_read(tmp_path: Path) -> None:
    with Store(tmp_path, limits=Limits(unit_size=10)) as store:
        (tmp_path / "units" / A).write_bytes(bytes(11))
        assert store.unit(A, lambda _: pytest.fail("it was read")) is None
        assert store.size == 0


@pytest.mark.parametrize(
    "unit_id", ["", "..", "../../x", "a" * 31, "A" * 32, f"{A}.journal", f"{A}\n"]
)
def test_what_is_no_id_is_wrong_use(tmp_path: Path, unit_id: str) -> None:
    with Store(tmp_path) as store:
        with pytest.raises(UsageError):
            store.unit(unit_id, is_any)
        with pytest.raises(UsageError):
            store.commit(unit_id, b"x")
        with pytest.raises(UsageError):
            store.partial(unit_id, 1)


def test_what_is_partial_is_not_a_unit(tmp_path: Path) -> None:
    """[DEL-12]"""
    with Store(tmp_path) as store:
        store.partial(A, 4).write(0, b"unit")
        assert store.unit(A, is_any) is None


def test_what_was_partial_goes_when_the_unit_is_whole(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.partial(A, 4).write(0, b"un")
        store.commit(A, b"unit")
        assert list((tmp_path / "partial").iterdir()) == []


def test_what_is_partial_can_be_forgotten_for_another_to_keep_it(tmp_path: Path) -> None:
    with Store(tmp_path) as store, Store(tmp_path) as other:
        store.partial(A, 4).write(0, b"un")
        assert isinstance(other.partial(A, 4), MemoryPartial)
        store.forget(A)
        store.forget(B)
        assert list((tmp_path / "partial").iterdir()) == []
        assert isinstance(other.partial(A, 4), PartialUnit)
    MemoryStore().forget(A)


def test_what_a_killed_process_left_goes_when_the_store_is_opened(tmp_path: Path) -> None:
    """[DEL-14]"""
    with Store(tmp_path) as store:
        store.commit(A, b"unit")
        store.partial(A, 4).write(0, b"un")
        store.partial(B, 4).write(0, b"un")
    (tmp_path / "units" / ".new-x1").write_bytes(b"half")
    (tmp_path / "partial" / ".new-x2").write_bytes(b"half")
    with Store(tmp_path) as store:
        names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        (user,) = (path.name for path in (tmp_path / "users").iterdir())
        assert names == {".lock", user, A, B, f"{B}.journal"}
        assert store.unit(A, is_any) == b"unit"


def test_what_was_not_used_for_the_longest_goes_first(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=30) as store:
        for number, unit_id in enumerate((A, B, C)):
            store.commit(unit_id, bytes(10))
            age(tmp_path, unit_id, 100 - number)
        assert store.unit(A, is_any)  # used just now
        store.commit(D, bytes(10))
        assert [bool(store.unit(unit, is_any)) for unit in (A, B, C, D)] == [
            True,
            False,
            True,
            True,
        ]
        assert store.size == 30


def test_units_in_use_are_never_evicted(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=30) as store:
        for unit_id in (A, B, C):
            store.commit(unit_id, bytes(10))
        age(tmp_path, A, 100)
        store.keep(frozenset({A, D}))
        store.commit(D, bytes(20))
        assert store.unit(A, is_any)
        assert store.unit(D, is_any)
        assert store.size == 30


def test_a_unit_that_does_not_fit_beside_those_in_use_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=30) as store:
        store.keep(frozenset({A, B}))
        store.commit(A, bytes(20))
        store.commit(D, bytes(5))
        with pytest.raises(StoreError, match="at most 30") as caught:
            store.commit(B, bytes(11))
        assert caught.value.code is ErrorCode.STORE_FULL
        assert store.unit(A, is_any)
        assert store.unit(D, is_any), "nothing is evicted in vain"


def test_a_unit_that_is_refused_leaves_nothing_partial(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=30) as store:
        store.keep(frozenset({A, B}))
        store.commit(A, bytes(20))
        store.partial(B, 10).write(0, bytes(5))
        with pytest.raises(StoreError):
            store.commit(B, bytes(11))
        assert store.size == 20


def test_a_unit_that_would_not_fit_is_not_begun(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=30) as store:
        partial = store.partial(A, 31)
        assert isinstance(partial, MemoryPartial)
        partial.write(0, b"x")
        assert partial.received() == []
        assert store.size == 0
        assert isinstance(store.partial(A, 30), PartialUnit)


def test_partial_units_are_evicted_too(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=100) as store:
        store.partial(A, 50).write(0, bytes(50))
        store.commit(B, bytes(90))
        assert store.size <= 100
        assert store.partial(A, 10).received() == []


def test_bytes_that_are_there_count_once_when_the_unit_is_whole(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=100) as store:
        store.commit(B, bytes(20))
        store.partial(A, 80).write(0, bytes(80))
        store.commit(A, bytes(80))
        assert store.unit(B, is_any)


def test_a_store_is_open_as_often_as_one_likes(tmp_path: Path) -> None:
    with Store(tmp_path) as one, Store(tmp_path) as other:
        one.commit(A, b"unit")
        assert other.unit(A, is_exactly(b"unit")) == b"unit"
    one.close()
    assert list((tmp_path / "users").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, ErrorCode.STORE_FULL),
        (errno.EDQUOT, ErrorCode.STORE_FULL),
        (errno.EROFS, ErrorCode.STORE_READ_ONLY),
        (errno.EACCES, ErrorCode.STORE_READ_ONLY),
        (errno.EIO, ErrorCode.STORE_IO),
    ],
)
def test_a_disk_that_fails_is_one_clear_error_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: ErrorCode
) -> None:
    with Store(tmp_path) as store:
        store.commit(A, b"unit")
        monkeypatch.setattr("midstream.store.files.os.fsync", fail(number))
        with pytest.raises(StoreError) as caught:
            store.commit(B, b"other")
        assert caught.value.code is code
        assert caught.value.exit_code == 3
        assert B in caught.value.message
        assert store.unit(A, is_any) == b"unit"
        assert [path.name for path in (tmp_path / "units").iterdir()] == [A]


def test_a_folder_that_takes_no_file_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        monkeypatch.setattr("midstream.store.files.tempfile.mkstemp", fail(errno.EROFS))
        with pytest.raises(StoreError) as caught:
            store.commit(A, b"unit")
        assert caught.value.code is ErrorCode.STORE_READ_ONLY


def test_a_unit_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        (tmp_path / "units" / A).mkdir()
        with pytest.raises(StoreError) as caught:
            store.unit(A, is_any)
        assert caught.value.code is ErrorCode.STORE_IO


def test_a_store_whose_units_cannot_be_listed_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store, monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", fail(errno.EIO))
        with pytest.raises(StoreError):
            store.commit(A, b"unit")


@pytest.mark.parametrize("in_the_way", ["", "units"])
def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, in_the_way: str) -> None:
    folder = tmp_path / "store"
    if in_the_way:
        folder.mkdir()
    (folder / in_the_way).write_bytes(b"a file")
    with pytest.raises(StoreError) as caught:
        Store(folder)
    assert caught.value.code is ErrorCode.STORE_IO


def test_a_disk_without_locks_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.store.sharing.fcntl.flock", fail(errno.ENOLCK))
    with pytest.raises(StoreError) as caught:
        Store(tmp_path)
    assert caught.value.code is ErrorCode.STORE_IO


def test_metadata_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.metadata_dir == tmp_path / "metadata"
        assert store.metadata_dir.is_dir()


def test_the_default_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/someone/cache")
    assert default_folder() == Path("/home/someone/cache/midstream")
    assert DEFAULT_SIZE_LIMIT == 256 << 20


def test_a_store_in_memory_has_the_same_shape_and_keeps_nothing() -> None:
    store = MemoryStore()
    store.keep(frozenset({A}))
    store.commit(A, b"unit")
    assert store.unit(A, is_any) is None
    partial = store.partial(A, 4)
    partial.write(0, b"un")
    assert partial.received() == []
    assert partial.missing() == [(0, 4)]
    partial.discard()


def test_a_file_is_read_or_one_clear_error(tmp_path: Path) -> None:
    write_file(tmp_path / "folder" / "file", b"bytes")
    assert read_file(tmp_path / "folder" / "file") == b"bytes"
    with pytest.raises(StoreError, match="none"):
        read_file(tmp_path / "none")


def test_a_file_that_a_user_named_is_read_within_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    assert read_given(path, limit=5) == b"bytes"
    with pytest.raises(LimitError, match="5 bytes, at most 4"):
        read_given(path, limit=4)
    for other in (tmp_path, tmp_path / "none", Path("/dev/zero"), tmp_path / ("x" * 300)):
        with pytest.raises(UsageError):
            read_given(other, limit=5)


def test_a_broken_store_is_one_clear_error_that_says_what_to_do(tmp_path: Path) -> None:
    advice = "if it stays so, delete the store: what it held is fetched again"
    (tmp_path / "units").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path)
    assert caught.value.message == f"{tmp_path / 'units'}: File exists; {advice}"
    (tmp_path / "units").unlink()
    with Store(tmp_path) as store:
        (tmp_path / "units" / A).mkdir()
        for failing in (lambda: store.unit(A, is_any), lambda: store.commit(A, b"unit")):
            with pytest.raises(StoreError) as caught:
                failing()
            assert caught.value.message == f"{tmp_path / 'units' / A}: Is a directory; {advice}"
        (tmp_path / "partial" / B).mkdir()
        with pytest.raises(StoreError, match=f"{B}: Is a directory; {advice}"):
            store.partial(B, 10)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.FULL, "No space left on device; free space there, or name another folder"),
        (
            Fault.READ_ONLY,
            "Read-only file system; let this user read and write it, or name another folder",
        ),
        (
            Fault.DENIED,
            "Permission denied; let this user read and write it, or name another folder",
        ),
    ],
)
def test_a_disk_that_takes_no_store_is_one_clear_error_that_says_what_to_do(
    tmp_path: Path, fault: Fault, message: str
) -> None:
    folder = tmp_path / "store"
    with Faults(folder, 0, fault).installed(), pytest.raises(StoreError) as caught:
        Store(folder)
    assert caught.value.message.startswith(str(folder))
    assert caught.value.message.endswith(f": {message}")
