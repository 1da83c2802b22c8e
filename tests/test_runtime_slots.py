"""Two slots, one pointer, and decisions that hold on to what they began with."""

import hashlib
import math
import queue
import threading
from itertools import count

import numpy as np
import pytest

import models
from deciding import decide, of, take, x
from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime import Generation, PinnedNetwork, Slots, TensorInfo, find_backend
from midstream.testing.runtime import FakeBackend, Fault
from waiting import IN_TIME


def test_a_staged_network_waits_for_the_swap() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    staged = slots.stage(b"model", release=3, layer=2)
    assert (slots.active, slots.standby) == (None, staged)
    assert slots.swap() == staged
    assert (slots.active, slots.standby) == (staged, None)
    assert decide(slots) == of(backend, b"model")


def test_a_generation_says_where_it_is_from() -> None:
    ticks = count(100, 0.25)
    slots = Slots(FakeBackend(), clock=lambda: next(ticks))
    assert slots.stage(b"model", release=3, layer=2) == Generation(
        number=1,
        release=3,
        layer=2,
        sha256=hashlib.sha256(b"model").hexdigest(),
        staged_seconds=0.25,
    )


def test_the_hash_may_be_given() -> None:
    assert Slots(FakeBackend()).stage(b"a", release=1, layer=0, sha256="ab").sha256 == "ab"


def test_a_buffer_may_be_staged() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, memoryview(bytearray(b"model")))
    assert decide(slots) == of(backend, b"model")


def test_generations_are_numbered_in_the_order_they_were_staged() -> None:
    slots = Slots(FakeBackend())
    assert [take(slots, bytes([n])).number for n in range(3)] == [1, 2, 3]


def test_a_refused_network_uses_no_number() -> None:
    backend = FakeBackend(fault=Fault.NOT_FINITE)
    slots = Slots(backend)
    with pytest.raises(RefusedError):
        slots.stage(b"a", release=1, layer=0)
    backend.fault = Fault.NONE
    assert take(slots, b"b").number == 1


def test_a_swap_with_nothing_staged_changes_nothing() -> None:
    slots = Slots(FakeBackend())
    assert slots.swap() is None
    first = take(slots, b"a")
    assert slots.swap() is None
    assert slots.active == first


def test_a_newer_network_replaces_the_one_that_waits() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    slots.stage(b"a", release=1, layer=0)
    second = slots.stage(b"b", release=1, layer=1)
    assert backend.alive == 1
    assert slots.swap() == second
    assert slots.previous is None


def test_nothing_can_be_pinned_before_the_first_swap() -> None:
    slots = Slots(FakeBackend())
    slots.stage(b"a", release=1, layer=0)
    with pytest.raises(UsageError) as caught, slots.pin():
        pass
    assert caught.value.code is ErrorCode.NO_GENERATION


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.LOADING, ErrorCode.LOAD_FAILED),
        (Fault.RUNNING, ErrorCode.RUN_FAILED),
        (Fault.NOT_FINITE, ErrorCode.SELF_TEST_FAILED),
        (Fault.SHAPE, ErrorCode.SELF_TEST_FAILED),
    ],
)
def test_a_refused_network_changes_nothing(fault: Fault, code: ErrorCode) -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    first, second = take(slots, b"a"), take(slots, b"b")
    waiting = slots.stage(b"c", release=1, layer=2)
    before, alive = decide(slots), backend.alive
    backend.fault = fault
    with pytest.raises(RefusedError) as caught:
        slots.stage(b"d", release=1, layer=3)
    assert caught.value.code is code
    assert (slots.previous, slots.active, slots.standby) == (first, second, waiting)
    assert decide(slots) == before
    assert backend.alive == alive


def infos(name: str, shape: tuple[int, ...], dtype: str) -> tuple[TensorInfo, ...]:
    return (TensorInfo(name=name, shape=shape, dtype=np.dtype(dtype)),)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [("input", (1, 5), "float32"), ("input", (1, 4), "float16"), ("other", (1, 4), "float32")],
)
def test_other_inputs_than_the_active_ones_are_refused(
    name: str, shape: tuple[int, ...], dtype: str
) -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    backend.inputs = infos(name, shape, dtype)
    with pytest.raises(RefusedError, match="the active ones input float32"):
        slots.stage(b"b", release=2, layer=0)
    assert backend.alive == 1


