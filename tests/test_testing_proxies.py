"""Proxies that break what goes through them: each fault alone, and the same from the same seed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from midstream.errors import UsageError
from midstream.testing import FaultCounts, LinkFaults, TcpProxy, tcp_proxy, udp_proxy
from midstream.transport.datagrams import Address, open_inlet, open_outlet
from waiting import IN_TIME, until

CONTENT = bytes(range(256)) * 40
GOOD = LinkFaults(split=500)
LOCAL = Address(host="127.0.0.1", port=0)


@contextlib.asynccontextmanager
async def sending(content: bytes = CONTENT) -> AsyncIterator[str]:
    """A server that sends the same to everybody who says something, and hangs up."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if await reader.read(10):
                writer.write(content)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())


async def received(proxy: TcpProxy) -> tuple[bytes, bool]:
    """All that comes, and whether it ended by a reset."""
    host, port = proxy.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"!")
    found = b""
    try:
        async with asyncio.timeout(IN_TIME):
            while data := await reader.read(1000):
                found += data
    except ConnectionResetError:
        return found, True
    finally:
        writer.close()
    return found, False


async def carried(faults: LinkFaults) -> tuple[bytes, bool, FaultCounts]:
    async with sending() as url, tcp_proxy(url, faults) as proxy:
        return *await received(proxy), proxy.counts


async def test_a_link_without_faults_carries_all() -> None:
    found, is_reset, counts = await carried(GOOD)
    assert (found, is_reset) == (CONTENT, False)
    assert counts.pieces > len(CONTENT) / 500
    assert sum(asdict(counts).values()) == counts.pieces


async def test_a_stream_that_is_split_at_every_byte_arrives() -> None:
    async with sending(CONTENT[:300]) as url, tcp_proxy(url, LinkFaults(split=1)) as proxy:
        assert await received(proxy) == (CONTENT[:300], False)
        assert proxy.counts.pieces == 301  # and what was asked


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        ({"loss": 0.2}, "lost"),
        ({"damage": 0.2}, "damaged"),
        ({"reorder": 0.2}, "late"),
        ({"duplicate": 0.2}, "doubled"),
        ({"reset": 0.1}, "resets"),
    ],
)
async def test_a_fault_comes_as_often_and_where_the_seed_says(
    fault: dict[str, Any], count: str
) -> None:
    faults = replace(GOOD, seed=3, **fault)
    found, is_reset, counts = await carried(faults)
    assert getattr(counts, count) > 0
    assert found != CONTENT
    assert is_reset == (count == "resets")
    if count == "damaged":
        flipped = [a ^ b for a, b in zip(found, CONTENT, strict=True) if a != b]
        assert len(flipped) == counts.damaged
        assert all(one.bit_count() == 1 for one in flipped)
    if count != "resets":  # where a reset overtakes bytes on their way is the system's choice
        assert (await carried(faults))[0] == found
        assert (await carried(replace(faults, seed=4)))[0] != found


async def test_a_link_that_stalls_is_silent_and_open() -> None:
    async with sending() as url, tcp_proxy(url, replace(GOOD, stall=1.0)) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"!")
        assert await reader.read(1000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.1)
        assert proxy.open == 1
        writer.close()
        await until(lambda: not proxy.open)


async def test_a_delay_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with sending(b"abc") as url, tcp_proxy(url, LinkFaults(delay=0.02)) as proxy:
        assert await received(proxy) == (b"abc", False)
    assert loop.time() - began > 0.001


async def test_a_server_that_is_gone_is_a_reset() -> None:
    async with sending() as url:
        pass
    async with tcp_proxy(url, GOOD) as proxy:
        assert await received(proxy) == (b"", True)


async def test_what_is_asked_can_be_broken_too() -> None:
    async with sending() as url, tcp_proxy(url, GOOD, upward=LinkFaults(loss=1.0)) as proxy:
        asking = asyncio.create_task(received(proxy))
        await until(lambda: proxy.counts.lost == 1)
        await asyncio.sleep(0.1)
        assert not asking.done()
        asking.cancel()


async def test_faults_may_change_on_the_way() -> None:
    async with sending() as url, tcp_proxy(url, replace(GOOD, loss=1.0)) as proxy:
        assert await received(proxy) == (b"", False)
        proxy.faults = GOOD
        assert await received(proxy) == (CONTENT, False)
        assert proxy.connections == 2


async def passed(faults: LinkFaults, count: int = 400) -> tuple[list[bytes], FaultCounts]:
    """Datagrams as they arrive; the last ones are sent until one does."""
    found: list[bytes] = []
    arrived = asyncio.Event()

    def take(data: bytes) -> None:
        if data == b"end":
            arrived.set()
        elif not arrived.is_set():
            found.append(data)

    async with (
        open_inlet(LOCAL, take) as here,
        udp_proxy(str(here), faults) as proxy,
        open_outlet(Address.parse(proxy.address)) as outlet,
    ):
        for number in range(count):
            await outlet.send(number.to_bytes(2) * 20)
            await asyncio.sleep(0)
        while proxy.counts.pieces < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        counts = FaultCounts(**asdict(proxy.counts))
        proxy.faults = LinkFaults(stall_seconds=0)
        async with asyncio.timeout(IN_TIME):
            while not arrived.is_set():
                await outlet.send(b"end")
                await asyncio.sleep(0.01)
    return found, counts


SENT = [number.to_bytes(2) * 20 for number in range(400)]


async def test_datagrams_come_through() -> None:
    assert (await passed(LinkFaults()))[0] == SENT


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        ({"loss": 0.2}, "lost"),
        ({"damage": 0.2}, "damaged"),
        ({"reorder": 0.2}, "late"),
        ({"duplicate": 0.2}, "doubled"),
    ],
)
async def test_datagrams_meet_the_faults_of_their_seed(fault: dict[str, Any], count: str) -> None:
    faults = LinkFaults(seed=5, **fault)
    found, counts = await passed(faults)
    assert 40 < getattr(counts, count) < 120
    if count == "lost":
        assert found == [one for one in SENT if one in found]
        assert len(found) == 400 - counts.lost
    if count == "doubled":
        assert len(found) == 400 + counts.doubled
    if count == "late":
        assert sorted(found) == SENT
        assert found != SENT
    if count == "damaged":
        assert sum(one != two for one, two in zip(found, SENT, strict=True)) == counts.damaged
    assert (await passed(faults))[0] == found


async def test_datagrams_of_a_silence_are_lost() -> None:
    found, counts = await passed(LinkFaults(stall=1.0))
    assert found == SENT[:1]
    assert (counts.lost, counts.stalls) == (399, 1)


@pytest.mark.parametrize("wrong", [{"loss": 2.0}, {"reset": -0.1}, {"split": 0}, {"delay": -1.0}])
def test_faults_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LinkFaults(**wrong)


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://host"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        async with tcp_proxy(url, GOOD):
            pass
