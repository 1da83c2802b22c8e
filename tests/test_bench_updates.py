"""The parts of the benchmark of updates that need no peers."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reach.figures import Verdict
from reach.tables import print_figures
from tensorfiles import normal, safetensors
from update_parts.chains import chain_figures, chains_of, measure_chains
from update_parts.exact import best_peer, exact_figures
from update_parts.lossy import lossy_figure
from update_parts.receiving import receiving_figure

ROWS = {
    "a-last_operators": {
        "update": 90,
        "fresh": 10_000,
        "peers": {"bsdiff": 100, "zstd": 300, "zipnn": None},
    },
    "b-all_weights": {"update": 60, "fresh": 100, "peers": {"bsdiff": 120, "zstd": 100}},
}


def test_a_peer_that_cannot_do_it_is_not_the_best() -> None:
    assert best_peer(ROWS["a-last_operators"]) == 100


def test_figures_are_ratios_to_the_best_peer_and_to_fresh_units() -> None:
    over, last, every = exact_figures(ROWS)
    assert over.values == {"a-last_operators": 0.9, "b-all_weights": 0.6}
    assert over.verdict is Verdict.MUST
    assert last.values == {"a-last_operators": 0.009}
    assert last.verdict is Verdict.AIM
    assert every.verdict is Verdict.KNOWN


def test_one_case_above_a_peer_is_not_met() -> None:
    worse = {**ROWS, "c": {"update": 101, "fresh": 200, "peers": {"bsdiff": 100}}}
    assert exact_figures(worse)[0].verdict is Verdict.NOT


def test_figures_are_printed() -> None:
    text = io.StringIO()
    print_figures(exact_figures(ROWS), Console(file=text, width=140))
    assert "exact update over the best peer" in text.getvalue()


def test_a_chain_is_measured_beside_one_update(tmp_path: Path) -> None:
    folder = tmp_path / "chains"
    folder.mkdir()
    weights = normal(30, 20)
    for number in range(4):
        file = safetensors({"a": weights + np.float32(number / 1024)})
        (folder / f"net-all.{number:02}.safetensors").write_bytes(file)
    rows = measure_chains(chains_of(tmp_path), lambda _: None)
    assert list(rows) == ["net-all"]
    assert rows["net-all"]["links"] == 3
    assert set(rows["net-all"]["seconds"]) == {"direct", "chain", "one_by_one"}
    assert [set(figure.values) for figure in chain_figures(rows)] == [{"net-all"}] * 3


def test_a_folder_without_chains_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no chains in"):
        chains_of(tmp_path)


LOSSY = {
    "a 20": {"update": 40, "theirs": 100.0},
    "b 20": {"update": 10, "theirs": 100.0},
    "c 20": {"update": 10, "theirs": None},
}


def test_a_lossy_update_counts_where_the_peer_reaches_as_much() -> None:
    (over,) = lossy_figure(LOSSY)
    assert over.values == {"a 20": 0.4, "b 20": 0.1}
    assert over.verdict is Verdict.AIM


def test_one_rung_above_a_new_client_is_not_met() -> None:
    rungs = {"2.5b": {"updating": 50, "new": 100}, "exact": {"updating": 101, "new": 100}}
    (over,) = receiving_figure({"a": rungs})
    assert over.values == {"a 2.5b": 0.5, "a exact": 1.01}
    assert over.verdict is Verdict.NOT
