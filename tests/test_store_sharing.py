"""Processes that share a store: turns, leases, and who keeps what is partial."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults import Fault, Faults
from midstream.client import keeping
from midstream.client.keeping import Keeper, StoreFailed
from midstream.client.metadata import MetadataSource
from midstream.errors import ErrorCode, StoreError
from midstream.session import Event
from midstream.store import Lock, MemoryPartial, PartialUnit, Store
from midstream.store.sharing import Lease, taken, used
from midstream.testing import MemoryRepository
from published import NAME, Published
from waiting import until

A, B, C, D = (f"{mark:032x}" for mark in (10, 11, 12, 13))


def is_any(_: bytes) -> bool:
    return True


@contextmanager
def process(code: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, which has come to its first line of output; killed in the end."""
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        yield running
        running.kill()


USES = """
import sys
from midstream.store import Store
store = Store(sys.argv[1], size_limit=30)
store.keep(frozenset({sys.argv[2]}))
assert store.unit(sys.argv[2], bool)
print("uses it", flush=True)
sys.stdin.readline()
"""


def test_what_another_process_uses_is_not_evicted_until_that_is_killed(tmp_path: Path) -> None:
    """[DEL-19]"""
    with Store(tmp_path, size_limit=30) as store:
        for unit in (A, B, C):
            store.commit(unit, bytes(10))
            os.utime(tmp_path / "units" / unit, (1, 1))
        with process(USES, str(tmp_path), A) as other:
            os.utime(tmp_path / "units" / A, (0, 0))  # the first to go, were it not in use
            store.commit(D, bytes(20))
            assert [bool(store.unit(unit, is_any)) for unit in (A, B, C, D)] == [True, 0, 0, True]
            store.keep(frozenset({D}))
            with pytest.raises(StoreError) as caught:
                store.commit(B, bytes(10))
            assert caught.value.code is ErrorCode.STORE_FULL
            other.send_signal(signal.SIGKILL)
            other.wait()
            store.commit(B, bytes(10))
            assert store.unit(A, is_any) is None


