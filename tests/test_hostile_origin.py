"""An origin that turns on its clients: each attack is one clear error, and what runs runs on.

A player runs release 1. Then its origin offers release 2 and attacks, with every file or with
units alone. The attack ends in bounded time and bytes, and when the origin is honest again,
release 2 comes.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from midstream import CheckFailed, Model, Publisher, Signer, connect
from midstream.errors import ErrorCode, MidstreamError
from midstream.limits import Limits
from midstream.session import Event, UnitFailed
from midstream.testing import FakeBackend
from models import mlp
from origins import DRIP, ENDLESS, HANG, Asked, Behaviour, Origin, for_units, origin
from published import NAME, published
from waiting import IN_TIME, until

LIMITS = Limits(attempts=2, metadata_size=1 << 20, bundle_size=1 << 20)
QUICK = replace(LIMITS, connect_timeout=0.4, read_timeout=0.2, least_throughput=1000.0)
"""For what ends by these alone."""
HAS_HEAD_LIMIT = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 13)
"""Whether aiohttp gives up a head that does not end; before, whoever sends it does."""
BOMB = gzip.compress(bytes(64 << 20), 1)


def never_end(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + ENDLESS


def never_end_in_chunks(asked: Asked) -> bytes:
    """One chunk that is announced to be as good as endless."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"7fffffffffff\r\n" + ENDLESS


def announce_an_exabyte(asked: Asked) -> bytes:
    return asked.say(b"", length=1 << 60) + ENDLESS


def announce_more_than_comes(asked: Asked) -> bytes:
    return asked.say(asked.data[asked.start : asked.stop][:-1], length=len(asked.data) + 1)


def drip(asked: Asked) -> bytes:
    return asked.say(b"", length=asked.stop - asked.start) + DRIP


