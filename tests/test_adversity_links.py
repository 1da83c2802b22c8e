"""The real client over real sockets that a proxy breaks: an exact model or a clear error.

MIDSTREAM_SEEDS says over how many links of each kind; `tox -e break-it` takes hundreds.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midstream import CheckFailed, Model, connect
from midstream.client import Delivery
from midstream.errors import DataError, MidstreamError, TransportError
from midstream.limits import Limits
from midstream.origin import serve
from midstream.origin.casting import Carousel
from midstream.session import Event
from midstream.testing import FakeBackend, LinkFaults, tcp_proxy, udp_proxy
from midstream.transport.datagrams import Address, open_outlet
from published import NAME, Published, published
from test_transport_carousel import free_port
from waiting import IN_TIME

pytestmark = pytest.mark.once

SEEDS = int(os.environ.get("MIDSTREAM_SEEDS", "2"))
QUICK = Limits(attempts=3, connect_timeout=0.5, read_timeout=0.3)
MILD = LinkFaults(damage=0.02, reset=0.01, delay=0.001, split=700)
FAULTS: dict[str, dict[str, Any]] = {
    "loss": {"loss": 0.02},
    "damage": {"damage": 0.05},
    "reorder": {"reorder": 0.02},
    "duplicate": {"duplicate": 0.02},
    "delay": {"delay": 0.004},
    "split": {"split": 1},
    "stall": {"stall": 0.01},
    "reset": {"reset": 0.02},
}


@pytest.fixture(scope="module")
def repo(made: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write(tmp_path_factory.mktemp("links") / "repo")


def any_faults(seed: int) -> LinkFaults:
    """Some of them at once, seldom to often."""
    rng = random.Random(seed)
    names = ("loss", "damage", "reorder", "duplicate", "stall", "reset")
    rates = {name: rng.choice([0, 0, 0.002, 0.02, 0.2]) for name in names}
    split = rng.choice([40, 400, 1460, 8000])
    return LinkFaults(seed=seed, delay=rng.choice([0, 0.001]), split=split, **rates)


async def outcome(url: str, made: Published, **more: Any) -> str:
    """What becomes of a client's whole run: the exact model, or the error's code."""
    async with asyncio.timeout(IN_TIME):
        try:
            async with Delivery.open(url, NAME, root=made.root, limits=QUICK, **more) as delivery:
                await delivery.complete()
                assert bytes(await delivery.rebuild()) == made.models[-1]
        except (TransportError, DataError) as error:
            is_clear = 0 < len(error.message) < 400 and "\n" not in error.message
            return error.code.name if is_clear else f"not clear: {error}"
    return "exact"


def report(what: str, outcomes: Counter[str]) -> None:
    """How often which outcome was met, for those who look (`pytest -s`)."""
    print(f"{what}: {dict(outcomes)}")  # noqa: T201
    assert not [name for name in outcomes if name.startswith("not clear")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_fault_at_a_time_is_survived(fault: str, made: Published, repo: Path) -> None:
    """Most of these links are good enough for the model; a stall costs patience alone."""
    outcomes: Counter[str] = Counter()
    async with serve(repo) as url:
        for seed in range(max(1, SEEDS // 4)):
            async with tcp_proxy(url, LinkFaults(seed=seed, **FAULTS[fault])) as proxy:
                outcomes[await outcome(proxy.url, made)] += 1
    report(fault, outcomes)
    if fault in ("delay", "split"):
        assert set(outcomes) == {"exact"}, "nothing was lost"


async def test_all_faults_at_once_are_survived(made: Published, repo: Path) -> None:
    outcomes: Counter[str] = Counter()
    async with serve(repo) as url:
        for seed in range(SEEDS):
            upward = any_faults(-seed - 1) if seed % 4 == 3 else LinkFaults()
            async with tcp_proxy(url, any_faults(seed), upward=upward) as proxy:
                outcomes[await outcome(proxy.url, made)] += 1
    report("all", outcomes)
    assert outcomes["exact"] > 0


@asynccontextmanager
async def casting(repo: Path, faults: LinkFaults) -> AsyncIterator[str]:
    """A carousel over a link with faults; gives the receiver's address."""
    address = f"udp://127.0.0.1:{free_port()}"
    async with (
        udp_proxy(address, faults) as proxy,
        open_outlet(Address.parse(proxy.address)) as outlet,
    ):

        async def send() -> None:
            for datagram in Carousel(repo, NAME, datagram_size=300).datagrams():
                await outlet.send(datagram)
                await asyncio.sleep(0)

        sending = asyncio.create_task(send())
        try:
            yield address
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


def bad_air(seed: int) -> LinkFaults:
    """A link for datagrams: they are lost, damaged, doubled, late, and silent for a while."""
    rng = random.Random(seed)
    names = ("loss", "damage", "reorder", "duplicate")
    rates = {name: rng.choice([0, 0.01, 0.1, 0.3]) for name in names}
    return LinkFaults(
        seed=seed, stall=rng.choice([0, 0.0005]), stall_seconds=0.1, delay=0.002, **rates
    )


@pytest.mark.parametrize("seed", range(max(1, SEEDS // 2)))
async def test_a_carousel_over_bad_air_brings_the_model(
    seed: int, made: Published, repo: Path
) -> None:
    async with casting(repo, bad_air(seed)) as address:
        assert await outcome(address, made) == "exact"


async def test_a_carousel_that_is_lost_leaves_the_origin(made: Published, repo: Path) -> None:
    limits = Limits(attempts=3, carousel_silence=0.2, read_timeout=0.5)
    async with (
        serve(repo) as url,
        tcp_proxy(url, MILD) as proxy,
        casting(repo, LinkFaults(loss=1.0)) as address,
        Delivery.open(proxy.url, NAME, root=made.root, carousel=address, limits=limits) as delivery,
    ):
        await delivery.complete()
        assert bytes(await delivery.rebuild()) == made.models[0]


async def is_complete(model: Model) -> bool:
    """Units that were given up are asked for again, after a while."""
    try:
        await model.complete()
    except MidstreamError:
        return False
    return True


@pytest.mark.parametrize("fault", ["loss", "damage", "stall", "reset"][: 1 if SEEDS < 8 else 4])
async def test_what_runs_runs_on_over_a_link_that_turns_bad(
    fault: str, made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.session.followed._RETRY_FAILED", 0.2)
    failures: list[Event] = []
    told = failures.append
    async with (
        serve(made.write(tmp_path / "repo")) as url,
        tcp_proxy(url, MILD) as proxy,
        connect(
            proxy.url,
            NAME,
            root=made.root,
            backend=FakeBackend(),
            poll=0.05,
            limits=QUICK,
            on_event=lambda event: told(event) if isinstance(event, CheckFailed) else None,
        ) as model,
        asyncio.timeout(IN_TIME),
    ):
        await model.complete()
        model.swap()
        before = decide(model)
        proxy.faults = LinkFaults(split=200, **{fault: 1.0})
        published(1, 2).write(tmp_path / "repo")
        failures.clear()
        while not failures:
            assert decide(model) == before
            await asyncio.sleep(0.01)
        assert decide(model) == before
        proxy.faults = MILD
        while model.manifest.release != 2 or not await is_complete(model):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert decide(model) == before  # until the player swaps


def decide(model: Model) -> bytes:
    with model.pin() as network:
        return network.run(np.ones((1, 4), "f4")).tobytes()