HOLDS = """
import sys
from pathlib import Path
from midstream.store.sharing import taken
with taken(Path(sys.argv[1])):
    print("has it", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with process(HOLDS, str(path)) as other:
        with pytest.raises(StoreError, match="end that process") as caught, taken(path, wait=0.01):
            pytest.fail("two have it")
        assert caught.value.code is ErrorCode.STORE_BUSY
        assert str(path) in caught.value.message
        other.send_signal(signal.SIGKILL)
        other.wait()
        with taken(path, wait=0):
            assert not Lock(path).take()


def test_a_unit_stays_whole_for_who_reads_it_while_it_is_evicted(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=20) as reader, Store(tmp_path, size_limit=20) as other:
        reader.commit(A, b"0123456789")

        def evict(data: bytes) -> bool:
            other.commit(B, bytes(20))
            return data == b"0123456789"

        assert reader.unit(A, evict) == b"0123456789"
        assert reader.unit(A, is_any) is None


def test_a_unit_that_was_put_right_meanwhile_is_not_dropped(tmp_path: Path) -> None:
    with Store(tmp_path) as reader, Store(tmp_path) as other:
        (tmp_path / "units" / A).write_bytes(b"rotten")

        def mend(data: bytes) -> bool:
            other.commit(A, b"fresh")
            return data == b"fresh"

        assert reader.unit(A, mend) is None
        assert other.unit(A, is_any) == b"fresh"


def test_what_is_partial_belongs_to_one(tmp_path: Path) -> None:
    with Store(tmp_path) as one, Store(tmp_path) as other:
        first = one.partial(A, 100)
        first.write(0, b"first")
        assert isinstance(other.partial(A, 100), MemoryPartial)
        one.close()
        again = other.partial(A, 100)
        assert isinstance(again, PartialUnit)
        assert again.received() == [(0, b"first")]


def test_who_receives_a_unit_that_another_finishes_goes_on(tmp_path: Path) -> None:
    with Store(tmp_path) as one, Store(tmp_path) as other:
        one.keep(frozenset({A}))
        partial = one.partial(A, 100)
        partial.write(0, bytes(50))
        other.commit(A, bytes(100))
        partial.write(50, bytes(50))
        assert list((tmp_path / "partial").iterdir()) == []
        one.commit(A, bytes(100))
        assert one.unit(A, is_any) == bytes(100)


def test_room_for_what_is_partial_is_nobody_elses(tmp_path: Path) -> None:
    with Store(tmp_path, size_limit=100) as one, Store(tmp_path, size_limit=100) as other:
        one.keep(frozenset({A}))
        one.partial(A, 60)
        with pytest.raises(StoreError) as caught:
            other.commit(B, bytes(50))
        assert caught.value.code is ErrorCode.STORE_FULL
        assert one.size == 60


def test_what_is_half_written_is_left_to_its_process(tmp_path: Path) -> None:
    with Store(tmp_path) as one:
        one.partial(A, 4).write(0, b"un")
        merging = tmp_path / "partial" / ".new-x"
        merging.write_bytes(b"")
        Store(tmp_path).close()
        assert merging.exists()
    Store(tmp_path).close()
    assert not merging.exists()


def test_who_cannot_say_what_it_uses_uses_all(tmp_path: Path) -> None:
    """[DEL-19]"""
    with Store(tmp_path, size_limit=20) as one, Store(tmp_path, size_limit=20) as other:
        one.commit(A, bytes(20))
        users = tmp_path / "users"
        with Faults(users, 1, Fault.FULL).installed(), pytest.raises(StoreError) as caught:
            one.keep(frozenset({B, C}))
        assert caught.value.code is ErrorCode.STORE_FULL
        with pytest.raises(StoreError):
            other.commit(D, bytes(1))
        one.keep(frozenset())
        other.commit(D, bytes(1))


@pytest.mark.parametrize("damage", ["", "cut", "flip", "\xff"])
def test_a_damaged_lease_is_one_of_all(tmp_path: Path, damage: str) -> None:
    lease = Lease(tmp_path)
    lease.tell({A, B})
    assert used(tmp_path) == [frozenset({A, B})]
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    changed = {"cut": text[:-5], "flip": text.replace("a", "b", 1)}.get(damage, damage)
    path.write_text(changed, "latin-1")
    assert used(tmp_path) == [None]
    lease.close()
    lease.close()
    assert used(tmp_path) == []


# ------------------------------------------------------------------------------ the client


FETCHES = """
import asyncio, sys
from pathlib import Path
from midstream.client import Delivery
repo, store = sys.argv[1:]
async def fetch():
    root = (Path(repo) / "1.root.json").read_bytes()
    events = []
    async with Delivery.open(repo, "net", root=root, store=store, on_event=events.append) as got:
        await got.complete()
        failed = [str(event) for event in events if type(event).__name__ == "StoreFailed"]
        assert not failed, failed
        return bytes(await got.rebuild())
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    sys.stdout.write(f"{asyncio.run(fetch()).hex()}\\n")
"""


def test_two_processes_fetch_the_same_release_at_once(made: Published, tmp_path: Path) -> None:
    repo, store = str(made.write(tmp_path / "repo")), str(tmp_path / "store")
    with process(FETCHES, repo, store) as one, process(FETCHES, repo, store) as other:
        for running in (one, other):
            assert running.stdin is not None
            running.stdin.write("go\n")
            running.stdin.flush()
        results = [running.communicate()[0].split() for running in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0]
    assert results == [[made.models[0].hex()] * 5] * 2
    with Store(store) as opened:
        for entry in made.manifest.units:
            assert opened.unit(entry.id, is_any) == made.files[entry.path]
        assert list((tmp_path / "store" / "partial").iterdir()) == []


async def test_metadata_is_changed_in_turn(made: Published, tmp_path: Path) -> None:
    repository = MemoryRepository(made.files)
    events: list[Event] = []
    async with Keeper.open(tmp_path, on_event=events.append) as keeper:
        source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
        with taken(tmp_path / ".metadata-lock"):
            task = asyncio.create_task(source.first())
            await until(lambda: bool(repository.trace))  # the bundle is nobody's
            await asyncio.wait([task], timeout=0.05)
            assert not task.done()
            assert not list((tmp_path / "metadata").iterdir())
        assert await task == made.manifest
    assert not events


async def test_a_client_goes_on_alone_where_another_does_not(
    made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "METADATA_WAIT", 0.01)
    repository = MemoryRepository(made.files)
    events: list[Event] = []
    async with Keeper.open(tmp_path, on_event=events.append) as keeper:
        await MetadataSource(repository, NAME, root=made.root, keeper=keeper).first()
        (tmp_path / "metadata" / "tmpabcd1234").write_bytes(b"what another is making")
        with taken(tmp_path / ".metadata-lock"):
            source = MetadataSource(repository, NAME, root=made.root, keeper=keeper)
            assert await source.newest() == made.manifest
        assert not (keeper.metadata / "tmpabcd1234").exists()
        assert list(keeper.metadata.rglob("*.trusted")), "what was trusted is taken along"
    (failed,) = events
    assert isinstance(failed, StoreFailed)
    assert failed.error.code is ErrorCode.STORE_BUSY
