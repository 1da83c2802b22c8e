"""A network that runs while it gets better: generations, swaps, and what goes wrong."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delivering import of
from living import INPUTS, QUICK, live, lose
from midstream import (
    Event,
    GenerationRefused,
    GenerationStaged,
    GenerationSwapped,
    Model,
    SwapMode,
    connect,
)
from midstream.errors import ErrorCode, MidstreamError, RefusedError, UsageError
from midstream.origin import Impairments, serve
from midstream.session import SessionState
from midstream.testing import FakeBackend, Fault
from published import NAME, Published
from waiting import IN_TIME, until


async def test_the_base_runs_first(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, events):
        generation = await model.ready(IN_TIME)
        assert (generation.release, generation.layer) == (1, 0)
        with model.pin() as network:
            assert network.run(INPUTS).shape == (1, 2)
            assert network.layer == 0
        assert of(events, GenerationSwapped)[0].generation == generation


async def test_the_exact_model_runs_in_the_end(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, _):
        await model.ready(IN_TIME)
        await model.complete()
        generation = model.swap()
        assert generation is not None
        assert generation.layer == made.manifest.units[-1].layer
        assert generation.sha256 == made.manifest.model_sha256.hex()
        assert model.swap() is None


async def test_a_swap_is_the_player_s_by_default(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, _):
        first = await model.ready(IN_TIME)
        await model.complete()
        assert model.generation == first


async def test_a_swap_may_be_immediate(made: Published, repo: Path) -> None:
    async with live(repo, made, swap=SwapMode.IMMEDIATE) as (model, events):
        await model.complete()
        assert model.generation is not None
        assert model.generation.layer == made.manifest.units[-1].layer
        assert len(of(events, GenerationSwapped)) == len(of(events, GenerationStaged))


async def test_no_generation_is_staged_twice(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, events):
        await asyncio.gather(
            model.complete(), model.ready(IN_TIME), model.complete(), model.stage()
        )
        staged = [(event.release, event.layer) for event in of(events, GenerationStaged)]
        assert len(staged) == len(set(staged))
        assert not await model.stage()


async def test_the_player_may_fetch_and_stage_by_itself(made: Published, repo: Path) -> None:
    async with live(repo, made, background=False) as (model, events):
        await model.ready()
        while (choice := model.delivery.choose()) is not None:
            assert await model.delivery.advance(choice)
            assert await model.stage()
            assert model.swap() is not None
        layers = [event.layer for event in of(events, GenerationStaged)]
        assert layers == [entry.layer for entry in made.manifest.units]


async def test_complete_fetches_where_nothing_else_does(made: Published, repo: Path) -> None:
    async with live(repo, made, background=False) as (model, _):
        await model.complete()
        assert model.generation is not None  # the first is taken at once
        assert await model.ready() == model.generation


async def test_the_manifest_and_counters_are_at_hand(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, _):
        await model.complete()
        assert model.manifest == made.manifest
        assert model.counters.units_verified == len(made.manifest.units)
        assert model.trace[0].path == f"bundles/{NAME}.bundle"


async def test_infer_runs_off_the_loop(made: Published, repo: Path) -> None:
    async with live(repo, made, background=False) as (model, _):
        with pytest.raises(UsageError) as caught:
            await model.infer(INPUTS)
        assert caught.value.code is ErrorCode.NO_GENERATION
        await model.ready(IN_TIME)
        assert (await model.infer(INPUTS)).shape == (1, 2)


async def test_a_report_holds_the_rest_back(made: Published, repo: Path) -> None:
    async with live(repo, made, background=False) as (model, _):
        await model.ready()
        model.report(buffer=1.0)
        assert model.delivery.choose() is None
        model.report(buffer=30.0, throughput=1e6, budget=10)
        assert model.delivery.choose() is None
        model.report(buffer=30.0)
        assert model.delivery.choose() is not None


async def test_an_activation_makes_what_can_be_ready_come_first(
    made: Published, repo: Path
) -> None:
    async with live(repo, made, background=False) as (model, _):
        await model.ready()
        model.report(buffer=30.0, throughput=1e6)
        model.aim(within=60.0)
        choice = model.delivery.choose()
        assert choice is not None
        assert "on the way to layer" in choice.reason
        assert "that can come in time" in choice.reason
        model.aim(within=None)
        choice = model.delivery.choose()
        assert choice is not None
        assert "in time" not in choice.reason
        wrongs: tuple[Any, ...] = (-1.0, float("nan"), "text")
        for wrong in wrongs:
            with pytest.raises(UsageError) as caught:
                model.aim(within=wrong)
            assert caught.value.code is ErrorCode.BAD_ARGUMENT


async def test_the_time_that_staging_takes_counts_before_an_activation(
    made: Published, repo: Path
) -> None:
    async with live(repo, made, background=False) as (model, _):
        await model.ready()
        model.report(buffer=30.0, throughput=1e6)
        model.delivery.staged(61.0)
        model.aim(within=60.0)
        choice = model.delivery.choose()
        assert choice is not None
        assert "in time" not in choice.reason


async def test_complete_waits_for_the_player_s_leave(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, _):
        model.report(buffer=0.0)
        await model.ready(IN_TIME)
        waiting = asyncio.create_task(model.complete())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        model.report(buffer=20.0)
        await asyncio.wait_for(waiting, IN_TIME)


async def test_a_reverted_generation_does_not_come_back(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, events):
        first = await model.ready(IN_TIME)
        await model.complete()
        assert model.swap() is not None
        assert model.revert() == first
        assert not await model.stage()
        assert model.swap() is None
        assert model.generation == first
        assert of(events, GenerationSwapped)[-1].generation == first
        assert model.revert() is None


async def test_a_generation_after_a_reverted_one_is_staged(made: Published, repo: Path) -> None:
    async with live(repo, made, background=False) as (model, _):
        await model.ready()
        for _ in range(2):
            choice = model.delivery.choose()
            assert choice is not None
            await model.delivery.advance(choice)
            await model.stage()
            model.swap()
            model.revert()
        assert model.generation is not None
        assert model.generation.layer == 0


async def test_a_base_that_the_runtime_refuses_ends_ready(made: Published, repo: Path) -> None:
    backend = FakeBackend(fault=Fault.NOT_FINITE)
    async with live(repo, made, backend=backend) as (model, events):
        with pytest.raises(RefusedError) as caught:
            await model.ready(IN_TIME)
        assert caught.value.code is ErrorCode.SELF_TEST_FAILED
        assert of(events, GenerationRefused)
        with pytest.raises(UsageError):
            model.pin().__enter__()


@pytest.mark.parametrize("fault", [Fault.LOADING, Fault.RUNNING, Fault.SHAPE])
async def test_a_base_that_is_refused_ends_ready_without_a_background_too(
    made: Published, repo: Path, fault: Fault
) -> None:
    backend = FakeBackend(fault=fault)
    async with live(repo, made, backend=backend, background=False) as (model, _):
        for _ in range(2):
            with pytest.raises(RefusedError):
                await asyncio.wait_for(model.ready(), IN_TIME)


async def test_a_finer_layer_may_run_where_the_base_does_not(made: Published, repo: Path) -> None:
    backend = FakeBackend(fault=Fault.NOT_FINITE)
    async with live(repo, made, backend=backend, background=False) as (model, _):
        with pytest.raises(RefusedError):
            await model.ready()
        backend.fault = Fault.NONE
        await model.complete()
        generation = await model.ready()
        assert generation.layer == made.manifest.units[-1].layer


async def test_a_refused_layer_leaves_the_active_one(made: Published, repo: Path) -> None:
    backend = FakeBackend()
    async with live(repo, made, backend=backend, background=False) as (model, events):
        first = await model.ready()
        backend.fault = Fault.NOT_FINITE
        await model.complete()
        assert model.swap() is None
        assert model.generation == first
        (refused,) = of(events, GenerationRefused)
        assert refused.layer == made.manifest.units[-1].layer
        assert not await model.stage()
        assert len(of(events, GenerationRefused)) == 1


async def test_a_base_that_cannot_be_had_ends_ready(made: Published, repo: Path) -> None:
    lose(repo, made, 0)
    async with live(repo, made, limits=QUICK) as (model, _):
        for _ in range(2):
            with pytest.raises(MidstreamError) as caught:
                await asyncio.wait_for(model.ready(), IN_TIME)
            assert caught.value.code is ErrorCode.NOT_FOUND


async def test_a_unit_that_cannot_be_had_ends_complete(made: Published, repo: Path) -> None:
    lose(repo, made, 1)
    async with live(repo, made, limits=QUICK) as (model, _):
        assert await model.ready(IN_TIME)
        with pytest.raises(MidstreamError) as caught:
            await asyncio.wait_for(model.complete(), IN_TIME)
        assert caught.value.code is ErrorCode.NOT_FOUND
        assert await model.ready() == model.generation


async def test_ready_keeps_to_its_timeout(made: Published, repo: Path) -> None:
    may_load = threading.Event()

    class Held(FakeBackend):
        def load(self, model: bytes | memoryview, *, threads: int) -> Any:
            assert may_load.wait(IN_TIME)
            return super().load(model, threads=threads)

    (repo / f"bundles/{NAME}.bundle").unlink()
    async with live(repo, made, backend=Held()) as (model, _):
        with pytest.raises(TimeoutError):
            await model.ready(0.1)
        may_load.set()
        assert await model.ready(IN_TIME)


async def test_decisions_go_on_while_generations_change(made: Published, repo: Path) -> None:
    stop, seen, wrong = threading.Event(), set(), []

    def play(model: Model) -> None:
        while not stop.is_set():
            with model.pin() as network:
                seen.add(network.layer)
                if not np.isfinite(network.run(INPUTS)).all():
                    wrong.append(network.layer)
            model.swap()

    async with live(repo, made) as (model, _):
        await model.ready(IN_TIME)
        player = asyncio.create_task(asyncio.to_thread(play, model))
        await model.complete()
        await until(lambda: made.manifest.units[-1].layer in seen)
        stop.set()
        await player
    assert not wrong
    assert 0 in seen


async def test_closing_twice_does_nothing(made: Published, repo: Path) -> None:
    backend = FakeBackend()
    async with live(repo, made, backend=backend) as (model, _):
        await model.ready(IN_TIME)
        await asyncio.gather(model.aclose(), model.aclose())
        await model.aclose()
    assert backend.alive == 0


async def test_a_closed_model_says_so(made: Published, repo: Path) -> None:
    async with live(repo, made) as (model, _):
        await model.ready(IN_TIME)
        await model.aclose()
        for refused in (model.ready(), model.complete(), model.stage()):
            with pytest.raises(UsageError) as caught:
                await refused
            assert caught.value.code is ErrorCode.BAD_STATE
        with pytest.raises(UsageError):
            await model.infer(INPUTS)


async def test_who_waits_is_told_of_the_end(made: Published, repo: Path) -> None:
    async with (
        serve(repo, impairments=Impairments(rate=5000)) as url,
        live(url, made) as (model, _),
    ):
        waiting = [asyncio.create_task(model.complete())]
        await asyncio.sleep(0.05)
        await model.aclose()
        for task in waiting:
            with pytest.raises(UsageError):
                await asyncio.wait_for(task, IN_TIME)


async def test_leaving_early_leaves_nothing_running(made: Published, repo: Path) -> None:
    backend = FakeBackend(load_seconds=1.0)
    before = asyncio.all_tasks()
    async with (
        serve(repo, impairments=Impairments(rate=5_000)) as url,
        live(url, made, backend=backend),
    ):
        await asyncio.sleep(0.1)
        assert backend.alive == 0
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_being_cancelled_is_not_swallowed(made: Published, repo: Path) -> None:
    async def play() -> None:
        async with live(repo, made) as (model, _):
            await model.complete()
            await asyncio.sleep(60)

    task = asyncio.create_task(play())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_callback_that_fails_is_told_to_who_waits(made: Published, repo: Path) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, GenerationStaged):
            raise ZeroDivisionError

    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    async with connect(
        str(repo), NAME, root=made.root, backend=FakeBackend(), on_event=fail
    ) as model:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(model.ready(), IN_TIME)
        model._slots.swap()
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_the_root_may_be_a_file(made: Published, repo: Path) -> None:
    async with connect(str(repo), NAME, root=repo / "1.root.json", backend=FakeBackend()) as model:
        await model.ready(IN_TIME)


async def test_a_root_that_is_not_there_is_refused(made: Published, repo: Path) -> None:
    with pytest.raises(UsageError) as caught:
        async with connect(str(repo), NAME, root="nowhere.json", backend=FakeBackend()):
            pass
    assert "nowhere.json" in caught.value.message


async def test_a_model_that_does_not_open_leaves_nothing_behind(tmp_path: Path) -> None:
    backend = FakeBackend()
    with pytest.raises(UsageError):
        async with connect(str(tmp_path / "no"), NAME, root=b"{}", backend=backend):
            pass
    assert backend.alive == 0


async def test_the_installed_runtime_is_taken_by_default(made: Published, repo: Path) -> None:
    async with connect(str(repo), NAME, root=made.root) as model:
        await model.ready(IN_TIME)
        with model.pin() as network:
            assert network.run(np.zeros((1, 16), "f4")).shape == (1, 4)
        await model.complete()
        assert model.delivery.state is SessionState.COMPLETE
