"""A release over datagrams on loopback: lossy, hostile, silent, with and without an origin."""

import asyncio
import hashlib
import random
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from carousels import QUICK, fetched, forged, free_port, lossy, sending, small
from midstream import Publisher, Signer, connect
from midstream.client import Delivery
from midstream.errors import ErrorCode, TransportError, TrustError, UnavailableError, UsageError
from midstream.limits import Limits
from midstream.origin import serve
from midstream.origin.casting import Carousel, cast
from midstream.session.datagrams import Datagram, ObjectKey, ObjectKind
from midstream.testing import FakeBackend
from midstream.transport.carousel import CarouselTransport
from midstream.transport.datagrams import Address, open_inlet
from midstream.trust.updates import updates_of
from models import mlp
from published import NAME, SIZES, Published, published, signer
from waiting import IN_TIME

LOCAL = Address(host="127.0.0.1", port=0)


async def test_a_model_comes_over_a_carousel_that_loses_a_tenth(
    made: Published, repo: Path
) -> None:
    mangled = lossy(1, 0.1)(small(repo).datagrams())
    model, _ = await fetched(made, mangled)
    assert model == made.models[0]


@pytest.mark.parametrize("seed", range(3))
async def test_a_receiver_may_join_at_any_time(made: Published, repo: Path, seed: int) -> None:
    datagrams = small(repo).datagrams()
    late = islice(datagrams, random.Random(seed).randrange(5000), None)
    model, _ = await fetched(made, lossy(seed, 0.3)(late))
    assert model == made.models[0]


async def test_what_comes_over_the_carousel_is_not_asked_of_the_origin(
    made: Published, repo: Path
) -> None:
    async with serve(repo) as url:
        model, delivery = await fetched(made, small(repo).datagrams(), url)
    assert model == made.models[0]
    assert delivery.counters.damaged_packets == 0


async def test_what_the_carousel_does_not_bring_comes_from_the_origin(
    made: Published, repo: Path
) -> None:
    only_base = small(repo, layer=0).datagrams()
    async with serve(repo) as url:
        model, delivery = await fetched(made, only_base, url, limits=QUICK)
    assert model == made.models[0]
    assert [record.path for record in delivery.trace if record.path.startswith("units/")]


async def test_a_live_model_joins_a_carousel_and_takes_the_rest_from_the_origin(
    made: Published, repo: Path
) -> None:
    to = Address(host="127.0.0.1", port=free_port())
    async with (
        serve(repo) as url,
        sending(lossy(1, 0.1)(small(repo, layer=0).datagrams()), to),
        connect(
            url, NAME, root=made.root, carousel=str(to), backend=FakeBackend(), limits=QUICK
        ) as model,
    ):
        await model.ready(IN_TIME)
        await model.complete()
        assert bytes(await model.delivery.rebuild()) == made.models[0]
        asked = {record.path for record in model.trace}
    base, *finer = [entry.path for entry in made.manifest.units]
    assert asked.issuperset(finer)
    assert base not in asked  # the bundle, which opens the carousel, has it


async def test_a_live_model_that_cannot_listen_says_so_at_once(made: Published, repo: Path) -> None:
    with pytest.raises(UsageError) as caught:
        async with connect(str(repo), NAME, root=made.root, carousel="udp://nowhere"):
            pass
    assert caught.value.code is ErrorCode.BAD_URL


async def test_a_silent_carousel_costs_its_patience_once(made: Published, repo: Path) -> None:
    async with serve(repo) as url:
        model, _ = await fetched(made, iter(()), url, limits=QUICK)
    assert model == made.models[0]


async def test_a_silent_carousel_without_an_origin_is_a_timeout(made: Published) -> None:
    with pytest.raises(TransportError) as caught:
        await fetched(made, iter(()), limits=QUICK)
    assert caught.value.code is ErrorCode.TIMEOUT


async def test_a_lie_is_found_and_the_origin_repairs_it(made: Published, repo: Path) -> None:
    """[DEL-22]"""
    async with serve(repo) as url:
        model, delivery = await fetched(made, forged(small(repo).datagrams()), url)
    assert model == made.models[0]
    assert delivery.counters.damaged_packets > 0