@pytest.mark.parametrize(("shape", "dtype"), [((1, 3), "float32"), ((1, 2), "float16")])
def test_other_outputs_than_the_active_ones_are_refused(shape: tuple[int, ...], dtype: str) -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    backend.outputs = infos("output", shape, dtype)
    with pytest.raises(RefusedError) as caught:
        slots.stage(b"b", release=2, layer=0)
    assert caught.value.code is ErrorCode.SELF_TEST_FAILED


def test_outputs_may_be_called_otherwise() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    backend.outputs = infos("renamed", (1, 2), "float32")
    assert take(slots, b"b").number == 2


def test_the_first_network_may_take_and_give_anything() -> None:
    backend = FakeBackend(inputs=infos("a", (2,), "int8"), outputs=infos("b", (), "bool"))
    assert take(Slots(backend), b"a").number == 1


def test_the_self_test_runs_the_probes_it_is_given() -> None:
    seen: list[float] = []

    def run(_: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
        seen.append(float(inputs[0][0, 0]))
        return [np.zeros((1, 2), "f4")]

    probes = [np.full((1, 4), value, "f4") for value in (5, 6, 7)]
    take(Slots(FakeBackend(function=run), probes=probes), b"a")
    assert seen == [5, 6, 7]


def test_probes_that_do_not_fit_are_an_error_of_the_caller() -> None:
    backend = FakeBackend()
    with pytest.raises(UsageError) as caught:
        Slots(backend, probes=[np.zeros((9, 9), "f4")]).stage(b"a", release=1, layer=0)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT
    assert backend.alive == 0


def test_a_decision_keeps_the_network_it_began_with() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a", release=1, layer=0)
    with slots.pin() as network:
        take(slots, b"b", release=1, layer=1)
        assert np.asarray(network.run(x)).tobytes() == of(backend, b"a")
        assert (network.generation.number, network.release, network.layer) == (1, 1, 0)
    assert decide(slots) == of(backend, b"b")


def test_a_pin_says_what_the_network_takes_and_gives() -> None:
    slots = Slots(FakeBackend())
    take(slots, b"a")
    with slots.pin() as network:
        assert (network.inputs[0].name, network.outputs[0].name) == ("input", "output")


def test_several_outputs_come_as_a_tuple() -> None:
    backend = FakeBackend(outputs=infos("a", (1,), "float32") + infos("b", (2,), "float32"))
    slots = Slots(backend)
    take(slots, b"a")
    with slots.pin() as network:
        assert [output.shape for output in network.run(x)] == [(1,), (2,)]


def use_inputs(network: PinnedNetwork) -> None:
    network.inputs  # noqa: B018 - reading it is the use


def use_outputs(network: PinnedNetwork) -> None:
    network.outputs  # noqa: B018 - reading it is the use


@pytest.mark.parametrize("use", [lambda network: network.run(x), use_inputs, use_outputs])
def test_a_pin_used_after_its_block_is_stale(use) -> None:  # type: ignore[no-untyped-def]
    slots = Slots(FakeBackend())
    take(slots, b"a")
    with slots.pin() as network:
        pass
    with pytest.raises(UsageError) as caught:
        use(network)
    assert caught.value.code is ErrorCode.STALE_PIN
    assert network.generation.number == 1  # what it was may still be asked


def test_a_pin_ends_with_its_block_when_the_decision_fails() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    with pytest.raises(ZeroDivisionError), slots.pin():
        raise ZeroDivisionError
    slots.close()
    assert backend.alive == 0


def test_a_run_that_fails_is_an_error_of_that_decision_only() -> None:
    fails = [False, False, True, False]

    def run(_: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
        if fails.pop(0):
            raise RefusedError(ErrorCode.RUN_FAILED, "once")
        return [np.zeros((1, 2), "f4")]

    slots = Slots(FakeBackend(function=run))
    take(slots, b"a")
    with pytest.raises(RefusedError):
        decide(slots)
    assert decide(slots)


def test_a_retired_network_is_closed_by_the_next_stage_and_not_by_a_swap() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    for model in (b"a", b"b", b"c"):
        take(slots, model)
    assert backend.alive == 3
    slots.stage(b"d", release=1, layer=3)
    assert backend.alive == 3  # b, c and d


def test_a_pinned_network_is_closed_after_its_last_pin_only() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    with slots.pin() as network:
        with slots.pin():
            take(slots, b"b")
            take(slots, b"c")
        assert slots.collect() == 0
        assert np.asarray(network.run(x)).tobytes() == of(FakeBackend(), b"a")
    assert slots.collect() == 1
    assert backend.alive == 2


def test_close_lets_go_of_everything() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    take(slots, b"b")
    slots.stage(b"c", release=1, layer=2)
    slots.close()
    slots.close()
    assert backend.alive == 0
    assert (slots.active, slots.standby, slots.swap(), slots.revert()) == (None,) * 4


def test_after_close_nothing_is_staged() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    slots.close()
    with pytest.raises(UsageError) as caught:
        slots.stage(b"a", release=1, layer=0)
    assert caught.value.code is ErrorCode.BAD_STATE
    assert backend.loaded == 0


def test_a_decision_under_way_survives_close() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"a")
    with slots.pin() as network:
        slots.close()
        assert backend.alive == 1
        assert np.asarray(network.run(x)).tobytes() == of(FakeBackend(), b"a")
    assert backend.alive == 0


def test_every_decision_is_made_by_one_generation_while_they_change() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    take(slots, b"1")
    decisions: queue.SimpleQueue[tuple[int, set[bytes]]] = queue.SimpleQueue()
    stop = threading.Event()

    def play() -> None:
        while not stop.is_set():
            with slots.pin() as network:
                outputs = {np.asarray(network.run(x)).tobytes() for _ in range(3)}
            decisions.put((network.generation.number, outputs))

    players = [threading.Thread(target=play) for _ in range(3)]
    for player in players:
        player.start()
    made = []
    for number in range(2, 60):
        assert take(slots, b"%d" % number).number == number
        made.append(decisions.get(timeout=IN_TIME))
        while made[-1][0] < number:  # until it has decided something
            made.append(decisions.get(timeout=IN_TIME))
        if number % 7 == 0:
            slots.revert()
    stop.set()
    for player in players:
        player.join()
    slots.close()
    assert backend.alive == 0
    while not decisions.empty():
        made.append(decisions.get())
    fresh = FakeBackend()
    assert {number for number, _ in made} >= set(range(2, 60))
    assert all(outputs == {of(fresh, b"%d" % number)} for number, outputs in made)


def test_two_threads_may_stage_at_once() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    threads = [
        threading.Thread(target=slots.stage, args=(bytes([n]),), kwargs={"release": n, "layer": 0})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slots.standby is not None
    assert slots.standby.number == 8
    assert backend.alive == 1


def test_a_network_serves_one_thread_at_a_time() -> None:
    inside = threading.Lock()
    overlaps: list[bool] = []

    def run(_: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
        overlaps.append(not inside.acquire(blocking=False))
        if not overlaps[-1]:
            inside.release()
        return [np.zeros((1, 2), "f4")]

    slots = Slots(FakeBackend(function=run))
    take(slots, b"a")
    threads = [
        threading.Thread(target=lambda: [decide(slots) for _ in range(200)]) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(overlaps)


def test_real_networks_are_swapped_and_reverted() -> None:
    slots = Slots(find_backend())
    features = np.ones((1, 8), "f4")
    outputs = []
    for seed in (1, 2):
        take(slots, models.mlp(seed=seed), release=seed)
        with slots.pin() as network:
            outputs.append(np.asarray(network.run(features)))
    slots.revert()
    with slots.pin() as network:
        again = np.asarray(network.run(features))
    assert again.tobytes() == outputs[0].tobytes() != outputs[1].tobytes()
    slots.close()


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (models.mlp(scale=math.nan), ErrorCode.SELF_TEST_FAILED),
        (models.mlp((8, 16, 5)), ErrorCode.SELF_TEST_FAILED),
        (models.mlp((9, 16, 4)), ErrorCode.SELF_TEST_FAILED),
        (models.mlp(open_batch=True), ErrorCode.SELF_TEST_FAILED),
        (b"not a network", ErrorCode.LOAD_FAILED),
    ],
)
def test_a_real_network_that_will_not_do_is_refused(model: bytes, code: ErrorCode) -> None:
    slots = Slots(find_backend())
    first = take(slots, models.mlp())
    with pytest.raises(RefusedError) as caught:
        slots.stage(model, release=2, layer=0)
    assert caught.value.code is code
    assert (slots.active, slots.standby) == (first, None)
    slots.close()


def test_a_shape_that_depends_on_the_data_passes_the_self_test() -> None:
    slots = Slots(find_backend())
    assert take(slots, models.where_network()).number == 1
    assert take(slots, models.where_network()).number == 2
    slots.close()
