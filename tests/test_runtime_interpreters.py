"""The TFLite runtime that is installed, on tiny real networks."""

import sys

import numpy as np
import pytest

import models
from midstream.errors import ErrorCode, RefusedError, RuntimeMissingError, UsageError
from midstream.runtime import LITERT, TFLITE, InterpreterBackend, find_backend, make_probes


@pytest.fixture(scope="module")
def backend() -> InterpreterBackend:
    return find_backend()


def test_a_backend_says_what_it_is(backend: InterpreterBackend) -> None:
    assert backend.name in ("litert", "tflite")
    assert backend.version[0].isdigit()


def test_the_preferred_runtime_is_found_by_its_name(backend: InterpreterBackend) -> None:
    assert find_backend(backend.name).name == backend.name


def test_a_runtime_nobody_knows_is_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError, match="expected one of litert, tflite"):
        find_backend("onnx")


def test_without_a_runtime_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for wheel in (LITERT, TFLITE):
        monkeypatch.setitem(sys.modules, f"{wheel.package}.interpreter", None)
    with pytest.raises(RuntimeMissingError) as caught:
        find_backend()
    assert caught.value.code is ErrorCode.NO_RUNTIME
    assert "pip install midstream[litert]" in caught.value.message
    assert "pip install midstream[tflite]" in caught.value.message


def test_only_the_preferred_runtime_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"{TFLITE.package}.interpreter", None)
    with pytest.raises(RuntimeMissingError) as caught:
        find_backend("tflite")
    assert "litert" not in caught.value.message


