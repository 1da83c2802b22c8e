"""Units of a network from an origin to this process, without a runtime."""

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from faults import Fault, Faults
from midstream import Publisher, Signer
from midstream.client import Delivery, StoreFailed
from midstream.errors import (
    ErrorCode,
    MidstreamError,
    StoreError,
    TransportError,
    TrustError,
    UsageError,
)
from midstream.limits import Limits
from midstream.origin import Impairments, serve
from midstream.publisher import FRESH
from midstream.session import (
    Choice,
    Event,
    Link,
    Policy,
    SessionState,
    UnitChosen,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from midstream.store import Store
from models import mlp
from published import NAME, Published, published
from staticservers import StaticServer

QUICK = Limits(attempts=2, connect_timeout=2.0, read_timeout=0.5)


@asynccontextmanager
async def delivering(
    url: str | Path, made: Published, **more: Any
) -> AsyncIterator[tuple[Delivery, list[Event]]]:
    events: list[Event] = []
    async with Delivery.open(
        str(url), NAME, root=made.root, on_event=events.append, **more
    ) as delivery:
        yield delivery, events


def of(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if type(event) is kind]


async def test_a_model_comes_back_byte_for_byte(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    async with static_server(repo) as url, delivering(url, made) as (delivery, events):
        await delivery.complete()
        assert delivery.state is SessionState.COMPLETE
        assert await delivery.rebuild() == made.models[0]
        layers = [event.entry.layer for event in of(events, UnitVerified)]
        assert layers == [entry.layer for entry in made.manifest.units]


async def test_the_base_comes_with_the_bundle_in_one_request(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    async with static_server(repo) as url, delivering(url, made) as (delivery, _):
        await delivery.base()
        assert [record.path for record in delivery.trace] == [f"bundles/{NAME}.bundle"]
        assert delivery.layer_here(1) == 0


async def test_every_layer_is_a_model(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        await delivery.complete()
        for entry in made.manifest.units:
            model = await delivery.rebuild(entry.layer)
            assert len(model) == len(made.models[0])
            assert delivery.best_layer(entry.layer) == entry.layer


async def test_what_is_complete_is_all_here_in_each_turn_of_the_loop(
    made: Published, repo: Path
) -> None:
    last = made.manifest.units[-1].layer
    async with Delivery.open(str(repo), NAME, root=made.root) as delivery:
        fetching = asyncio.create_task(delivery.complete())
        while delivery.state is not SessionState.COMPLETE:  # noqa: ASYNC110 - each turn counts
            await asyncio.sleep(0)
        assert delivery.layer_here(made.manifest.release) == last
        await fetching


async def test_layers_above_the_policy_are_not_fetched(made: Published, repo: Path) -> None:
    async with delivering(repo, made, policy=Policy(max_layer=1)) as (delivery, _):
        await delivery.complete()
        assert delivery.best_layer() == 1
        assert delivery.is_last(1, 1)
        assert not delivery.is_last(1, 0)


async def test_the_last_layer_is_the_highest_where_all_are_wanted(
    made: Published, repo: Path
) -> None:
    highest = made.manifest.units[-1].layer
    async with delivering(repo, made) as (delivery, _):
        assert delivery.is_last(1, highest)
        assert not delivery.is_last(1, highest - 1)


async def test_fidelity_is_what_the_manifest_says(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        snrs = [entry.fidelity.weight_snr for entry in made.manifest.units]
        assert [delivery.fidelity(1, layer) for layer in range(len(snrs))] == snrs


async def test_nothing_can_be_made_before_the_base(made: Published, repo: Path) -> None:
    (repo / f"bundles/{NAME}.bundle").unlink()
    async with delivering(repo, made) as (delivery, _):
        assert delivery.layer_here(1) is None
        with pytest.raises(UsageError) as caught:
            await delivery.rebuild()
        assert caught.value.code is ErrorCode.BAD_STATE
        with pytest.raises(UsageError):
            delivery.units()


async def test_a_release_that_is_not_known_is_refused(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        for refused in (
            lambda: delivery.units(release=9),
            lambda: delivery.best_layer(release=9),
            lambda: delivery.is_last(9, 0),
            lambda: delivery.fidelity(9, 0),
        ):
            with pytest.raises(UsageError) as caught:
                refused()
            assert caught.value.code is ErrorCode.BAD_ARGUMENT
        assert delivery.layer_here(9) is None


async def test_a_model_that_is_not_the_one_signed_for_is_refused(
    made: Published, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with delivering(repo, made) as (delivery, _):
        await delivery.complete()
        other = replace(delivery.manifest, model_sha256=bytes(32))
        monkeypatch.setitem(delivery._held._manifests, other.release, other)
        with pytest.raises(TrustError) as caught:
            await delivery.rebuild()
        assert caught.value.code is ErrorCode.BAD_HASH
        assert await delivery.rebuild(0)


async def test_a_second_run_takes_everything_from_the_store(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    sizes = sum(entry.size for entry in made.manifest.units)
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == 0
    async with serve(repo) as url, delivering(url, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == sizes
        assert [record.path for record in delivery.trace] == ["metadata/timestamp.json"]
        assert await delivery.rebuild() == made.models[0]


async def test_a_second_run_asks_for_the_bundle_where_there_is_news(
    tmp_path: Path, made: Published
) -> None:
    news = published(1, 2)
    repo, store = made.write(tmp_path / "repo"), tmp_path / "store"
    async with delivering(repo, made, store=store) as (delivery, _):
        await delivery.complete()
    news.write(repo)
    async with delivering(repo, made, store=store) as (delivery, _):
        assert delivery.manifest.release == 2
        paths = [record.path for record in delivery.trace]
        assert paths == ["metadata/timestamp.json", f"bundles/{NAME}.bundle"]
        await delivery.complete()
        assert await delivery.rebuild() == news.models[1]


async def test_a_unit_that_rotted_in_the_store_is_fetched_again(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
    for file in (tmp_path / "store" / "units").iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert delivery.from_store == 0
        assert await delivery.rebuild() == made.models[0]


async def test_a_unit_that_cannot_be_read_from_the_store_is_fetched_again(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
    file = tmp_path / "store" / "units" / made.manifest.base.id
    file.unlink()
    file.mkdir()
    async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
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
    def refuse(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    async with delivering(repo, made, store=tmp_path / "store") as (delivery, events):
        monkeypatch.setattr(os, "fsync", refuse)
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
    opened = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(tmp_path / "store")) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
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
    opened = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(tmp_path / "store")) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    root = published(1, 2).root
    with pytest.raises(TrustError):
        async with Delivery.open(str(old), NAME, root=root, store=tmp_path / "store"):
            pass


async def test_metadata_that_a_full_disk_does_not_take_is_kept_elsewhere(
    made: Published, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    opened = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(str(store / "metadata")) and flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
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


async def test_damaged_and_lost_bytes_are_repaired(made: Published, repo: Path) -> None:
    impairments = Impairments(loss=0.3, corrupt=0.9, seed=2)  # of seeds, one that can be repaired
    async with (
        serve(repo, impairments=impairments) as url,
        delivering(url, made) as (delivery, events),
    ):
        await delivery.complete()
        assert await delivery.rebuild() == made.models[0]
        assert delivery.counters.repaired_packets
        assert of(events, UnitDamaged)


async def test_a_base_that_is_damaged_in_the_bundle_is_repaired(
    made: Published, repo: Path
) -> None:
    base = made.files[made.manifest.base.path]
    path = f"bundles/{NAME}.bundle"
    place = made.files[path].index(base)
    changed = bytearray(made.files[path])
    changed[place + 300] ^= 1
    (repo / path).write_bytes(changed)
    async with delivering(repo, made) as (delivery, _):
        await delivery.base()
        assert delivery.counters.repaired_packets == 1
        assert made.manifest.base.path not in [record.path for record in delivery.trace]


async def test_a_unit_that_is_not_there_ends_with_the_reason(made: Published, repo: Path) -> None:
    entry = made.manifest.units[1]
    for path in (entry.path, entry.hashes_path):
        (repo / path).unlink()
    async with delivering(repo, made, limits=QUICK) as (delivery, events):
        await delivery.base()
        with pytest.raises(TransportError) as caught:
            await delivery.complete()
        assert caught.value.code is ErrorCode.NOT_FOUND
        assert delivery.failure is caught.value
        assert len(of(events, UnitFailed)) == 1
        assert delivery.best_layer() == 0


async def test_a_base_that_is_not_there_ends_with_the_reason(made: Published, repo: Path) -> None:
    (repo / f"bundles/{NAME}.bundle").unlink()
    for path in (made.manifest.base.path, made.manifest.base.hashes_path):
        (repo / path).unlink()
    async with delivering(repo, made, limits=QUICK) as (delivery, _):
        with pytest.raises(TransportError):
            await delivery.base()
        assert delivery.state is SessionState.FAILED


async def test_a_unit_damaged_beyond_repair_ends_with_the_reason(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    entry = made.manifest.units[-1]
    (repo / entry.path).write_bytes(bytes(entry.size))
    store = tmp_path / "store"
    async with delivering(repo, made, store=store, limits=QUICK) as (delivery, _):
        with pytest.raises(MidstreamError) as caught:
            await delivery.complete()
        assert caught.value.code is ErrorCode.TOO_MANY_ERASURES
        assert not list((store / "partial").iterdir())


async def test_the_player_may_fetch_unit_by_unit(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, events):
        await delivery.base()
        fetched = []
        while (choice := delivery.choose()) is not None:
            assert await delivery.advance(choice)
            fetched.append(choice.unit)
        assert fetched == list(range(1, len(made.manifest.units)))
        assert delivery.state is SessionState.COMPLETE
        assert len(of(events, UnitChosen)) == len(fetched)


async def test_a_choice_stays_good_when_the_player_reports(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        choice = delivery.choose()
        assert choice is not None
        delivery.report(Link(buffer=12.0, throughput=1e6))
        assert await delivery.advance(choice)


async def test_a_unit_that_is_not_wanted_now_is_not_fetched(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        other = Choice(release=1, unit=2, size=1, reason="mine")
        assert not await delivery.advance(other)
        delivery.report(Link(buffer=1.0))
        assert delivery.choose() is None
        assert "below" in delivery.why_waiting()
        assert not await delivery.advance(Choice(release=1, unit=1, size=1, reason="mine"))
        delivery.report(Link())
        assert delivery.choose() is not None


async def test_a_unit_that_fails_under_the_player_is_said_to(made: Published, repo: Path) -> None:
    entry = made.manifest.units[1]
    for path in (entry.path, entry.hashes_path):
        (repo / path).unlink()
    async with delivering(repo, made, limits=QUICK) as (delivery, _):
        choice = delivery.choose()
        assert choice is not None
        assert not await delivery.advance(choice)


async def test_fetching_may_be_cancelled_and_goes_on_where_it_was(
    made: Published, repo: Path
) -> None:
    async with (
        serve(repo, impairments=Impairments(rate=20_000)) as url,
        delivering(url, made) as (delivery, _),
    ):
        patience = 0.1
        while (choice := delivery.choose()) is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(delivery.advance(choice), patience)
            patience *= 1.1  # so that it ends on a machine that is busy, too
        assert delivery.state is SessionState.COMPLETE
        assert await delivery.rebuild() == made.models[0]
        received = sum(r.received for r in delivery.trace if r.path.startswith("units/"))
        sizes = sum(entry.size for entry in made.manifest.units[1:])
        assert received < 1.5 * sizes


async def test_cancelling_is_not_swallowed(made: Published, repo: Path, tmp_path: Path) -> None:
    async with serve(repo, impairments=Impairments(delay=30)) as url:
        task = asyncio.create_task(_open_and_complete(url, made, tmp_path / "store"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with Store(tmp_path / "store"):  # nobody holds it any more
        pass


async def _open_and_complete(url: str, made: Published, store: Path) -> None:
    async with delivering(url, made, store=store) as (delivery, _):
        await delivery.complete()


async def test_a_look_for_news_may_be_cancelled(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    async with (
        serve(repo) as good,
        serve(repo, impairments=Impairments(delay=30)) as slow,
        delivering(good, made, store=tmp_path / "store") as (delivery, _),
    ):
        delivery._transport._base = slow  # type: ignore[attr-defined]
        task = asyncio.create_task(delivery.check())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_look_without_news_changes_nothing(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    async with static_server(repo) as url, delivering(url, made) as (delivery, _):
        assert not await delivery.check()
        assert delivery.releases == [1]


async def test_a_new_release_is_found_and_fetched(
    made: Published, repo: Path, static_server: StaticServer
) -> None:
    news = published(1, 2)
    async with static_server(repo) as url, delivering(url, made) as (delivery, _):
        await delivery.complete()
        news.write(repo)
        assert await delivery.check()
        assert delivery.releases == [2, 1]
        assert delivery.layer_here(2) is None
        await delivery.complete()
        assert await delivery.rebuild() == news.models[1]
        assert await delivery.rebuild(release=1) == made.models[0]


async def test_two_looks_at_once_are_no_error(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        assert await asyncio.gather(delivery.check(), delivery.check()) == [False, False]


async def test_units_that_releases_share_are_fetched_once(tmp_path: Path) -> None:
    made = published(1, 1)
    repo = published(1).write(tmp_path / "repo")
    async with delivering(repo, made) as (delivery, _):
        await delivery.complete()
        before = delivery.counters.requests
        made.write(repo)
        assert await delivery.check()
        await delivery.complete()
        assert delivery.counters.requests == before
        assert delivery.manifest.release == 2


async def test_units_of_releases_long_past_are_let_go(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    first = published(1)
    first.write(repo)
    async with delivering(repo, first) as (delivery, _):
        await delivery.complete()
        for seeds in [(1, 2), (1, 2, 3)]:
            published(*seeds).write(repo)
            assert await delivery.check()
            await delivery.complete()
        assert [delivery.layer_here(release) for release in delivery.releases] == [2, 2, None]
        with pytest.raises(UsageError):
            await delivery.rebuild(release=1)


async def test_another_root_is_refused(repo: Path, tmp_path: Path) -> None:
    other = Publisher(tmp_path / "other", signer=Signer(bytes(32)))
    other.publish(mlp((4, 8, 2)), name=NAME, ladder="exact")
    root = (tmp_path / "other" / "1.root.json").read_bytes()
    for wrong in (root, b"{}", b""):
        with pytest.raises(TrustError):
            async with Delivery.open(str(repo), NAME, root=wrong):
                pass


async def test_a_network_that_is_not_there_is_refused(made: Published, repo: Path) -> None:
    with pytest.raises(TrustError) as caught:
        async with Delivery.open(str(repo), "another", root=made.root):
            pass
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE


async def test_an_address_without_an_origin_ends_with_the_reason(made: Published) -> None:
    with pytest.raises(TransportError) as caught:
        async with Delivery.open("http://127.0.0.1:9", NAME, root=made.root, limits=QUICK):
            pass
    assert caught.value.code is ErrorCode.UNREACHABLE


async def test_after_the_end_nothing_is_fetched(made: Published, repo: Path) -> None:
    async with delivering(repo, made) as (delivery, _):
        await delivery.base()
    assert delivery.state is SessionState.CLOSED
    for refused in (delivery.complete(), delivery.step()):
        with pytest.raises(UsageError) as caught:
            await refused
        assert caught.value.code is ErrorCode.BAD_STATE
    with pytest.raises(UsageError):
        delivery.choose()


async def test_throughput_is_estimated_from_what_came(made: Published, repo: Path) -> None:
    async with (
        serve(repo, impairments=Impairments(rate=100_000)) as url,
        delivering(url, made) as (delivery, _),
    ):
        assert delivery.throughput is None
        await delivery.complete()
        assert delivery.throughput is not None
        assert 10_000 < delivery.throughput < 400_000
        assert delivery.bytes_received > sum(e.size for e in made.manifest.units)


async def test_a_callback_that_fails_is_the_caller_s_error(made: Published, repo: Path) -> None:
    def fail(event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with Delivery.open(str(repo), NAME, root=made.root, on_event=fail):
            pass


async def test_large_units_are_looked_at_in_a_thread(tmp_path: Path) -> None:
    made = published(1, ladder=("exact",), sizes=(64, 256, 64, 4))
    assert made.manifest.base.size > 1 << 16 or made.manifest.units[-1].size > 1 << 16
    repo = made.write(tmp_path / "repo")
    async with delivering(repo, made) as (delivery, _):
        await delivery.complete()
        assert hashlib.sha256(await delivery.rebuild()).digest() == made.manifest.model_sha256


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


async def test_a_player_is_told_when_models_had_the_link(made: Published, repo: Path) -> None:
    async with serve(repo) as url, delivering(url, made) as (delivery, _):
        began = time.monotonic()
        await delivery.complete()
        ended = time.monotonic()
        spans = delivery.busy()
        assert all(before[1] < after[0] for before, after in pairwise(spans))
        assert began > spans[0][0]  # the metadata came before
        assert spans[-1][1] <= ended
        for record in delivery.trace:
            assert any(span[0] <= record.began <= record.ended <= span[1] for span in spans)
        assert delivery.busy(since=ended) == []
        assert delivery.busy(since=spans[-1][1]) == spans[-1:]


async def test_a_request_under_way_has_the_link_until_now(made: Published, repo: Path) -> None:
    slow = Impairments(delay=0.2)
    async with serve(repo, impairments=slow) as url, delivering(url, made) as (delivery, _):
        await delivery.base()
        fetching = asyncio.create_task(delivery.complete())
        await until(lambda: not delivery.trace[-1].ended)
        now = time.monotonic()
        assert delivery.busy(since=now)[-1][1] >= now
        await fetching


async def test_units_come_in_parts_within_each_budget(tmp_path: Path) -> None:
    """[DEL-26] [DEL-27]"""
    made = published(1, sizes=(64, 256, 192, 8))
    async with (
        serve(made.write(tmp_path / "repo")) as url,
        delivering(url, made, policy=Policy(max_layer=2)) as (delivery, _),
    ):
        await delivery.base()
        while delivery.state is not SessionState.COMPLETE:
            before = delivery.counters.total
            delivery.report(Link(buffer=20.0, budget=20_000))
            while (choice := delivery.choose()) is not None:
                await delivery.advance(choice)
            assert 0 < delivery.counters.total - before <= 20_000
        parts = [r for r in delivery.trace if r.path.startswith("units/")]
        assert any(r.start and r.stop == r.start + 20_000 for r in parts)
        assert sum(r.received for r in parts) == sum(e.size for e in made.manifest.units[1:3])


async def test_a_unit_that_is_dropped_goes_on_where_it_was(tmp_path: Path) -> None:
    """[DEL-27]"""
    sizes = (64, 256, 192, 8)
    made, news = published(1, sizes=sizes), published(1, 2, sizes=sizes, updates=FRESH)
    repo, exact = made.write(tmp_path / "repo"), made.manifest.units[-1]
    async with (
        serve(repo) as url,
        delivering(url, made, store=tmp_path / "store", limits=QUICK) as (delivery, events),
    ):
        await delivery.base()
        while (choice := delivery.choose()) is not None:
            if choice.size == exact.size and not delivery.why_waiting():
                delivery.report(Link(buffer=20.0, budget=50_000))
            await delivery.advance(choice)
        news.write(repo)
        for path in (news.manifest.base.path, news.manifest.base.hashes_path):
            (repo / path).unlink()
        assert await delivery.check()
        delivery.report(Link())
        running = asyncio.create_task(delivery.run())
        await until(lambda: delivery.layer_here(1) == exact.layer)
        running.cancel()
        chosen = [(e.choice.release, e.choice.size) for e in of(events, UnitChosen)]
        assert chosen[-3:] == [(1, exact.size), (2, news.manifest.base.size), (1, exact.size)]
        first, last = [r for r in delivery.trace if r.path == exact.path]
        assert (first.received, last.start) == (50_000, 50_000)
        assert last.received == exact.size - 50_000
        assert delivery.from_store == 0
        assert await delivery.rebuild(release=1) == made.models[0]


async def test_a_report_of_a_low_buffer_stops_the_bytes_of_a_unit_under_way(
    tmp_path: Path,
) -> None:
    """[DEL-26]"""
    made = published(1, sizes=(64, 256, 192, 8))
    slow = Impairments(rate=100_000)
    async with (
        serve(made.write(tmp_path / "repo"), impairments=slow) as url,
        delivering(url, made, policy=Policy(max_layer=2)) as (delivery, events),
    ):
        await delivery.base()
        running = asyncio.create_task(delivery.run())
        largest = max(entry.size for entry in made.manifest.units)
        await until(lambda: any(e.choice.size == largest for e in of(events, UnitChosen)))
        before = delivery.bytes_received
        await until(lambda: delivery.bytes_received > before + 10_000)
        delivery.report(Link(buffer=1.0))
        await asyncio.sleep(0.3)
        rested = delivery.bytes_received
        await asyncio.sleep(0.3)
        assert delivery.bytes_received == rested
        assert delivery.why_waiting() == "buffer 1.0 s is below 8.0 s"
        assert delivery.choose() is None
        assert not of(events, UnitFailed)
        delivery.report(Link(buffer=20.0))
        await until(lambda: delivery.state is SessionState.COMPLETE)
        running.cancel()
        assert await delivery.rebuild() == made.models[0]
        sent = sum(entry.size for entry in made.manifest.units)
        bodies = sum(r.received for r in delivery.trace if r.path.startswith("units/"))
        assert bodies <= sent  # nothing came twice
