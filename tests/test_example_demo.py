"""The example client, whole: published, served badly, played, repaired, swapped."""

import json
import math
from pathlib import Path

import pytest

import demo
from results import gain_line, gain_of
from strategies import Played

STRATEGIES = {
    "no_model",
    "base_only",
    "mid_stream",
    "full_float",
    "buffer_based",
    "rate_based",
    "robust_mpc",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    assert demo.main(["--generated", "3", "--corrupt", ".2", "--out", str(out)]) == 0
    return out


def test_every_strategy_has_a_score(results: Path) -> None:
    summary = json.loads((results / "results.json").read_text())
    assert set(summary["qoe"]) == set(summary["startup_seconds"]) == STRATEGIES
    assert all(math.isfinite(score) for score in summary["qoe"].values())


def test_what_upgrades_are_worth_comes_with_what_chance_makes_of_it() -> None:
    def run(*scores: float) -> list[Played]:
        return [Played(trace="", qoe=score, startup=0.0) for score in scores]

    base = run(1.0, 2.0, 3.0)
    for upgraded, words in (
        (run(2.0, 4.0, 6.0), "QoE +2.000, standard error 0.577"),
        (run(2.0, 4.0, 0.0), "QoE +0.000, standard error 1.528: 3 videos cannot tell"),
        (base, "QoE +0.000, standard error 0.000: 3 videos cannot tell"),
    ):
        summary = {"traces": 3, "upgrade_gain": gain_of(upgraded, base)}
        assert gain_line(summary).endswith(words)


def test_layers_above_the_highest_wanted_never_come(tmp_path: Path) -> None:
    assert demo.main(["--generated", "2", "--max-layer", "1", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "results.json").read_text())
    assert summary["swaps"] > 0
    assert summary["model_bytes"] < 60_000


def test_no_decision_is_made_by_weights_that_were_not_published(results: Path) -> None:
    summary = json.loads((results / "results.json").read_text())
    assert summary["decisions"] == 2 * 3 * 47
    assert summary["unverified_decisions"] == 0


def test_damage_is_repaired_and_better_networks_are_taken(results: Path) -> None:
    summary = json.loads((results / "results.json").read_text())
    assert summary["repairs"] > 0
    assert summary["swaps"] >= 3
    assert summary["model_bytes"] > 60_000


def test_model_bytes_never_stall_below_the_low_water_mark(results: Path) -> None:
    summary = json.loads((results / "results.json").read_text())
    assert summary["stalls_by_model_bytes_below_low_water"] == 0


def test_a_live_start_costs_less_than_a_full_download(results: Path) -> None:
    startup = json.loads((results / "results.json").read_text())["startup_seconds"]
    assert 0 < startup["mid_stream"] < startup["full_float"] / 2


@pytest.mark.once
def test_players_that_join_a_lossy_carousel_get_both_releases(tmp_path: Path) -> None:
    options = ["--carousel", "--loss", ".1", "--players", "3", "--rate", "2e6"]
    assert demo.main([*options, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "results.json").read_text())
    assert summary["players"] == len(summary["joined_seconds"]) == 3
    assert summary["swaps"] >= 3
    assert summary["decisions"] > 0
    assert summary["unverified_decisions"] == 0
    for over in summary["bytes_over_bound"].values():
        assert 0.5 < over["mean"] < math.inf


def test_a_folder_without_traces_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--traces", str(tmp_path / "none"), "--out", str(tmp_path)]) in (1, 2, 3)
    assert capsys.readouterr().err.startswith("demo: ")
    assert not (tmp_path / "results.json").exists()
