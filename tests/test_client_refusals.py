"""What a client refuses is in its store's record, and `midstream log --store` shows it."""

import asyncio
import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import midstream
from adapting import connected, policy
from following import LADDER, delivering, resign, tuned
from midstream import Publisher
from midstream.cli.main import main
from midstream.client import CheckFailed, Delivery, StoreFailed
from midstream.client.refusing import Refusals
from midstream.errors import ErrorCode, MidstreamError, TransportError, TrustError
from midstream.publisher import FRESH, history
from midstream.store.refusals import Refusal, RefusalLog, of_store
from midstream.testing import FakeBackend, Fault
from midstream.trust.manifest import Extension
from midstream.trust.updates import TAG
from providing import Place
from published import NAME, signer
from waiting import IN_TIME

pytestmark = pytest.mark.once


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    publisher = Publisher(tmp_path / "repo", signer=signer())
    publisher.publish(tuned(1), name=NAME, ladder=LADDER)
    return tmp_path / "repo"


def kept(store: Path) -> list[tuple[str, int, str]]:
    found = of_store(store).read().refusals
    return [(one.what, one.release, one.error) for one in found]


async def test_a_malformed_list_of_updates_is_put_down(repo: Path, tmp_path: Path) -> None:
    described = history.manifest_of(repo, NAME, None)
    wrong = Extension(tag=TAG, value=b"\1")
    resign(repo, replace(described, release=2, extensions=(wrong,)))
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        await delivery.complete()
        assert await delivery.rebuild() == tuned(1)
    assert kept(tmp_path / "store") == [("update", 2, "BAD_LENGTH")]


async def test_metadata_that_is_refused_is_put_down(repo: Path, tmp_path: Path) -> None:
    """At the start, where that ends the run, and later, where it does not."""
    store = tmp_path / "store"
    root = (repo / "1.root.json").read_bytes()
    async with delivering(repo, store=store) as (delivery, _):
        (repo / "metadata/timestamp.json").write_bytes(b"{}")
        with pytest.raises(TrustError):
            await delivery.check()
    Publisher(tmp_path / "other", signer=midstream.Signer.generate()).publish(
        tuned(1), name=NAME, ladder="exact"
    )
    with pytest.raises(TrustError):
        async with Delivery.open(str(tmp_path / "other"), NAME, root=root, store=store):
            pass
    assert [what for what, _, _ in kept(store)] == ["metadata", "metadata"]


async def test_a_link_that_fails_refuses_nothing(repo: Path, tmp_path: Path) -> None:
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        (repo / "metadata/timestamp.json").unlink()
        with pytest.raises(TransportError):
            await delivery.check()
    assert kept(tmp_path / "store") == []


async def test_a_unit_that_cannot_be_repaired_is_put_down(repo: Path, tmp_path: Path) -> None:
    described = history.manifest_of(repo, NAME, None)
    for path in (repo / "units").glob(f"{described.units[1].id}*"):
        path.write_bytes(bytes(path.stat().st_size))
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        with pytest.raises(MidstreamError):
            await delivery.complete()
    assert kept(tmp_path / "store")[0][:2] == ("unit 1", 1)


async def test_a_generation_that_is_refused_is_put_down(repo: Path, tmp_path: Path) -> None:
    store, backend = tmp_path / "store", FakeBackend()
    root = repo / "1.root.json"
    async with midstream.connect(
        str(repo), NAME, root=root, store=store, backend=backend, background=False
    ) as live:
        await live.ready()
        backend.fault = Fault.LOADING
        await live.complete()
        assert live.generation is not None
    assert ("generation, layer 1", 1, "LOAD_FAILED") in kept(store)


async def test_adapters_that_are_refused_or_left_out_are_put_down(tmp_path: Path) -> None:
    place, store = Place(tmp_path / "repo"), tmp_path / "store"
    place.adapters.offer("net", [place.parcel("east"), place.parcel("north")])
    place.adapters.sign_policy("net", "city", policy("east", "north"))
    place.providers.revoke("net", "north")
    async with connected(place, store=store) as (live, _):
        await live.complete()
    async with connected(place, "no-such-policy", store=store) as (live, _):
        await live.complete()
    first, second = of_store(store).read().refusals
    assert (first.what, first.provider, first.error) == ("adapter", "north", "UNKNOWN_ROLE")
    assert (second.what, second.release, second.error) == ("adapters", 1, "NOT_FOUND")


