"""New releases for a network that runs: when they take its place, and when not."""

import asyncio
from pathlib import Path

import pytest

from delivering import of
from living import live
from midstream import (
    CheckFailed,
    GenerationRefused,
    GenerationStaged,
    Policy,
    Publisher,
)
from midstream.errors import TrustError
from midstream.publisher import FRESH
from midstream.testing import FakeBackend, Fault
from models import mlp
from published import NAME, SIZES, Published, published, signer
from waiting import IN_TIME, until


async def test_a_new_release_is_followed(made: Published, tmp_path: Path) -> None:
    news = published(1, 2)
    repo = made.write(tmp_path / "repo")
    async with live(repo, made, poll=0.05) as (model, _):
        await model.complete()
        model.swap()
        news.write(repo)
        await until(lambda: model.delivery.releases[0] == 2)
        await model.complete()
        generation = model.swap()
        assert generation is not None
        assert (generation.release, generation.layer) == (2, news.manifest.units[-1].layer)


async def test_a_new_release_waits_until_it_is_as_good(made: Published, tmp_path: Path) -> None:
    news = published(1, 2, updates=FRESH)
    repo = made.write(tmp_path / "repo")
    async with live(repo, made, background=False) as (model, _):
        await model.complete()
        model.swap()
        news.write(repo)
        assert await model.check()
        await model.delivery.base()
        assert not await model.stage()
        await model.complete()
        assert model.swap() is not None


async def test_the_base_of_a_new_release_is_as_good_as_the_old_base(
    made: Published, tmp_path: Path
) -> None:
    news = published(1, 2)
    repo = made.write(tmp_path / "repo")
    async with live(repo, made, background=False, policy=Policy(max_layer=0)) as (model, _):
        await model.ready()
        news.write(repo)
        assert await model.check()
        await model.delivery.base()
        assert await model.stage()
        generation = model.swap()
        assert generation is not None
        assert generation.release == 2


async def test_a_run_may_see_any_number_of_releases_and_holds_the_last_ones(
    made: Published, tmp_path: Path
) -> None:
    repo = made.write(tmp_path / "repo")
    async with live(repo, made, background=False) as (model, _):
        await model.complete()
        model.swap()
        for seed in (2, 3, 4):
            model_file = mlp(SIZES, seed=seed)
            publisher = Publisher(repo, signer=signer())
            publisher.publish(model_file, name=NAME, ladder=("2.5b", "exact"), updates=FRESH)
            assert await model.check()
            await model.delivery.base()
            assert not await model.stage()  # the one that it is compared with may be long past
        assert model.delivery.releases == [4, 3, 2]
        assert model.generation is not None
        assert model.generation.release == 1
        await model.complete()
        assert model.swap() is not None
        assert await model.delivery.rebuild() == model_file


async def test_a_release_that_is_refused_leaves_the_old_one(
    made: Published, tmp_path: Path
) -> None:
    news = published(1, 2)
    repo = made.write(tmp_path / "repo")
    backend = FakeBackend()
    async with live(repo, made, background=False, backend=backend) as (model, events):
        await model.complete()
        old = model.swap() or model.generation
        news.write(repo)
        await model.check()
        backend.fault = Fault.NOT_FINITE
        await model.complete()
        assert model.generation == old
        assert of(events, GenerationRefused)[-1].release == 2


async def test_a_look_that_fails_is_an_event(made: Published, repo: Path) -> None:
    async with live(repo, made, poll=0.05) as (model, events):
        await model.ready(IN_TIME)
        (repo / "metadata/timestamp.json").write_bytes(b"{}")
        (repo / "metadata/timestamp.json.repair").unlink()
        await until(lambda: bool(of(events, CheckFailed)))
        assert isinstance(of(events, CheckFailed)[0].error, TrustError)
        assert model.generation is not None


async def test_a_new_release_is_followed_after_staging_that_was_cancelled(
    made: Published, tmp_path: Path
) -> None:
    news = published(1, 2, updates=FRESH)
    repo, backend = made.write(tmp_path / "repo"), FakeBackend()
    async with live(repo, made, background=False, backend=backend) as (model, events):
        await model.ready()
        await model.delivery.complete()
        backend.load_seconds = 0.3
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await model.stage()
        assert [(one.release, one.layer) for one in of(events, GenerationStaged)][1:] == [
            (1, made.manifest.units[-1].layer)
        ]
        news.write(repo)
        assert await model.check()
        await model.delivery.base()
        assert not await model.stage()
        await model.complete()
        generation = model.swap()
        assert generation is not None
        assert generation.release == 2


async def test_a_player_that_did_not_wait_until_it_is_ready_may_wait_again(
    made: Published, repo: Path
) -> None:
    backend = FakeBackend(load_seconds=0.5)
    async with live(repo, made, background=False, backend=backend) as (model, _):
        await model.delivery.base()
        with pytest.raises(TimeoutError):
            await model.ready(0.1)
        generation = await model.ready(IN_TIME)
        assert (generation.number, generation.layer) == (1, 0)
