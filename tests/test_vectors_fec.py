"""The vectors of spec/vectors/fec.json, which `reedsolo` made by itself."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midstream import fec
from midstream.errors import RecoveryError

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "spec/vectors/fec.json").read_text()
)


def _rows(vector: dict[str, Any]) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    return np.array([list(bytes.fromhex(packet)) for packet in vector["packets"]], np.uint8)


@pytest.mark.parametrize("vector", VECTORS["blocks"])
def test_repair_symbols_are_the_columns_that_reedsolo_gives(vector: dict[str, Any]) -> None:
    """[REC-1] [REC-2]"""
    assert fec.encode(_rows(vector), vector["repair"]).tobytes().hex() == vector["symbols"]


@pytest.mark.parametrize("vector", VECTORS["blocks"])
def test_as_many_lost_packets_as_repair_symbols_come_back(vector: dict[str, Any]) -> None:
    packets = _rows(vector)
    symbols = np.frombuffer(bytes.fromhex(vector["symbols"]), np.uint8)
    coded = np.concatenate([packets, symbols.reshape(vector["repair"], -1)])
    present = np.ones(len(coded), np.bool_)
    present[: vector["repair"]] = False
    coded[~present] = 0xAA
    assert (fec.repair(coded, len(packets), present) == packets).all()


@pytest.mark.parametrize("vector", VECTORS["small"])
def test_the_parity_of_a_small_file_is_as_specified(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    symbols = vector["symbols"]
    assert fec.protect(data, repair=symbols / (255 - symbols)).hex() == vector["parity"]
    assert fec.correct(data, bytes.fromhex(vector["parity"])) == data


@pytest.mark.parametrize("vector", VECTORS["small"][2:])
def test_a_burst_and_a_missing_end_are_corrected(vector: dict[str, Any]) -> None:
    """[REC-5] [REC-6]"""
    data, parity = bytes.fromhex(vector["data"]), bytearray.fromhex(vector["parity"])
    parity[:8] = b"\xff" * 8
    damaged = bytearray(data[:-40])
    damaged[100:160] = bytes(60)
    assert fec.correct(bytes(damaged), bytes(parity)) == data


@pytest.mark.parametrize("vector", VECTORS["corrections"], ids=lambda vector: vector["what"])
def test_damage_is_corrected_or_refused_as_specified(vector: dict[str, Any]) -> None:
    """[REC-5] [REC-6]"""
    data, parity = bytes.fromhex(vector["data"]), bytes.fromhex(vector["parity"])
    if vector["file"] is None:
        with pytest.raises(RecoveryError):
            fec.correct(data, parity)
    else:
        assert fec.correct(data, parity).hex() == vector["file"]


def test_the_vectors_are_what_their_generator_writes() -> None:
    folder = Path(__file__).parent.parent / "spec/vectors"
    names = runpy.run_path(str(folder / "generate_fec.py"))
    assert VECTORS["blocks"] == [names["block"](*case) for case in names["BLOCKS"]]
    assert VECTORS["corrections"] == names["corrections"]()
