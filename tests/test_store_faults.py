"""A store whose disk fails at any one step: what was whole stays, what is half is never given.

MIDSTREAM_FAULTS=all takes each step with each fault, and kills a real process at each.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faults import Fault, Faults, Killed
from midstream.errors import ErrorCode, StoreError
from midstream.store import PartialUnit, Store

ALL = os.environ.get("MIDSTREAM_FAULTS") == "all"
OLD, RUNS, NEW, NEXT, ROTS = (f"{mark:032x}" for mark in range(1, 6))
UNITS = {unit: random.Random(unit).randbytes(3000) for unit in (OLD, RUNS, NEW, NEXT, ROTS)}
LIMIT = 4 * 3000 + 500
"""So that the last of the units fits only where the first goes."""
CODES = {
    Fault.FULL: ErrorCode.STORE_FULL,
    Fault.READ_ONLY: ErrorCode.STORE_READ_ONLY,
    Fault.DENIED: ErrorCode.STORE_READ_ONLY,
    Fault.BAD_SECTOR: ErrorCode.STORE_IO,
}


@dataclass
class Told:
    """What a run was told is done."""

    units: set[str] = field(default_factory=set)
    """Units that are kept."""
    parts: dict[str, int] = field(default_factory=dict)
    """First bytes of others that are."""


def is_signed(unit: str) -> Callable[[bytes], bool]:
    digest = hashlib.sha256(UNITS[unit]).digest()
    return lambda data: hashlib.sha256(data).digest() == digest


def prepare(folder: Path) -> Told:
    """What earlier runs left: two whole units and one that has rotted since."""
    with Store(folder, size_limit=LIMIT) as store:
        for unit in (OLD, RUNS, ROTS):
            store.commit(unit, UNITS[unit])
        os.utime(folder / "units" / OLD, (1, 1))
        store.partial(NEXT, 3000).write(0, UNITS[NEXT][:500])
    rotten = folder / "units" / ROTS
    rotten.write_bytes(b"\0" + rotten.read_bytes()[1:])
    return Told({RUNS}, {NEXT: 500})


def run(folder: Path, told: Told) -> None:
    """A client's work: read, resume, receive, keep; `told` says how far it came."""
    with Store(folder, size_limit=LIMIT) as store:
        store.keep(frozenset({RUNS, NEW, NEXT, ROTS}))
        assert store.unit(RUNS, is_signed(RUNS)) == UNITS[RUNS]
        for unit in (ROTS, NEW, NEXT):
            if (data := store.unit(unit, is_signed(unit))) is not None:
                assert data == UNITS[unit]
                told.units.add(unit)
                continue
            partial = store.partial(unit, 3000)
            for start, stop in partial.missing():
                for at in range(start, stop, 1000):
                    partial.write(at, UNITS[unit][at : min(at + 1000, stop)])
                    if isinstance(partial, PartialUnit):
                        told.parts[unit] = min(at + 1000, stop)
            store.commit(unit, UNITS[unit])
            told.units.add(unit)
            told.parts.pop(unit, None)


def check(folder: Path, told: Told) -> None:
    """What the next process finds, on a disk that works again."""
    with Faults(folder).installed():
        look(folder, told)
        run(folder, told)
    assert told.units >= set(UNITS) - {OLD}


def look(folder: Path, told: Told) -> None:
    with Store(folder, size_limit=LIMIT) as store:
        for unit in UNITS:
            data = store.unit(unit, is_signed(unit))
            assert data is None or data == UNITS[unit]
            assert data is not None or unit not in told.units, "it was whole"
        store.keep(frozenset(UNITS) - {OLD})
        for unit, size in told.parts.items():
            if store.unit(unit, is_signed(unit)) is None:
                received = store.partial(unit, 3000).received()
                assert all(UNITS[unit][at : at + len(data)] == data for at, data in received)
                first = next((len(data) for at, data in received if at == 0), 0)
                assert first >= size, "it was received"
        assert not list(folder.rglob(".new-*"))
        assert store.size <= LIMIT + 200  # and the journals


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    folder = tmp_path_factory.mktemp("prepared") / "store"
    return folder, prepare(folder)


def copy(prepared: tuple[Path, Told], folder: Path) -> Told:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared[0], folder)
    return Told(set(prepared[1].units), dict(prepared[1].parts))


def count(prepared: tuple[Path, Told], folder: Path) -> int:
    told = copy(prepared, folder)
    with Faults(folder).installed() as faults:
        run(folder, told)
    check(folder, told)
    assert {"open", "pwrite", "fsync", "replace", "unlink", "utime"} <= set(faults.names)
    return len(faults.names)


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TEAR])
def test_a_kill_at_any_step_leaves_all_that_was_whole(
    prepared: tuple[Path, Told], tmp_path: Path, fault: Fault
) -> None:
    """[DEL-14]"""
    folder = tmp_path / "store"
    for step in range(0, count(prepared, folder), 1 if ALL else 2):
        told = copy(prepared, folder)
        with Faults(folder, step, fault).installed(), pytest.raises(Killed):
            run(folder, told)
        check(folder, told)


@pytest.mark.parametrize("fault", CODES)
def test_a_disk_that_fails_at_any_step_leaves_all_that_was_whole(
    prepared: tuple[Path, Told], tmp_path: Path, fault: Fault
) -> None:
    """[DEL-14]"""
    folder = tmp_path / "store"
    failures: list[StoreError] = []
    for step in range(0, count(prepared, folder), 1 if ALL else 5):
        told = copy(prepared, folder)
        with Faults(folder, step, fault).installed() as faults:
            try:
                run(folder, told)
            except StoreError as error:
                failures.append(error)
        assert faults.happened
        check(folder, told)
    assert {error.code for error in failures} == {CODES[fault]}
    assert all(str(folder) in error.message for error in failures)


REAL = """
import sys
from pathlib import Path
from faults import Fault, Faults
from test_store_faults import Told, run
folder = Path(sys.argv[1])
with Faults(folder, int(sys.argv[2]), Fault.SIGKILL).installed():
    run(folder, Told())
"""


def test_a_process_that_is_killed_at_a_step_leaves_all_that_was_whole(
    prepared: tuple[Path, Told], tmp_path: Path
) -> None:
    """[DEL-14]"""
    folder = tmp_path / "store"
    steps = range(count(prepared, folder))
    path = os.pathsep.join(filter(None, sys.path))
    for step in steps if ALL else random.Random(3).sample(steps, 2):
        told = copy(prepared, folder)
        done = subprocess.run(
            [sys.executable, "-c", REAL, str(folder), str(step)],
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        check(folder, told)


def test_a_bit_that_flips_anywhere_is_never_given(
    prepared: tuple[Path, Told], tmp_path: Path
) -> None:
    """[DEL-13]"""
    folder = tmp_path / "store"
    rng = random.Random(4)
    copy(prepared, folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    assert {path.parent.name for path in files} == {"units", "partial"}
    for path in files:
        for _ in range(200 if ALL else 6):
            copy(prepared, folder)
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            with Store(folder) as store:
                for unit in UNITS:
                    assert store.unit(unit, is_signed(unit)) in (None, UNITS[unit])
