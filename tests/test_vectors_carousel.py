"""The vectors of spec/vectors/carousel.json, which `reedsolo` and `zlib` made by themselves."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from midstream.fec import grids
from midstream.session.datagrams import Datagram
from midstream.session.rotation import places

VECTORS = Path(__file__).parent.parent / "spec/vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "carousel.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_datagrams_are_what_the_specification_says(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["data"])
    for text in case["datagrams"]:
        found = Datagram.decode(bytes.fromhex(text))
        assert found.encode().hex() == text
        assert (found.key.size, found.key.symbol_size) == (len(data), case["symbol_size"])
        made = grids.encode(data, found.key.grid)
        assert made[found.row, found.column].tobytes() == found.symbol


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_grids_are_what_the_specification_says(case: dict[str, Any]) -> None:
    grid = grids.Grid(len(case["data"]) // 2, case["symbol_size"])
    found = (grid.blocks, grid.source, grid.joint_rows)
    assert found == (case["blocks"], case["source"], case["joint_rows"])
    assert len(list(places(grid))) == case["symbols"]


def test_the_generator_gives_the_vectors_that_are_here() -> None:
    made = runpy.run_path(str(VECTORS / "generate_carousel.py"))
    assert [made["case"](*one) for one in made["CASES"]] == CASES