def drip_a_head(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nX: " + DRIP


def drip_a_chunk(asked: Asked) -> bytes:
    """The size of a chunk, with an extension (RFC 9112 7.1.1) that never ends: no body comes."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + DRIP


def drip_a_failure(asked: Asked) -> bytes:
    """The body of a failure, which nobody needs."""
    return b"HTTP/1.1 404 Not Found\r\nContent-Length: 4000\r\n\r\n" + DRIP


def never_end_a_head(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000


def announce_an_answer_again_and_again(asked: Asked) -> bytes:
    """Interim answers (RFC 9110 15.2), and never a last one."""
    return b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + HANG


def send_a_bomb(asked: Asked) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    return head.encode() + BOMB


def send_a_bomb_unasked(asked: Asked) -> bytes:
    """The same as the file itself."""
    return asked.say(BOMB, length=len(BOMB), status="200 OK")


def send_what_another_network_has(asked: Asked) -> bytes:
    """Units of its own, each well-formed, of the length that is announced."""
    others = [data for path, data in published(7, 8).files.items() if path.startswith("units/")]
    data = (max(others, key=len) * 9)[: len(asked.data)]
    return Asked(asked.path, asked.start, asked.stop, data, asked.is_range, 1).honest()


@dataclass
class Attacked:
    """A player, its origin, and what it was told."""

    model: Model
    served: Origin
    events: list[Event] = field(default_factory=list)

    async def error(self, kind: type[CheckFailed] | type[UnitFailed]) -> MidstreamError:
        """The first of a kind."""
        await until(lambda: any(type(event) is kind for event in self.events))
        errors: list[Any] = [event for event in self.events if type(event) is kind]
        return errors[0].error

    async def completes(self) -> None:
        """Units that were given up are asked for again, after a while."""
        async with asyncio.timeout(IN_TIME):
            while not await self.is_complete():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def is_complete(self) -> bool:
        try:
            await self.model.complete()
        except MidstreamError:
            return False
        return True

    def decide(self) -> bytes:
        with self.model.pin() as network:
            return network.run(np.ones((1, 4), "f4")).tobytes()


@asynccontextmanager
async def attacked(
    monkeypatch: pytest.MonkeyPatch, limits: Limits = LIMITS
) -> AsyncIterator[Attacked]:
    monkeypatch.setattr("midstream.session.followed._RETRY_FAILED", 0.2)
    made = published(1)
    events: list[Event] = []
    async with (
        origin(made.files, Asked.honest) as (url, served),
        connect(
            url,
            NAME,
            root=made.root,
            backend=FakeBackend(),
            poll=0.05,
            limits=limits,
            on_event=events.append,
        ) as model,
    ):
        player = Attacked(model, served, events)
        await player.completes()
        model.swap()
        yield player


async def heals(player: Attacked) -> None:
    """The origin is honest again, and what it offered comes."""
    player.served.behave = Asked.honest
    player.served.files = published(1, 2).files
    await until(lambda: player.model.manifest.release == 2)
    await player.completes()


CASES = [
    (never_end, ErrorCode.LONG_BODY, ErrorCode.LONG_BODY),
    (never_end_in_chunks, ErrorCode.LONG_BODY, ErrorCode.LONG_BODY),
    (announce_an_exabyte, ErrorCode.LONG_BODY, ErrorCode.BAD_STATUS),
    (announce_more_than_comes, ErrorCode.BAD_STATUS, ErrorCode.BAD_STATUS),
    (drip, ErrorCode.TIMEOUT, ErrorCode.TIMEOUT),
    (drip_a_head, ErrorCode.TIMEOUT, ErrorCode.TIMEOUT),
    (drip_a_chunk, ErrorCode.TIMEOUT, ErrorCode.TIMEOUT),
    (drip_a_failure, ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND),
    (never_end_a_head, ErrorCode.BAD_STATUS, ErrorCode.BAD_STATUS),
    (announce_an_answer_again_and_again, ErrorCode.TIMEOUT, ErrorCode.TIMEOUT),
    (send_a_bomb, ErrorCode.BAD_STATUS, ErrorCode.BAD_STATUS),
    (send_a_bomb_unasked, ErrorCode.LONG_BODY, ErrorCode.LONG_BODY),
    (send_what_another_network_has, ErrorCode.BAD_METADATA, ErrorCode.BAD_HASH),
]


@pytest.mark.parametrize("where", ["everything", "units"])
@pytest.mark.parametrize(
    ("behave", "of_check", "of_unit"), CASES, ids=[case[0].__name__ for case in CASES]
)
async def test_an_attack_is_one_clear_error_and_the_network_runs_on(
    behave: Behaviour,
    of_check: ErrorCode,
    of_unit: ErrorCode,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_slow = of_check is ErrorCode.TIMEOUT or behave is drip_a_failure
    limits = QUICK if is_slow else LIMITS
    async with attacked(monkeypatch, limits) as player:
        before, generation = player.decide(), player.model.generation
        sent = player.served.sent
        player.served.files = published(1, 2).files
        player.served.behave = behave if where == "everything" else for_units(behave)
        error = await player.error(CheckFailed if where == "everything" else UnitFailed)
        expected = {of_check if where == "everything" else of_unit}
        if behave is never_end_a_head and not HAS_HEAD_LIMIT:
            expected.add(ErrorCode.UNREACHABLE)
        assert error.code in expected
        assert len(error.message) < 300
        assert "\n" not in error.message
        assert player.served.sent - sent < 16 << 20
        assert player.decide() == before
        assert player.model.generation is generation
        await heals(player)
        assert player.decide() == before  # until the player swaps


async def test_nobody_is_asked_where_a_redirect_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """[DEL-2]"""
    news = published(1, 2).files
    async with origin(news, Asked.honest) as (url, elsewhere), attacked(monkeypatch) as player:
        before = player.decide()

        def send_elsewhere(asked: Asked) -> bytes:
            head = (
                f"HTTP/1.1 302 Found\r\nLocation: {url}/{asked.path}\r\nContent-Length: 0\r\n\r\n"
            )
            return head.encode()

        player.served.behave = send_elsewhere
        error = await player.error(CheckFailed)
        player.served.files, player.served.behave = news, for_units(send_elsewhere)
        of_unit = await player.error(UnitFailed)
        assert [error.code, of_unit.code] == [ErrorCode.BAD_STATUS] * 2
        assert url in error.message
        assert elsewhere.asked == []
        assert player.decide() == before
        await heals(player)


async def test_old_metadata_is_a_rollback_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with attacked(monkeypatch) as player:
        old = player.served.files
        await heals(player)
        player.model.swap()
        before, generation = player.decide(), player.model.generation
        player.served.files = old
        error = await player.error(CheckFailed)
        assert error.code is ErrorCode.ROLLBACK
        assert player.model.manifest.release == 2
        assert player.decide() == before
        assert player.model.generation is generation


def published_by_another(folder: Path) -> dict[str, bytes]:
    publisher = Publisher(folder, signer=Signer(bytes(32)))
    for seed in (3, 4, 5):
        publisher.publish(mlp((4, 8, 2), seed=seed), name=NAME, ladder="exact")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


async def test_a_repository_of_other_keys_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Well-formed in all, and newer: but not by the keys that are trusted."""
    files = published_by_another(tmp_path)
    async with attacked(monkeypatch) as player:
        before = player.decide()
        player.served.files = files
        error = await player.error(CheckFailed)
        assert error.code is ErrorCode.BAD_SIGNATURE
        assert player.model.manifest.release == 1
        assert player.decide() == before
        await heals(player)
