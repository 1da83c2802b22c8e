"""Real inputs from files, in the shapes that a network takes, and what they are used for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from midstream.encoder import Progress
from midstream.errors import ErrorCode, UsageError
from midstream.publisher.calibration import fit_inputs, read_calibration
from midstream.publisher.measure import Outputs
from midstream.publisher.publish import describe, encode_checked, protect
from midstream.publisher.recovery import Recovery
from midstream.runtime import TensorInfo, find_backend
from midstream.trust import manifest
from midstream.types import Fidelity
from tensorfiles import normal

PICTURE = TensorInfo(name="picture", shape=(1, 8, 8, 3), dtype=np.dtype("float32"))
SIZE = TensorInfo(name="size", shape=(1,), dtype=np.dtype("int32"))


def test_the_first_axis_of_an_array_counts_inputs(tmp_path: Path) -> None:
    array = normal(5, 8, 8, 3)
    np.save(tmp_path / "x.npy", array)
    found = read_calibration(tmp_path / "x.npy")
    assert [np.array_equal(one, two) for one, two in zip(found, array, strict=True)] == [True] * 5


def test_an_archive_has_an_array_for_each_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", picture=normal(4, 8, 8, 3), size=np.arange(4, dtype="<i4"))
    found = read_calibration(tmp_path / "x.npz")
    assert [set(inputs) for inputs in found] == [{"picture", "size"}] * 4
    assert [inputs["size"] for inputs in found] == [0, 1, 2, 3]


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    for name, value in (("b", 2), ("a", 1), ("c", 3)):
        np.save(tmp_path / f"{name}.npy", np.full((2, 4), value, "<f4"))
    (tmp_path / "notes.txt").write_text("not an input")
    assert [one[0] for one in read_calibration(tmp_path)] == [1, 1, 2, 2, 3, 3]


def wrong(tmp_path: Path) -> dict[str, Path]:
    """Files that are no inputs."""
    np.save(tmp_path / "scalar.npy", np.float32(1))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([None, {}], object), allow_pickle=True)
    np.savez(tmp_path / "lengths.npz", a=np.zeros(3), b=np.zeros(4))
    (tmp_path / "junk.npy").write_bytes(b"junk")
    np.savez_compressed(tmp_path / "whole.npz", a=normal(30, 4))
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-20])
    (tmp_path / "damaged.npz").write_bytes(whole[:90] + bytes(9) + whole[99:])
    (tmp_path / "empty").mkdir()
    names = ("scalar.npy", "text.npy", "objects.npy", "lengths.npz", "junk.npy", "empty", "none")
    names += ("cut.npz", "damaged.npz")
    return {name: tmp_path / name for name in names}


def test_what_is_no_input_is_refused_by_its_name(tmp_path: Path) -> None:
    for name, path in wrong(tmp_path).items():
        with pytest.raises(UsageError, match=name):
            read_calibration(path)


def test_what_is_no_array_is_said_to_be_none(tmp_path: Path) -> None:
    """NumPy takes it for a pickle, and says how to load one."""
    with pytest.raises(UsageError, match="neither a"):
        read_calibration(wrong(tmp_path)["junk.npy"])


def test_inputs_are_brought_into_shape_and_type() -> None:
    given = {"size": np.array(7, "<i4"), "picture": np.ones((8, 8, 3))}
    (fitted,) = fit_inputs([given], [PICTURE, SIZE])
    assert [(a.shape, a.dtype) for a in fitted] == [((1, 8, 8, 3), "f4"), ((1,), "i4")]


@pytest.mark.parametrize(
    "inputs",
    [
        normal(8, 8, 1),
        normal(2, 8, 8, 3),
        normal(8, 8, 3).astype(complex),
        {"image": normal(8, 8, 3)},
        [normal(8, 8, 3), normal(1)],
    ],
)
def test_other_inputs_than_those_of_the_network_are_refused(inputs: Any) -> None:
    with pytest.raises(UsageError) as caught:
        fit_inputs([inputs], [PICTURE])
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


def test_inputs_that_judge_are_not_those_that_were_studied() -> None:
    given = [np.full((1, 8), float(at), "<f4") for at in range(8)]
    outputs = Outputs(find_backend(), models.mlp(), given)
    assert (outputs.probes, outputs.is_calibrated) == (2, True)
    studied = [inputs[0][0, 0] for inputs in outputs._studied]
    assert studied == [1, 2, 3, 5, 6, 7]


def test_a_release_says_what_it_was_measured_on() -> None:
    model = models.mlp((8, 64, 64, 4))
    for calibration in (None, list(normal(12, 1, 8))):
        encoded = encode_checked(
            model, "3b,exact", find_backend(), lambda _: None, calibration=calibration
        )
        assert {u.fidelity.is_calibrated for u in encoded.units} == {calibration is not None}
        assert {u.fidelity.probes for u in encoded.units} == {24 if calibration is None else 3}


def test_calibration_of_a_model_that_cannot_run_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be run here"):
        encode_checked(models.mlp(), "3b", None, lambda _: None, calibration=[normal(1, 8)])


def test_progress_reaches_its_total() -> None:
    said: list[Progress] = []
    model = models.mlp((8, 64, 64, 4))
    encode_checked(model, "3b,5b,exact", find_backend(), lambda _: None, report=said.append)
    assert [p.done for p in said] == sorted(p.done for p in said)
    assert said[-1].done == said[-1].total
    assert [*dict.fromkeys(p.doing for p in said)] == ["looking at outputs", "3b", "5b", "exact"]
    looking = {p.done for p in said if p.doing == "looking at outputs"}
    assert len(looking) > 10


def test_the_manifest_keeps_what_was_measured_on() -> None:
    model = models.mlp((8, 64, 64, 4))
    backend = find_backend()
    encoded = encode_checked(model, "3b", backend, lambda _: None, calibration=[normal(1, 8)])
    assert encoded.units[0].fidelity == Fidelity(
        weight_snr=encoded.units[0].fidelity.weight_snr,
        output_snr=encoded.units[0].fidelity.output_snr,
        probes=1,
        is_calibrated=True,
    )
    entry, _ = protect(encoded.units[0], 0, Recovery(), 10_000_000)
    read = manifest.decode(manifest.encode(describe("n", 1, model, encoded, [entry])))
    assert read.units[0].fidelity.is_calibrated