async def test_the_command_that_merges_adapters_puts_down_too(tmp_path: Path) -> None:
    place, store = Place(tmp_path / "repo"), tmp_path / "store"
    words = ["fetch", str(place.folder), "net", "--root", str(place.folder / "1.root.json")]
    words += ["-o", str(tmp_path / "model"), "--store", str(store), "--adapters", "city"]
    assert await in_thread(words) == 1
    assert kept(store) == [("adapters", 1, "NOT_FOUND")]


async def in_thread(words: list[str]) -> int:
    """Type a command, which has a loop of its own."""
    return await asyncio.to_thread(main, words)


async def test_refusals_are_written_off_the_loop(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    add = RefusalLog.add

    def noted(log: RefusalLog, refusals: Iterable[Refusal]) -> None:
        threads.append(threading.current_thread())
        add(log, refusals)

    monkeypatch.setattr(RefusalLog, "add", noted)
    async with delivering(repo, store=tmp_path / "store") as (delivery, _):
        (repo / "metadata/timestamp.json").write_bytes(b"{}")
        with pytest.raises(TrustError):
            await delivery.check()
    assert threads
    assert threading.main_thread() not in threads


async def test_a_record_that_cannot_be_written_stops_nothing(repo: Path, tmp_path: Path) -> None:
    """[DEL-30]"""
    store = tmp_path / "store"
    (store / "refused.jsonl").mkdir(parents=True)
    publisher = Publisher(repo, signer=signer())
    publisher.publish(tuned(2), name=NAME, ladder=LADDER, updates=FRESH)
    described = history.manifest_of(repo, NAME, None)
    resign(repo, replace(described, release=3, extensions=(Extension(tag=TAG, value=b"\1"),)))
    async with delivering(repo, store=store) as (delivery, events):
        await delivery.complete()
        assert await delivery.rebuild() == tuned(2)
    (failed,) = [event for event in events if isinstance(event, StoreFailed)]
    assert failed.error.code is ErrorCode.STORE_IO


async def test_refusals_wait_together_for_a_record_that_another_process_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DEL-30] However many there are, the end of a run waits for two turns at most."""
    held = threading.Event()
    written: list[list[str]] = []

    def wait(_: RefusalLog, refusals: Iterable[Refusal]) -> None:
        held.wait(IN_TIME)
        written.append([one.message for one in refusals])

    monkeypatch.setattr(RefusalLog, "add", wait)
    async with Refusals.kept(RefusalLog(tmp_path / "log"), NAME, lambda _: None) as refusals:
        for number in range(1200):
            error = TrustError(ErrorCode.ROLLBACK, str(number))
            refusals.note(CheckFailed(error=error))
            await asyncio.sleep(0)
        held.set()
    first, rest = written
    assert first[0] == "0"
    assert (len(rest), rest[-1]) == (1000, "1199")


def test_the_log_shows_what_a_client_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    (store / "metadata").mkdir(parents=True)
    words = ["log", "net", "--store", str(store)]
    assert main(words) == 0
    assert "refused nothing" in capsys.readouterr().out
    of_store(store).add(
        Refusal(at="2026-05-01T12:00:00+00:00", network=network, release=3, what="update",
                error="WRONG_PARENT", message="for another model", times=2)
        for network in ("net", "other")
    )  # fmt: skip
    with (store / "refused.jsonl").open("ab") as file:
        file.write(b"{")
    assert main(words) == 0
    said = capsys.readouterr()
    assert "net, refused by clients of" in said.out
    assert "2026-05-01 12:00 │ update to release 3 │ for another model [WRONG_PARENT], 2 times" in (
        " ".join(said.out.split())
    )
    assert "1 damaged line" in said.err
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["network"] for one in found["refused_by_clients"]] == ["net"]


def test_the_log_shows_both_sides(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo.parent / "store" / "metadata").mkdir(parents=True)
    words = ["log", "--store", str(repo.parent / "store"), str(repo), NAME, "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["releases"]) == 1
    assert (found["refused"], found["refused_by_clients"]) == ([], [])


@pytest.mark.parametrize("words", [["net"], ["repo", "net", "more"], ["a", "b", "--store"]])
def test_wrong_use_is_said(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [str(tmp_path)] if words[-1] == "--store" else []
    assert main(["log", *words, *more]) == 2
    assert "expected REPO NETWORK" in capsys.readouterr().err or more
