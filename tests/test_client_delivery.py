"""Units of a network from an origin to this process, without a runtime."""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from delivering import QUICK, delivering, of
from midstream import Publisher, Signer
from midstream.client import Delivery
from midstream.errors import (
    ErrorCode,
    MidstreamError,
    TransportError,
    TrustError,
    UsageError,
)
from midstream.origin import Impairments, serve
from midstream.session import (
    Event,
    Policy,
    SessionState,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from models import mlp
from published import NAME, Published, published
from staticservers import StaticServer


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


async def test_damaged_and_lost_bytes_are_repaired(made: Published, repo: Path) -> None:
    impairments = Impairments(loss=0.3, corrupt=0.9, seed=8)  # of seeds, one that can be repaired
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
