"""The fake runtime that users test with."""

import numpy as np
import pytest

from midstream.errors import ErrorCode, RefusedError, UsageError
from midstream.runtime import Backend, TensorInfo
from midstream.testing.runtime import FakeBackend, Fault

x = np.array([[1, 2, 3, 4]], "f4")


def test_it_is_a_backend() -> None:
    backend: Backend = FakeBackend()
    assert (backend.name, backend.version) == ("fake", "1")


def test_the_same_bytes_give_the_same_outputs() -> None:
    first, again = (FakeBackend().load(b"model").run(x)[0] for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert (first.shape, first.dtype) == ((1, 2), np.dtype("float32"))


def test_outputs_depend_on_the_model_and_on_every_input() -> None:
    network = FakeBackend().load(b"model")
    outputs = [FakeBackend().load(b"other").run(x)[0], network.run(x)[0]]
    outputs += [network.run(x + np.eye(4, dtype="f4")[at])[0] for at in range(4)]
    assert len({output.tobytes() for output in outputs}) == 6


def test_a_function_may_say_what_networks_do() -> None:
    infos = tuple(TensorInfo(name=n, shape=(2,), dtype=np.dtype("int32")) for n in ("a", "b"))
    backend = FakeBackend(
        inputs=infos,
        outputs=infos,
        function=lambda model, inputs: [inputs[1] + len(model), inputs[0]],
    )
    a, b = np.array([1, 2], "i4"), np.array([3, 4], "i4")
    first, second = backend.load(b"12345").run({"a": a, "b": b})
    assert (first.tolist(), second.tolist()) == ([8, 9], [1, 2])
    assert second is not a


def test_a_network_checks_its_inputs_as_a_real_one_does() -> None:
    with pytest.raises(UsageError, match="expected float32"):
        FakeBackend().load(b"model").run(x.astype("f8"))


def test_no_threads_are_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError):
        FakeBackend().load(b"model", threads=0)


def test_loading_can_be_made_to_fail() -> None:
    with pytest.raises(RefusedError) as caught:
        FakeBackend(fault=Fault.LOADING).load(b"model")
    assert caught.value.code is ErrorCode.LOAD_FAILED


def test_running_can_be_made_to_fail() -> None:
    with pytest.raises(RefusedError) as caught:
        FakeBackend(fault=Fault.RUNNING).load(b"model").run(x)
    assert caught.value.code is ErrorCode.RUN_FAILED


def test_outputs_can_be_made_not_finite() -> None:
    assert np.isnan(FakeBackend(fault=Fault.NOT_FINITE).load(b"model").run(x)[0]).all()


def test_outputs_can_be_made_of_another_shape() -> None:
    assert FakeBackend(fault=Fault.SHAPE).load(b"model").run(x)[0].shape == (1, 1, 2)


def test_a_fault_stays_with_the_networks_loaded_under_it() -> None:
    backend = FakeBackend(fault=Fault.NOT_FINITE)
    spoiled = backend.load(b"model")
    backend.fault = Fault.NONE
    assert np.isfinite(backend.load(b"model").run(x)[0]).all()
    assert np.isnan(spoiled.run(x)[0]).all()


def test_loading_and_running_take_the_seconds_they_are_told_to() -> None:
    slept: list[float] = []
    backend = FakeBackend(load_seconds=2.0, run_seconds=0.5, sleep=slept.append)
    backend.load(b"model").run(x)
    backend.run_seconds = 0.0
    backend.load(b"model").run(x)
    assert slept == [2.0, 0.5, 2.0]


def test_a_closed_network_does_not_run_and_is_counted_once() -> None:
    backend = FakeBackend()
    network = backend.load(b"model")
    network.close()
    network.close()
    assert (backend.loaded, backend.alive) == (1, 0)
    with pytest.raises(UsageError) as caught:
        network.run(x)
    assert caught.value.code is ErrorCode.STALE_PIN
