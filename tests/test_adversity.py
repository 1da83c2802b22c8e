"""Origins that break their word and disks that break theirs, end to end.

Whatever comes, a client either has the very model that was signed for, or says in one error of
ours why not, and in bounded time.
"""

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from midstream import CheckFailed, Publisher, Signer, connect
from midstream.client import Delivery
from midstream.errors import ErrorCode, MidstreamError, TransportError, TrustError
from midstream.limits import Limits
from midstream.origin import Impairments, serve
from midstream.testing import FakeBackend
from midstream.trust import bundle
from models import mlp
from origins import HANG, Asked, Behaviour, for_units, origin
from published import NAME, Published, published, signer
from waiting import IN_TIME, until

PATIENT = Limits(attempts=3)
QUICK = Limits(attempts=3, connect_timeout=0.4, read_timeout=0.2)
"""For origins that stall, so that they are given up soon."""
BUNDLE = f"bundles/{NAME}.bundle"


def announce_more(asked: Asked) -> bytes:
    body = asked.data[asked.start : asked.stop]
    return asked.say(body, length=len(body) + 500)


def announce_less(asked: Asked) -> bytes:
    body = asked.data[asked.start : asked.stop]
    return asked.say(body, length=max(len(body) // 2, 1))


def ignore_ranges(asked: Asked) -> bytes:
    return Asked(asked.path, 0, len(asked.data), asked.data, False, 1).honest()


def hang_up_early(asked: Asked) -> bytes:
    half = max((asked.stop - asked.start) // 2, 300)
    return asked.say(asked.data[asked.start : asked.start + half])


def hang_up_once(asked: Asked) -> bytes:
    return hang_up_early(asked) if asked.count == 1 else asked.honest()


def stall_once(asked: Asked) -> bytes:
    if asked.count == 1:
        return hang_up_early(asked) + HANG
    return asked.honest()


def ignore_ranges_and_hang_up_once(asked: Asked) -> bytes:
    answer = ignore_ranges(asked)
    return answer[: len(answer) - 300] if asked.count == 1 else answer


def no_length(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + asked.data


def another_part(asked: Asked) -> bytes:
    if not asked.is_range:
        return asked.honest()
    extent = f"bytes {asked.start + 1}-{asked.stop}/{len(asked.data) + 1}"
    return asked.say(asked.data[asked.start : asked.stop], extent=extent)


def stall(asked: Asked) -> bytes:
    return HANG


def stall_in_the_body(asked: Asked) -> bytes:
    return asked.say(asked.data[asked.start : asked.start + 1]) + HANG


def hang_up(asked: Asked) -> bytes:
    return b""


def is_not_http(asked: Asked) -> bytes:
    return b"220 ftp.example.org ready\r\n\r\n"


def fail(asked: Asked) -> bytes:
    return asked.say(b"sorry", length=5, status="500 Internal Server Error")


def lack(asked: Asked) -> bytes:
    return asked.say(b"", length=0, status="404 Not Found")


def send_elsewhere(asked: Asked) -> bytes:
    return (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n"
        b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )


def never_end(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(1 << 20)


def send_zeros(asked: Asked) -> bytes:
    return asked.say(bytes(asked.stop - asked.start))


def limits_for(behave: Behaviour) -> Limits:
    return QUICK if behave in (stall, stall_once, stall_in_the_body) else PATIENT


async def fetch(url: str, made: Published, limits: Limits = PATIENT) -> Delivery:
    """A client's whole run, which ends."""
    async with (
        asyncio.timeout(IN_TIME),
        Delivery.open(url, NAME, root=made.root, limits=limits) as delivery,
    ):
        await delivery.complete()
        assert await delivery.rebuild() == made.models[-1]
        return delivery


@pytest.mark.parametrize(
    "behave",
    [
        ignore_ranges,
        ignore_ranges_and_hang_up_once,
        hang_up_early,
        hang_up_once,
        stall_once,
        no_length,
    ],
)
@pytest.mark.parametrize("where", ["units", "all"])
async def test_the_model_comes_whole_from_an_origin_that(
    behave: Behaviour, where: str, made: Published
) -> None:
    everywhere = behave if where == "all" else for_units(behave)
    async with origin(made.files, everywhere) as (url, _):
        await fetch(url, made, limits_for(behave))


def answer_a_part_as_the_whole(asked: Asked) -> bytes:
    body = asked.data[asked.start : asked.stop]
    return asked.say(body, length=len(body) + 500, status="200 OK")


@pytest.mark.parametrize("where", ["units", "all"])
@pytest.mark.parametrize("behave", [announce_more, announce_less, answer_a_part_as_the_whole])
async def test_a_lie_about_length_ends_in_time(
    behave: Behaviour, where: str, made: Published
) -> None:
    everywhere = behave if where == "all" else for_units(behave)
    async with origin(made.files, everywhere) as (url, served):
        with pytest.raises(TransportError):
            await fetch(url, made, limits_for(behave))
    assert len(served.asked) < 40


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (another_part, ErrorCode.BAD_STATUS),
        (stall, ErrorCode.TIMEOUT),
        (hang_up, ErrorCode.UNREACHABLE),
        (is_not_http, ErrorCode.BAD_STATUS),
        (fail, ErrorCode.BAD_STATUS),
        (lack, ErrorCode.NOT_FOUND),
        (send_elsewhere, ErrorCode.BAD_STATUS),
        (never_end, ErrorCode.LONG_BODY),
        (send_zeros, ErrorCode.BAD_HASH),
    ],
)
async def test_units_are_given_up_where_their_origin_does(
    behave: Behaviour, code: ErrorCode, made: Published
) -> None:
    async with origin(made.files, for_units(behave)) as (url, served):
        with pytest.raises(MidstreamError) as caught:
            await fetch(url, made, limits_for(behave))
    assert caught.value.code is code
    assert len(served.asked) < 40


@pytest.mark.parametrize(
    ("behave", "codes"),
    [
        (stall, {ErrorCode.TIMEOUT}),
        (stall_in_the_body, {ErrorCode.TIMEOUT, ErrorCode.BAD_METADATA}),
        (hang_up, {ErrorCode.UNREACHABLE}),
        (is_not_http, {ErrorCode.BAD_STATUS}),
        (fail, {ErrorCode.BAD_STATUS}),
        (lack, {ErrorCode.NOT_FOUND}),
        (send_elsewhere, {ErrorCode.BAD_STATUS}),
        (never_end, {ErrorCode.LONG_BODY, ErrorCode.BAD_METADATA}),
        (send_zeros, {ErrorCode.BAD_METADATA}),
    ],
)
async def test_nothing_is_opened_where_everything_does(
    behave: Behaviour, codes: set[ErrorCode], made: Published
) -> None:
    async with origin(made.files, behave) as (url, _):
        with pytest.raises(MidstreamError) as caught:
            await fetch(url, made, limits_for(behave))
    assert caught.value.code in codes


@pytest.mark.parametrize("seed", range(6))
async def test_a_bad_link_delivers_the_model(seed: int, tmp_path: Path) -> None:
    made = published(1, repair=1.0)
    repo = made.write(tmp_path / "repo")
    impairments = Impairments(loss=0.2, corrupt=0.6, seed=seed)
    async with serve(repo, impairments=impairments) as url:
        delivery = await fetch(url, made, Limits())
    assert delivery.state.name == "CLOSED"


async def test_any_static_web_server_will_do(made: Published, tmp_path: Path) -> None:
    repo = made.write(tmp_path / "repo")
    words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(  # noqa: ASYNC220 - it is up at once
        words, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            line = await asyncio.to_thread(server.stdout.readline)
            (url,) = re.findall(r"http://[\d.]+:\d+", line)
            await fetch(url, made, Limits())
        finally:
            server.kill()


async def test_a_folder_will_do_too(made: Published, tmp_path: Path) -> None:
    await fetch(str(made.write(tmp_path / "repo")), made)


async def test_a_root_of_other_keys_opens_nothing(made: Published, tmp_path: Path) -> None:
    Publisher(tmp_path / "other", signer=Signer(bytes(32))).publish(
        mlp((4, 8, 2)), name=NAME, ladder="exact"
    )
    other = (tmp_path / "other" / "1.root.json").read_bytes()
    async with origin(made.files, Asked.honest) as (url, _):
        with pytest.raises(TrustError) as caught:
            async with Delivery.open(url, NAME, root=other):
                pass
    assert caught.value.code is ErrorCode.BAD_SIGNATURE


async def test_a_bundle_that_is_stale_is_found_out_by_a_look(made: Published) -> None:
    news = published(1, 2)
    files = {**news.files, BUNDLE: made.files[BUNDLE]}
    async with (
        origin(files, Asked.honest) as (url, _),
        Delivery.open(url, NAME, root=news.root) as delivery,
    ):
        assert delivery.manifest.release == 1
        assert await delivery.check()
        await delivery.complete()
        assert await delivery.rebuild() == news.models[1]


async def test_a_bundle_that_is_stale_and_expired_is_gone_without(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=200)
    model = mlp((8, 16, 4))
    Publisher(tmp_path, signer=signer(), clock=lambda: past).publish(
        model, name=NAME, ladder="exact"
    )
    old = (tmp_path / BUNDLE).read_bytes()
    Publisher(tmp_path, signer=signer()).publish(model, name=NAME, ladder="exact")
    (tmp_path / BUNDLE).write_bytes(old)
    async with Delivery.open(
        str(tmp_path), NAME, root=(tmp_path / "1.root.json").read_bytes()
    ) as delivery:
        assert delivery.manifest.release == 2
        await delivery.complete()
        assert await delivery.rebuild() == model


async def test_metadata_that_has_expired_opens_nothing(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=200)
    Publisher(tmp_path, signer=signer(), clock=lambda: past).publish(
        mlp((8, 16, 4)), name=NAME, ladder="exact"
    )
    with pytest.raises(TrustError) as caught:
        async with Delivery.open(str(tmp_path), NAME, root=(tmp_path / "1.root.json").read_bytes()):
            pass
    assert caught.value.code is ErrorCode.EXPIRED


async def test_an_older_repository_is_refused_after_a_newer_one(
    made: Published, tmp_path: Path
) -> None:
    news = published(1, 2)
    new, old = news.write(tmp_path / "new"), made.write(tmp_path / "old")
    store = tmp_path / "store"
    async with Delivery.open(str(new), NAME, root=news.root, store=store) as delivery:
        await delivery.complete()
    with pytest.raises(TrustError) as caught:
        async with Delivery.open(str(old), NAME, root=news.root, store=store):
            pass
    assert caught.value.code is ErrorCode.ROLLBACK


def damaged(data: bytes, *places: int) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place : place + 8] = bytes(b ^ 0x5A for b in changed[place : place + 8])
    return bytes(changed)


async def test_damaged_metadata_is_repaired_by_its_parity(made: Published) -> None:
    files = {
        path: damaged(data, 40, len(data) // 2)
        if path.startswith(("metadata/", "targets/")) and not path.endswith(".repair")
        else data
        for path, data in made.files.items()
        if not path.startswith("bundles/")
    }
    async with origin(files, Asked.honest) as (url, _):
        await fetch(url, made)


async def test_metadata_damaged_beyond_its_parity_opens_nothing(made: Published) -> None:
    path = "metadata/timestamp.json"
    files = {**made.files, path: bytes(len(made.files[path]))}
    del files[BUNDLE]
    async with origin(files, Asked.honest) as (url, _):
        with pytest.raises(TrustError):
            await fetch(url, made)


@pytest.mark.parametrize("at", range(0, 5000, 450))
async def test_a_bundle_damaged_anywhere_is_gone_without(at: int, made: Published) -> None:
    files = {**made.files, BUNDLE: damaged(made.files[BUNDLE], at)}
    async with origin(files, Asked.honest) as (url, _):
        await fetch(url, made)


@pytest.mark.parametrize("size", [0, 3, 100, 2000, 6000])
async def test_a_bundle_that_ends_anywhere_gives_what_it_has(size: int, made: Published) -> None:
    files = {**made.files, BUNDLE: made.files[BUNDLE][:size]}
    async with origin(files, Asked.honest) as (url, _):
        await fetch(url, made)


async def test_a_bundle_of_another_network_s_files_is_of_no_use(made: Published) -> None:
    parts = bundle.decode(made.files[BUNDLE])
    swapped = dict(zip(parts, reversed(parts.values()), strict=True))
    files = {**made.files, BUNDLE: bundle.encode(swapped)}
    async with origin(files, Asked.honest) as (url, _):
        await fetch(url, made)


async def test_an_origin_that_goes_away_leaves_the_network_running(
    made: Published, tmp_path: Path
) -> None:
    events = []
    async with (
        origin(made.files, Asked.honest) as (url, served),
        connect(
            url,
            NAME,
            root=made.root,
            backend=FakeBackend(),
            poll=0.05,
            limits=PATIENT,
            on_event=events.append,
        ) as model,
    ):
        await model.complete()
        served.behave = hang_up
        await until(lambda: any(isinstance(event, CheckFailed) for event in events))
        assert model.swap() is not None
        with model.pin() as network:
            assert network.run(np.ones((1, 4), "f4")) is not None
        served.behave = Asked.honest
        served.files = published(1, 2).files
        await until(lambda: model.manifest.release == 2)
        await model.complete()


async def test_a_link_that_heals_brings_what_was_given_up(
    made: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.session.followed._RETRY_FAILED", 0.2)
    async with (
        origin(made.files, for_units(fail)) as (url, served),
        Delivery.open(url, NAME, root=made.root, limits=PATIENT) as delivery,
    ):
        with pytest.raises(TransportError):
            await delivery.complete()
        served.behave = Asked.honest
        await asyncio.sleep(0.2)
        await delivery.complete()
        assert await delivery.rebuild() == made.models[0]


async def test_units_that_change_between_requests_are_never_mixed(made: Published) -> None:
    """Half of a unit from one version, half of another: the hashes say which packets are good."""

    def behave(asked: Asked) -> bytes:
        if asked.count == 1:
            return hang_up_early(asked)
        other = Asked(asked.path, asked.start, asked.stop, bytes(len(asked.data)), True, 1)
        return other.honest()

    async with origin(made.files, for_units(behave)) as (url, _):
        with pytest.raises(MidstreamError):
            await fetch(url, made)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
async def test_a_player_plays_on_when_its_disk_is_full(made: Published, tmp_path: Path) -> None:
    parts = tmp_path / "store" / "partial"
    parts.mkdir(parents=True)
    for entry in made.manifest.units:
        (parts / entry.id).symlink_to("/dev/full")
    async with (
        origin(made.files, Asked.honest) as (url, _),
        connect(
            url, NAME, root=made.root, backend=FakeBackend(), store=tmp_path / "store"
        ) as model,
    ):
        await model.ready(IN_TIME)
        await model.complete()
        assert model.swap() is not None
