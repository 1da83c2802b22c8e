"""delegate, contribute, merge, revoke, revert and log, as they are typed."""

from pathlib import Path

import numpy as np
import pytest

from shells import NAMES, Shell, with_providers

pytestmark = pytest.mark.once


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return with_providers(tmp_path, capsys)


def test_the_whole_way_from_contributions_to_a_release_and_back(shell: Shell) -> None:
    for name in NAMES:
        said = shell.contribute(name, 0.1, "--samples", "100", "--metric", "accuracy=0.9")
        assert "of the weights as float32" in said
    parcels = [f"@{name}.parcel" for name in NAMES]
    said = shell("merge", "@repo", "net", *parcels, "--rule", "mean", "--keys", "@keys")
    assert "net release 2" in said
    assert "0.333" in said
    assert "west" in shell("log", "@repo", "net")
    assert "* 2 <- 1  mean" in shell("log", "@repo", "net", "--graph")
    said = shell("revoke", "west", "@repo", "net", "--keys", "@keys")
    assert "is in release 2;" in said
    typed = said.split("`midstream ")[1].split("`")[0].replace("RELEASE", "1")
    shell(*typed.replace("KEYS", "@keys").split())
    found = shell.read("log", "@repo", "net")
    assert [one["release"] for one in found["releases"]] == [1, 2, 3]
    assert found["releases"][2]["provenance"]["rule"] == "revert"
    assert found["releases"][2]["model_sha256"] == found["releases"][0]["model_sha256"]


def test_refusals_are_in_the_log(shell: Shell) -> None:
    for name in NAMES:
        shell.contribute(name, 0.1)
    shell("revoke", "east", "@repo", "net", "--keys", "@keys")
    parcels = [f"@{name}.parcel" for name in NAMES]
    found = shell.read("merge", "@repo", "net", *parcels, "--rule", "mean", "--keys", "@keys")
    assert sorted(found["shares"]) == ["north", "west"]
    assert "contribution of east" in shell("log", "@repo", "net")
    assert shell.read("log", "@repo", "net")["refused"][0]["error"] == "UNKNOWN_ROLE"


def test_a_program_judges_what_is_merged(shell: Shell) -> None:
    gate = shell.folder / "gate"
    gate.write_text("#!/bin/sh\nwc -c < $1\n")
    gate.chmod(0o755)
    shell.contribute("east", 0.1)
    words = ["merge", "@repo", "net", "@east.parcel", "--rule", "mean", "--keys", "@keys"]
    found = shell.read(*words, "--gate", "@gate", "--gate-each")
    assert found["gate"][0] == found["gate"][1]
    assert not (shell.folder / "repo" / ".gate-model").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "exit status 3"), ("echo good", "expected a number"), ("true", "expected a")],
)
def test_a_gate_that_fails_is_said(shell: Shell, script: str, said: str) -> None:
    gate = shell.folder / "gate"
    gate.write_text(f"#!/bin/sh\n{script}\n")
    gate.chmod(0o755)
    shell.contribute("east", 0.1)
    words = ["merge", "@repo", "net", "@east.parcel", "--rule", "mean", "--keys", "@keys"]
    assert said in shell(*words, "--gate", "@gate", code=2)


def test_what_is_left_over_is_kept_in_a_file(shell: Shell) -> None:
    shell.contribute("east", 0.1, "--left-over", "@east.npy")
    first = np.load(shell.folder / "east.npy")
    shell.contribute("east", 0.1, "--left-over", "@east.npy")
    assert first.shape == (600,)
    assert not np.array_equal(np.load(shell.folder / "east.npy"), first)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("delegate", "new", "@repo", "net", "--key", "12", "--keys", "@keys"), "64 hexadecimal"),
        (("delegate", "east", "@repo", "net", "--key", "ab" * 32, "--keys", "@keys"), "of that"),
        (("revoke", "nobody", "@repo", "net", "--keys", "@keys"), "none of that name"),
        (("log", "@repo", "other"), "no network 'other'"),
        (("revert", "@repo", "net", "--to", "9", "--keys", "@keys"), "no release 9"),
        (("merge", "@repo", "net", "@nothing", "--keys", "@keys"), "nothing"),
        (("keygen", "@more", "--provider", "Not a name", "--plain"), "expected 1 to 64"),
    ],
)
def test_wrong_use_is_said(shell: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in shell(*words, code=2)


def test_a_metric_is_a_name_and_a_number(shell: Shell) -> None:
    shell.write("east.model", 0.1)
    words = ["contribute", "@east.model", "--parent", "@net.model", "--network", "net"]
    words += ["--release", "1", "--provider", "east", "--keys", "@east-keys", "-o", "@p"]
    assert "a name, '='" in shell(*words, "--metric", "accuracy", code=2)