def test_a_network_computes_what_its_weights_say(backend: InterpreterBackend) -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.standard_normal(shape).astype("f4") for shape in ((16, 8), (4, 16)))
    biases = [rng.standard_normal(size).astype("f4") for size in (16, 4)]
    network = backend.load(models.layers([(first, biases[0]), (second, biases[1])]))
    x = rng.standard_normal((1, 8)).astype("f4")
    hidden = np.maximum(x @ first.T + biases[0], 0)
    (output,) = network.run(x)
    np.testing.assert_allclose(output, hidden @ second.T + biases[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_narrow_weights_give_nearly_the_same(backend: InterpreterBackend, dtype: str) -> None:
    x = np.linspace(-1, 1, 8, dtype="f4").reshape(1, 8)
    (wide,) = backend.load(models.mlp()).run(x)
    (narrow,) = backend.load(models.mlp(dtype=dtype)).run(x)
    assert np.abs(wide - narrow).max() < 0.1


def test_several_outputs_come_in_order(backend: InterpreterBackend) -> None:
    network = backend.load(models.picture_network())
    assert [info.name for info in network.outputs] == ["features", "mask"]
    outputs = network.run(make_probes(network.inputs, 1)[0])
    assert [output.shape for output in outputs] == [(1, 16, 16, 8), (1, 16, 16, 1)]


def test_inputs_go_by_name(backend: InterpreterBackend) -> None:
    network = backend.load(models.sum_network("int32"))
    left, right = np.array([[1, 2, 3, 4]], "i4"), np.array([[10, 20, 30, 40]], "i4")
    (total,) = network.run({"right": right, "left": left})
    assert total.tolist() == [[11, 22, 33, 44]]


def test_an_array_need_not_be_contiguous(backend: InterpreterBackend) -> None:
    network = backend.load(models.sum_network("int32"))
    every_second = np.arange(8, dtype="i4").reshape(1, 8)[:, ::2]
    (total,) = network.run([every_second, every_second])
    assert total.tolist() == [[0, 4, 8, 12]]


def test_an_output_is_a_copy(backend: InterpreterBackend) -> None:
    network = backend.load(models.mlp())
    (before,) = network.run(np.ones((1, 8), "f4"))
    kept = before.copy()
    network.run(np.zeros((1, 8), "f4"))
    network.close()
    assert before.tobytes() == kept.tobytes()
    before[:] = 0  # and it is the caller's


def test_the_model_file_is_copied_from_a_buffer_that_may_be_written_to(
    backend: InterpreterBackend,
) -> None:
    owner = bytearray(models.mlp())
    network = backend.load(memoryview(owner))
    (before,) = network.run(np.ones((1, 8), "f4"))
    owner[:] = bytes(len(owner))
    (after,) = network.run(np.ones((1, 8), "f4"))
    assert before.tobytes() == after.tobytes()


def test_open_dimensions_of_inputs_become_one(backend: InterpreterBackend) -> None:
    network = backend.load(models.mlp(open_batch=True))
    assert network.inputs[0].shape == (1, 8)
    assert network.outputs[0].shape == (-1, 4)
    assert network.run(np.zeros((1, 8), "f4"))[0].shape == (1, 4)


def test_an_open_dimension_that_was_larger_is_made_one(backend: InterpreterBackend) -> None:
    net = models.Tflite()
    inputs = [net.tensor(name, (5, 2), signature=(-1, 2)) for name in ("left", "right")]
    total = net.tensor("sum", (5, 2), signature=(-1, 2))
    net.operator(models.ADD, inputs, [total], (models.ADD_OPTIONS, {}))
    network = backend.load(net.file(inputs, [total]))
    assert [info.shape for info in network.inputs] == [(1, 2), (1, 2)]
    assert network.run([np.ones((1, 2), "f4")] * 2)[0].tolist() == [[2, 2]]


def test_a_shape_may_depend_on_the_data(backend: InterpreterBackend) -> None:
    network = backend.load(models.where_network())
    (places,) = network.run(np.array([False, True, False, True, True, False]))
    assert places.ravel().tolist() == [1, 3, 4]
    assert network.outputs[0].takes(places)


def test_more_threads_give_the_same(backend: InterpreterBackend) -> None:
    model = models.picture_network(size=32)
    picture = make_probes(backend.load(model).inputs, 1)[0]
    one, two = (backend.load(model, threads=threads).run(picture) for threads in (1, 2))
    np.testing.assert_allclose(one[0], two[0], rtol=1e-5, atol=1e-6)


def test_no_threads_are_an_error_of_the_caller(backend: InterpreterBackend) -> None:
    with pytest.raises(UsageError, match="0 threads"):
        backend.load(models.mlp(), threads=0)


@pytest.mark.parametrize("model", [b"", b"TFL3", b"not a network", bytes(100), b"\xff" * 64])
def test_what_is_no_network_is_refused(backend: InterpreterBackend, model: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        backend.load(model)
    assert caught.value.code is ErrorCode.LOAD_FAILED
    assert str(caught.value).isprintable()


def test_a_truncated_network_is_refused_wherever_it_ends(backend: InterpreterBackend) -> None:
    model = models.mlp()
    for size in range(0, len(model) - 512, 37):  # the last weights are more than 512 bytes
        with pytest.raises(RefusedError):
            backend.load(model[:size])


def test_an_operator_the_runtime_does_not_know_is_refused(backend: InterpreterBackend) -> None:
    net = models.Tflite()
    here, there = net.tensor("here", (1,)), net.tensor("there", (1,))
    net.operator(120, [here], [there])
    with pytest.raises(RefusedError) as caught:
        backend.load(net.file([here], [there]))
    assert caught.value.code is ErrorCode.LOAD_FAILED
    assert caught.value.__cause__ is not None


def test_text_is_refused(backend: InterpreterBackend) -> None:
    with pytest.raises(RefusedError, match="words is of"):
        backend.load(models.text_network())


def test_a_run_that_fails_is_refused_and_the_next_one_works(backend: InterpreterBackend) -> None:
    network = backend.load(models.table_network(rows=4))
    with pytest.raises(RefusedError) as caught:
        network.run(np.array([[0, 1, 400]], "i4"))
    assert caught.value.code is ErrorCode.RUN_FAILED
    assert network.run(np.array([[0, 1, 3]], "i4"))[0].shape == (1, 3, 4)


def test_a_closed_network_does_not_run(backend: InterpreterBackend) -> None:
    network = backend.load(models.mlp())
    network.close()
    network.close()
    with pytest.raises(UsageError) as caught:
        network.run(np.zeros((1, 8), "f4"))
    assert caught.value.code is ErrorCode.STALE_PIN