async def test_a_bundle_of_other_keys_is_not_trusted(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    """[DEL-22]"""
    publisher = Publisher(tmp_path / "other", signer=Signer(bytes(32)))
    publisher.publish(made.models[0], name=NAME, ladder=("2.5b",))
    other = (tmp_path / "other/1.root.json").read_bytes()
    pinned = replace(made, files={**made.files, "1.root.json": other})
    with pytest.raises(TrustError):
        await fetched(pinned, small(repo).datagrams())


def between(*streams: Iterator[bytes]) -> Iterator[bytes]:
    for some in zip(*streams, strict=False):
        yield from some


async def test_packets_of_another_network_are_left_aside(
    made: Published, repo: Path, tmp_path: Path
) -> None:
    other = published(7, sizes=(8, 24, 4)).write(tmp_path / "other")
    (other / f"bundles/{NAME}.bundle").rename(other / "bundles/other.bundle")
    strangers = foreign(small(repo).datagrams())
    model, _ = await fetched(made, between(strangers, small(repo).datagrams()))
    assert model == made.models[0]


def foreign(datagrams: Iterator[bytes]) -> Iterator[bytes]:
    """The same under other ids, as another network's would be."""
    for data in datagrams:
        one = Datagram.decode(data)
        key = ObjectKey(
            kind=one.key.kind,
            id=bytes(byte ^ 0x55 for byte in one.key.id),
            size=one.key.size,
            symbol_size=one.key.symbol_size,
        )
        yield Datagram(key=key, row=one.row, column=one.column, symbol=one.symbol).encode()


def garbage(seed: int) -> Iterator[bytes]:
    """Half of it with a right check, of objects that never end."""
    rng = random.Random(seed)
    while True:
        yield rng.randbytes(rng.randrange(1400))
        key = ObjectKey(
            kind=rng.choice(list(ObjectKind)), id=rng.randbytes(8), size=1 << 26, symbol_size=200
        )
        yield Datagram(
            key=key, row=rng.randrange(1000), column=rng.randrange(200), symbol=bytes(200)
        ).encode()


async def test_endless_garbage_neither_fills_the_memory_nor_stops_a_model(
    made: Published, repo: Path
) -> None:
    """[DEL-21]"""
    mixed = between(garbage(1), garbage(2), small(repo).datagrams())
    model, _ = await fetched(made, mixed)
    assert model == made.models[0]
    transport = CarouselTransport(limits=Limits(carousel_memory=100_000))
    for data in islice(garbage(3), 4000):
        transport.receive(data)
        assert transport.memory <= 100_000
    assert transport.refused >= 1900


def empty_bundles() -> Iterator[bytes]:
    """Another bundle in each datagram, whole, of no network."""
    rng = random.Random(4)
    while True:
        content = b"MDB\x00\x00" + rng.randbytes(8)
        name = hashlib.sha256(content).digest()[:8]
        key = ObjectKey(kind=ObjectKind.BUNDLE, id=name, size=13, symbol_size=13)
        yield Datagram(key=key, row=0, column=0, symbol=content).encode()


async def test_a_flood_of_other_bundles_ends_in_a_question_to_the_origin(
    made: Published, repo: Path
) -> None:
    async with serve(repo) as url:
        model, delivery = await fetched(made, empty_bundles(), url, limits=QUICK)
    assert model == made.models[0]
    assert f"bundles/{NAME}.bundle" in [record.path for record in delivery.trace]


async def test_a_receiver_sends_nothing_to_whoever_sends_to_it() -> None:
    """[DEL-23]"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        arrived = asyncio.Event()
        async with open_inlet(LOCAL, lambda data: arrived.set()) as here:
            peer.sendto(b"anybody there?", (here.host, here.port))
            await asyncio.wait_for(arrived.wait(), IN_TIME)
        with pytest.raises(BlockingIOError):
            peer.recv(100)


async def test_a_sender_answers_nobody_and_keeps_to_its_rate(made: Published, repo: Path) -> None:
    """[DEL-24]"""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        to = Address(host="127.0.0.1", port=receiver.getsockname()[1])
        task = asyncio.create_task(cast(repo, NAME, to, rate=2e6))
        began = loop.time()
        first, sender = await asyncio.wait_for(loop.sock_recvfrom(receiver, 2000), IN_TIME)
        size = len(first)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            for word in (b"hello", first):
                stranger.sendto(word, sender)
                receiver.sendto(word, sender)
            for _ in range(40):
                size += len(await asyncio.wait_for(loop.sock_recv(receiver, 2000), IN_TIME))
            with pytest.raises(BlockingIOError):
                stranger.recv(100)
        took = loop.time() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert 8 * size <= 2e6 * (took + 0.02)


async def test_a_new_release_goes_round_once_its_bundle_is_there(
    made: Published, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.origin.casting._NEWS", 0.0)
    told: asyncio.Queue[Carousel] = asyncio.Queue()
    to = Address(host="127.0.0.1", port=free_port())
    task = asyncio.create_task(cast(repo, NAME, to, rate=1e6, on_carousel=told.put_nowait))
    await asyncio.wait_for(told.get(), IN_TIME)
    both = published(1, 2)
    both.write(repo)
    again = await asyncio.wait_for(told.get(), IN_TIME)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    updates = [update.unit for update in updates_of(both.manifest)]
    sizes = [entry.size for entry in (*both.manifest.units[1:], *updates)]
    assert again.size == len(both.files[f"bundles/{NAME}.bundle"]) + sum(sizes)


async def test_a_new_release_is_found_by_a_check_without_an_origin(
    made: Published, repo: Path
) -> None:
    to = Address(host="127.0.0.1", port=free_port())
    async with AsyncExitStack() as stack:
        before = await stack.enter_async_context(AsyncExitStack())
        await before.enter_async_context(sending(small(repo).datagrams(), to))
        delivery = await stack.enter_async_context(Delivery.open(str(to), NAME, root=made.root))
        await delivery.complete()
        assert not await delivery.check()
        await before.aclose()
        model = mlp(SIZES, seed=2)
        Publisher(repo, signer=signer()).publish(model, name=NAME, ladder=("2.5b", "exact"))
        await stack.enter_async_context(sending(small(repo).datagrams(), to))
        async with asyncio.timeout(IN_TIME):
            while not await delivery.check():
                pass
            await delivery.complete()
        assert bytes(await delivery.rebuild()) == model


async def test_a_group_is_heard_by_all_who_joined(made: Published, repo: Path) -> None:
    group = Address(host="239.255.77.1", port=free_port())
    heard: list[list[bytes]] = [[], []]
    arrived = [asyncio.Event(), asyncio.Event()]

    def take(at: int, data: bytes) -> None:
        heard[at].append(data)
        arrived[at].set()

    try:
        async with (
            open_inlet(group, lambda data: take(0, data)),
            open_inlet(group, lambda data: take(1, data)),
            sending(small(repo).datagrams(), group),
        ):
            for event in arrived:
                await asyncio.wait_for(event.wait(), IN_TIME)
    except (UnavailableError, TransportError) as error:
        pytest.skip(f"no multicast here: {error}")
    assert all(Datagram.decode(some[0]) for some in heard)


@pytest.mark.parametrize(
    "text", ["udp://", "udp://host:1", "http://127.0.0.1:1", "udp://127.0.0.1", "udp://[::1", "x"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Address.parse(text)


@pytest.mark.parametrize("text", ["udp://127.0.0.1:9", "udp://[ff02::1]:9", "udp://239.1.2.3:9"])
def test_an_address_comes_back(text: str) -> None:
    assert str(Address.parse(text)) == text
    assert Address.parse(text).is_group == ("127" not in text)


async def test_a_port_that_is_taken_is_told() -> None:
    async with open_inlet(LOCAL, lambda data: None) as taken:
        with pytest.raises(UnavailableError):
            async with open_inlet(taken, lambda data: None):
                pass


def test_a_damaged_unit_is_not_sent(made: Published, repo: Path) -> None:
    (repo / made.manifest.units[1].path).write_bytes(b"!" * made.manifest.units[1].size)
    with pytest.raises(TrustError, match="is not the unit"):
        small(repo)


@pytest.mark.parametrize("more", [{"datagram_size": 10}, {"datagram_size": 1 << 20}])
def test_datagrams_of_a_size_that_cannot_be_are_refused(repo: Path, more: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Carousel(repo, NAME, **more)


def test_a_network_that_is_not_there_is_told(repo: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Carousel(repo, "nobody")
    assert caught.value.code is ErrorCode.NOT_FOUND
