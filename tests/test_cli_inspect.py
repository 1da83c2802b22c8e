"""inspect: where bytes went, in words and in JSON."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from midstream.cli import main
from midstream.publisher import decibels
from published import NAME, published
from tensorfiles import normal, safetensors


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return published(1, 2).write(tmp_path / "repo")


def test_a_repository_tells_where_the_bytes_of_its_newest_release_went(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(repo), "--name", NAME, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["spent"].values()
    assert found["bytes"] == [entry.size for entry in published(1, 2).manifest.units]
    assert found["tensors"][0]["weight_snr"][-1] == "exact"
    assert main(["inspect", str(repo)]) == 0
    out = capsys.readouterr().out
    assert f"{NAME} release 2" in out
    assert "topology" in out
    assert "framing" in out


def test_news_say_what_they_are_and_what_is_in_them(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    news = repo / f"bundles/{NAME}.news"
    assert main(["inspect", str(news), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["what"].startswith("news")
    assert found["compressed"] == news.stat().st_size
    sizes = {row["path"]: row["bytes"] for row in found["files"]}
    assert sizes["metadata/timestamp.json"] == (repo / "metadata/timestamp.json").stat().st_size
    assert main(["inspect", str(news)]) == 0
    assert "metadata/timestamp.json" in capsys.readouterr().out


def test_news_that_are_cut_are_no_news_and_no_model(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    news = repo / f"bundles/{NAME}.news"
    news.write_bytes(news.read_bytes()[:200])
    assert main(["inspect", str(news)]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_tensor_of_zeros_and_an_exact_layer_are_still_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, units = tmp_path / "net.safetensors", tmp_path / "units"
    model.write_bytes(safetensors({"a": normal(16, 40), "b": np.zeros(40, np.float32)}))
    assert main(["encode", str(model), "-o", str(units), "--ladder", "1b,exact"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(units), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [unit["outputs_db"] for unit in found["units"]] == [None, None]
    assert isinstance(found["units"][0]["weights_db"], float)
    assert found["units"][1]["weights_db"] == "exact"


@pytest.mark.parametrize(
    ("value", "words", "json_value"),
    [
        (None, "-", None),
        (math.inf, "exact", "exact"),
        (-math.inf, "-", None),
        (math.nan, "-", None),
        (12.34, "12.3", 12.34),
    ],
)
def test_decibels_are_said_where_there_are_some(
    value: float | None, words: str, json_value: float | str | None
) -> None:
    assert decibels.as_json(value) == json_value
    assert decibels.as_words(value) == words
    assert decibels.as_words(json_value) == words


def test_a_network_that_is_not_there_is_wrong_use(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(repo), "--name", "other"]) == 2
    assert f"it has {NAME}" in capsys.readouterr().err
    assert main(["inspect", str(repo / "1.root.json"), "--name", NAME]) == 2


def test_a_changed_unit_of_a_repository_is_named(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = repo / published(1, 2).manifest.units[0].path
    data = bytearray(unit.read_bytes())
    data[-1] ^= 1
    unit.write_bytes(data)
    assert main(["inspect", str(repo)]) == 1
    assert unit.name in capsys.readouterr().err


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_plot_is_a_picture_of_the_kind_that_its_name_says(
    repo: Path, tmp_path: Path, suffix: str, start: bytes
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"bytes{suffix}"
    assert main(["inspect", str(repo), "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(start)


def test_a_plot_of_another_kind_or_of_nothing_is_wrong_use(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(repo), "--plot", str(tmp_path / "bytes.txt")]) == 2
    assert ".svg" in capsys.readouterr().err
    model = tmp_path / "net.tflite"
    model.write_bytes(published(1, 2).models[0])
    assert main(["inspect", str(model), "--plot", str(tmp_path / "bytes.png")]) == 2
    assert "no tensors to draw" in capsys.readouterr().err


def test_a_plot_without_matplotlib_says_what_to_install(
    repo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["inspect", str(repo), "--plot", str(tmp_path / "bytes.png")]) == 3
    assert "midstream[plot]" in capsys.readouterr().err


def test_a_plot_that_cannot_be_written_is_this_machine_s_fault(repo: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert main(["inspect", str(repo), "--plot", str(tmp_path / "none" / "bytes.png")]) == 3
