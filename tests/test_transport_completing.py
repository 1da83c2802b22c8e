"""What a carousel left, asked of an origin by ranges: whichever, however bad, and whoever lied."""

import asyncio
import functools
import http.server
import random
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from badserver import serving, sized
from carousels import QUICK, fetched, forged
from midstream.client import Delivery
from midstream.errors import ErrorCode, TransportError
from midstream.fec import grids
from midstream.origin import Impairments, serve
from midstream.origin.casting import Carousel
from midstream.session.datagrams import Datagram, ObjectKey, ObjectKind
from midstream.session.gathering import Gathered
from midstream.transport import Hints, open_transport
from midstream.transport.completing import Completion
from midstream.transport.folder import FolderTransport
from midstream.trust.manifest import UnitEntry
from published import NAME, Published, published
from waiting import IN_TIME


def until_cut(datagrams: Iterator[bytes], unit: UnitEntry, share: float) -> Iterator[bytes]:
    """A carousel that falls silent once a share of a unit's bytes has gone."""
    sent = 0
    for data in datagrams:
        one = Datagram.decode(data)
        sent += len(one.symbol) if one.key.id == unit.source_root[:8] else 0
        if sent > share * unit.size:
            return
        yield data


def asked_of(delivery: Delivery, unit: UnitEntry) -> int:
    """Bytes of a unit that came from the origin."""
    return sum(record.received for record in delivery.trace if record.path == unit.path)


@pytest.fixture(scope="module")
def wide() -> Published:
    """One whose last unit has a few blocks."""
    return published(3, ladder=("2.5b", "exact"), sizes=(96, 192, 160, 8))


@pytest.mark.parametrize(("loss", "most"), [(0.0, 0.32), (0.1, 0.5)])
async def test_what_came_before_a_cut_is_not_asked_of_the_origin(
    wide: Published, tmp_path: Path, loss: float, most: float
) -> None:
    repo, unit = wide.write(tmp_path / "repo"), wide.manifest.units[-1]
    datagrams = Carousel(repo, NAME).datagrams()
    async with serve(repo) as url:
        rng = random.Random(5)
        cut = until_cut(datagrams, unit, 0.7 / (1 - loss))
        came = (one for one in cut if rng.random() >= loss)
        model, delivery = await fetched(wide, came, url, limits=QUICK)
    assert model == wide.models[0]
    assert delivery.counters.damaged_packets == 0
    assert 0 < asked_of(delivery, unit) < most * unit.size


@contextmanager
def plain_server(folder: Path) -> Iterator[str]:
    """Python's own server, which knows no ranges."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def test_what_came_helps_at_an_origin_that_cuts_bodies_or_knows_no_ranges(
    wide: Published, tmp_path: Path
) -> None:
    repo, unit = wide.write(tmp_path / "repo"), wide.manifest.units[-1]
    for seed in range(2):
        cut = until_cut(Carousel(repo, NAME).datagrams(), unit, 0.7)
        async with serve(repo, impairments=Impairments(loss=0.4, seed=seed)) as url:
            model, _ = await fetched(wide, cut, url, limits=QUICK)
        assert model == wide.models[0]
    cut = until_cut(Carousel(repo, NAME).datagrams(), unit, 0.7)
    with plain_server(repo) as url:
        model, delivery = await fetched(wide, cut, url, limits=QUICK)
    assert model == wide.models[0]
    assert asked_of(delivery, unit) == unit.size


async def test_lies_before_a_cut_are_found_and_fetched_again(
    wide: Published, tmp_path: Path
) -> None:
    """[DEL-22]"""
    repo, unit = wide.write(tmp_path / "repo"), wide.manifest.units[-1]
    lies = forged(until_cut(Carousel(repo, NAME).datagrams(), unit, 0.5))
    async with serve(repo) as url:
        model, delivery = await fetched(wide, lies, url, limits=QUICK)
    assert model == wide.models[0]
    assert delivery.counters.damaged_packets > 0


DATA = bytes(range(256)) * 300
KEY = ObjectKey(kind=ObjectKind.UNIT, id=bytes(8), size=len(DATA) - 37, symbol_size=100)


def begun(share: float) -> Gathered:
    """The first symbols of each block, and some joint ones."""
    table, gathered = grids.encode(DATA[: KEY.size], KEY.grid), Gathered(KEY)
    for row in range(KEY.grid.blocks):
        for column in range(int(share * KEY.grid.source)):
            gathered.add(row, column, table[row, column].tobytes())
    for column in range(KEY.grid.columns, grids.COLUMNS):
        gathered.add(KEY.grid.blocks, column, table[KEY.grid.blocks, column].tobytes())
    return gathered


async def drained(completion: Completion) -> bytes:
    return b"".join([part async for part in completion.chunks()])


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, KEY.size), (12_345, KEY.size), (50, 150), (30_000, 60_001)]
)
async def test_any_part_is_given_in_order(
    tmp_path: Path, share: float, start: int, stop: int
) -> None:
    (tmp_path / "unit").write_bytes(DATA[: KEY.size])
    origin = FolderTransport(tmp_path)
    completion = Completion(begun(share), origin, "unit", start=start, stop=stop)
    assert await drained(completion) == DATA[start:stop]
    assert completion.is_over
    assert sum(record.received for record in origin.trace) <= (1 - share) * (stop - start) + 1200


async def test_the_origin_is_told_what_any_request_tells() -> None:
    hints = Hints(urgency=2)
    async with serving(sized("200 OK", body=DATA[: KEY.size])) as server:
        async with open_transport(server.url) as origin:
            completion = Completion(begun(0.4), origin, "unit", start=0, stop=KEY.size, hints=hints)
            assert await drained(completion) == DATA[: KEY.size]
        assert server.header("Priority") == "u=2"


async def test_blocks_are_given_before_later_ones_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "unit").write_bytes(DATA[: KEY.size])
    origin = FolderTransport(tmp_path)
    completion = Completion(begun(0.4), origin, "unit", start=0, stop=KEY.size)
    async with aclosing(completion.chunks()) as parts:
        async for part in parts:
            if part:
                break
    assert len(origin.trace) == 1
    assert not completion.is_over


async def test_an_origin_that_has_less_than_was_signed_for_is_told(tmp_path: Path) -> None:
    (tmp_path / "unit").write_bytes(DATA[:40_000])
    completion = Completion(begun(0.4), FolderTransport(tmp_path), "unit", start=0, stop=KEY.size)
    with pytest.raises(TransportError) as caught:
        await asyncio.wait_for(drained(completion), IN_TIME)
    assert caught.value.code in (ErrorCode.SHORT_BODY, ErrorCode.BAD_STATUS)
