"""store.scratch: folders for one run, in memory where that can be."""

import subprocess
import sys
from pathlib import Path

import pytest

from midstream.errors import ErrorCode, StoreError
from midstream.store import scratch


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A place that stands for the system's memory, not swept yet."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(scratch, "MEMORY", place)
    scratch._sweep.cache_clear()
    yield place
    scratch._sweep.cache_clear()


def test_a_folder_is_in_memory_and_gone_in_the_end(memory):
    with scratch.scratch_folder() as folder:
        (folder / "file").write_bytes(b"trusted")
        assert folder.parent == memory
    assert not list(memory.iterdir())


def test_a_folder_is_for_its_owner_alone(memory):
    with scratch.scratch_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700


def test_without_such_a_place_it_is_on_a_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MEMORY", tmp_path / "none")
    with scratch.scratch_folder() as folder:
        (folder / "file").write_bytes(b"trusted")
    assert not folder.exists()


def test_where_memory_is_full_it_is_on_a_disk(memory):
    with (
        scratch.scratch_folder() as full,
        scratch.scratch_folder(away_from=full) as other,
    ):
        assert memory not in other.parents


def test_nowhere_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MEMORY", tmp_path / "none")
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "none either"))
    with pytest.raises(StoreError, match="no temporary folder can be made") as raised:
        scratch.scratch_folder().__enter__()
    assert raised.value.code is ErrorCode.STORE_IO


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(memory):
    script = (
        "import os, sys; from pathlib import Path; from midstream.store import scratch\n"
        "scratch.MEMORY = Path(sys.argv[1])\n"
        "held = scratch.scratch_folder(); folder = held.__enter__()\n"
        "(folder / 'file').write_bytes(b'x'); print(folder, flush=True)\n"
        "sys.stdin.read(); os._exit(9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        folder = Path(process.stdout.readline().strip())
        with scratch.scratch_folder():
            assert folder.exists()
        process.stdin.close()
    scratch._sweep.cache_clear()  # as a process that comes later
    with scratch.scratch_folder():
        assert not folder.exists()
