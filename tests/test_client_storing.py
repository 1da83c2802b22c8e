"""What a delivery keeps between runs, and disks that rot, fill up or take nothing."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from delivering import delivering, of
from faults import Fault, Faults
from midstream.client import Delivery, StoreFailed
from midstream.errors import (
    ErrorCode,
    StoreError,
    TrustError,
)
from midstream.origin import serve
from midstream.store import Store
from published import NAME, Published, published
from staticservers import StaticServer


@pytest.fixture
async def kept(made: Published, repo: Path, tmp_path: Path) -> Path:
    """The store of a run that took everything."""
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == 0
    return tmp_path / "store"


def refuse(patch: pytest.MonkeyPatch, folder: Path, flags: int, code: int) -> None:
    """Have no file below a folder opened with one of these flags from now on."""
    opened = os.open

    def take_or_refuse(path: Any, asked: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(folder)) and asked & flags:
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, asked, *more, **named)

    patch.setattr(os, "open", take_or_refuse)


async def test_a_second_run_takes_everything_from_the_store(
    made: Published, repo: Path, kept: Path
) -> None:
    sizes = sum(entry.size for entry in made.manifest.units)
    async with serve(repo) as url, delivering(url, made, store=kept) as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == sizes
        assert [record.path for record in delivery.trace] == ["metadata/timestamp.json"]
        assert await delivery.rebuild() == made.models[0]


async def test_a_second_run_asks_for_the_metadata_of_news_and_no_base(
    made: Published, repo: Path, kept: Path
) -> None:
    news = published(1, 2)
    news.write(repo)
    async with delivering(repo, made, store=kept) as (delivery, _):
        assert delivery.manifest.release == 2
        paths = [record.path for record in delivery.trace]
        assert paths[:2] == ["metadata/timestamp.json", f"bundles/{NAME}.news"]
        assert f"bundles/{NAME}.bundle" not in paths
        await delivery.complete()
        assert await delivery.rebuild() == news.models[1]


async def test_a_unit_that_rotted_in_the_store_is_fetched_again(
    made: Published, repo: Path, kept: Path
) -> None:
    for file in (kept / "units").iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    async with delivering(repo, made, store=kept) as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == 0
        assert await delivery.rebuild() == made.models[0]


async def test_a_unit_that_cannot_be_read_from_the_store_is_fetched_again(
    made: Published, repo: Path, kept: Path
) -> None:
    file = kept / "units" / made.manifest.base.id
    file.unlink()
    file.mkdir()
    async with delivering(repo, made, store=kept) as (delivery, events):
        await delivery.complete()
        assert of(events, StoreFailed)
        assert await delivery.rebuild() == made.models[0]


async def test_what_an_interrupted_run_received_is_not_asked_for_again(
    made: Published, repo: Path, tmp_path: Path, static_server: StaticServer
) -> None:
    (repo / f"bundles/{NAME}.bundle").unlink()
    exact = made.manifest.units[-1]
    with Store(tmp_path / "store") as store:
        partial = store.partial(exact.id, exact.size)
        partial.write(0, made.files[exact.path][:2000])
    async with (
        static_server(repo) as url,
        delivering(url, made, store=tmp_path / "store") as (delivery, _),
    ):
        await delivery.complete()
        (asked,) = (record for record in delivery.trace if record.path == exact.path)
        assert asked.start == 2000
        assert delivery.from_store == 2000
        assert await delivery.rebuild() == made.models[0]


async def test_a_store_that_another_process_has_open_is_shared(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    async with delivering(repo, made, store=store) as (one, _):
        await one.base()
        async with delivering(repo, made, store=store) as (other, _):
            assert other.from_store >= made.manifest.base.size
            await one.complete()
            await other.complete()  # what the first one finished meanwhile is not fetched again
            assert {record.path for record in other.trace} == {"metadata/timestamp.json"}
            assert await other.rebuild() == made.models[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
async def test_a_disk_that_takes_no_unit_does_not_stop_delivery(
    made: Published, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
        monkeypatch.setattr(os, "fsync", fail)
        await delivery.complete()
        assert await delivery.rebuild() == made.models[0]
    assert {event.error.code for event in of(events, StoreFailed)} <= {
        ErrorCode.STORE_FULL,
        ErrorCode.STORE_READ_ONLY,
    }
    assert of(events, StoreFailed)


async def test_a_disk_that_fills_up_in_a_unit_does_not_stop_delivery(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    partial = tmp_path / "store" / "partial" / made.manifest.units[-1].id
    with Faults(partial, 4, Fault.FULL).installed() as faults:
        async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
            await delivery.complete()
            assert await delivery.rebuild() == made.models[0]
    assert faults.names[4] == "pwrite"
    (failed, *_) = of(events, StoreFailed)
    assert failed.error.code is ErrorCode.STORE_FULL


async def test_a_partial_unit_that_cannot_be_opened_does_not_stop_delivery(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    entry = made.manifest.units[-1]
    (tmp_path / "store" / "partial" / entry.id / "in the way").mkdir(parents=True)
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
        await delivery.complete()
        assert of(events, StoreFailed)
        assert await delivery.rebuild() == made.models[0]


async def test_a_store_on_a_read_only_disk_is_gone_without(
    made: Published, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.base()
    refuse(monkeypatch, tmp_path / "store", os.O_WRONLY | os.O_RDWR, errno.EROFS)
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
        await delivery.complete()
        assert await delivery.rebuild() == made.models[0]
        (failed,) = of(events, StoreFailed)
        assert failed.error.code is ErrorCode.STORE_READ_ONLY


async def test_rollback_is_refused_even_when_the_disk_has_become_read_only(
    made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = published(1, 2).write(tmp_path / "new")
    old = made.write(tmp_path / "old")
    async with delivering(repo, published(1, 2), store=tmp_path / "store"):
        pass
    refuse(monkeypatch, tmp_path / "store", os.O_WRONLY | os.O_RDWR, errno.EROFS)
    root = published(1, 2).root
    with pytest.raises(TrustError):
        async with Delivery.open(str(old), NAME, root=root, store=tmp_path / "store"):
            pass


async def test_metadata_that_a_full_disk_does_not_take_is_kept_elsewhere(
    made: Published, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    refuse(monkeypatch, store / "metadata", os.O_CREAT, errno.ENOSPC)
    async with delivering(repo, made, store=store) as (delivery, events):
        await delivery.complete()
        assert await delivery.rebuild() == made.models[0]
    (failed,) = of(events, StoreFailed)
    assert failed.error.code is ErrorCode.STORE_FULL


async def test_a_store_that_is_a_file_is_refused(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(StoreError):
        async with delivering(repo, made, store=tmp_path / "store"):
            pass
