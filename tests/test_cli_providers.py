"""delegate, contribute, merge, revoke, revert and log, as they are typed."""

from pathlib import Path

import numpy as np
import pytest

from midstream.publisher import history
from shells import NAMES, Shell, with_providers
from tensorfiles import normal, safetensors

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
    [
        ("exit 3", "gate ended with exit status 3"),
        ("echo no inputs >&2; exit 1", "gate ended with exit status 1: no inputs"),
        ("echo good", "expected a number"),
        ("true", "expected a number"),
        (None, "gate cannot be run: No such file or directory"),
    ],
)
def test_a_gate_that_fails_is_said_and_in_the_log(
    shell: Shell, script: str | None, said: str
) -> None:
    if script is not None:
        gate = shell.folder / "gate"
        gate.write_text(f"#!/bin/sh\n{script}\n")
        gate.chmod(0o755)
    shell.contribute("east", 0.1)
    words = ["merge", "@repo", "net", "@east.parcel", "--rule", "mean", "--keys", "@keys"]
    printed = shell(*words, "--gate", "@gate", code=2)
    assert printed.count(said) == 1
    (refused,) = shell.read("log", "@repo", "net")["refused"]
    assert (refused["what"], refused["provider"]) == ("merge", "east")
    assert said in refused["message"]
    assert [one["release"] for one in shell.read("log", "@repo", "net")["releases"]] == [1]


def refused(shell: Shell, said: str, *more: str) -> str:
    """What `contribute` refuses of east: no parcel is there, and its log says why."""
    words = ["contribute", "@east.model", "--parent", "@net.model", "--network", "net"]
    words += ["--release", "1", "--keys", "@east-keys", "-o", "@east.parcel"]
    shell(*words, *(more or ("--provider", "east")), code=1 if "tensors" in said else 2)
    assert not (shell.folder / "east.parcel").exists()
    (found,) = shell.read("log", "--provider", "@east-keys", "net")["refused_by_contribute"]
    assert found["what"] == "contribution"
    assert said in found["message"]
    told = " ".join(shell("log", "--provider", "@east-keys", "net").split())
    assert f"contribution of {found['provider']} to release 1 │" in told
    error: str = found["error"]
    return error


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38], ids=["NaN", "infinite", "huge"])
def test_contribute_refuses_a_model_that_is_not_finite(shell: Shell, value: float) -> None:
    """A change that is beyond the floats is not finite either."""
    weights = normal(30, 20).astype("<f4")
    weights[3, 4] = -3e38
    (shell.folder / "net.model").write_bytes(safetensors({"a": weights}))
    weights[3, 4] = value
    (shell.folder / "east.model").write_bytes(safetensors({"a": weights}))
    assert refused(shell, "1 of its changes are not finite") == "BAD_ARGUMENT"


def test_contribute_refuses_a_model_of_wrong_shapes(shell: Shell) -> None:
    data = safetensors({"a": normal(20, 15).astype("<f4")})
    (shell.folder / "east.model").write_bytes(data)
    assert refused(shell, "tensors that differ in name, type or shape") == "BAD_HEADER"


def test_contribute_refuses_who_has_no_key_of_that_provider(shell: Shell) -> None:
    shell.write("east.model", 0.1)
    assert refused(shell, "there is no key of it", "--provider", "west") == "BAD_KEY"


def test_contribute_refuses_a_model_that_changes_nothing(shell: Shell) -> None:
    shell.write("east.model", 0)
    assert refused(shell, "nothing") == "BAD_ARGUMENT"


def test_a_folder_that_is_not_there_is_not_made_for_a_log(shell: Shell) -> None:
    shell.write("east.model", 0.1)
    shell(
        "contribute", "@east.model", "--parent", "@net.model", "--network", "net", "--release", "1",
        "--provider", "east", "--keys", "@typo", "-o", "@p", code=2,
    )  # fmt: skip
    assert not (shell.folder / "typo").exists()
    assert "no folder of a provider's keys" in shell("log", "--provider", "@typo", "net", code=2)
    assert "refused nothing" in shell("log", "--provider", "@east-keys", "net")


def test_where_no_log_can_be_written_the_error_is_the_same(shell: Shell) -> None:
    shell.write("east.model", 0)
    (shell.folder / "east-keys" / "refused.jsonl").mkdir()
    words = ["contribute", "@east.model", "--parent", "@net.model", "--network", "net"]
    words += ["--release", "1", "--provider", "east", "--keys", "@east-keys", "-o", "@p"]
    said = shell(*words, code=2)
    assert "warning: what was refused is in no log" in said
    assert "nothing" in said


def test_a_revert_that_brings_back_what_was_revoked_says_so(shell: Shell) -> None:
    for name in NAMES[:2]:
        shell.contribute(name, 0.1)
    parcels = [f"@{name}.parcel" for name in NAMES[:2]]
    shell("merge", "@repo", "net", *parcels, "--rule", "mean", "--keys", "@keys")
    shell("revoke", "east", "@repo", "net", "--keys", "@keys")
    words = ["revert", "@repo", "net", "--to", "2", "--keys", "@keys"]
    said = shell(*words, code=2)
    assert "net release 2 holds what east contributed to release 2, revoked since" in said
    assert "revert to release 2 │ net release 2 holds" in " ".join(
        shell("log", "@repo", "net").split()
    )
    said = shell(*words, "--despite", "east")
    assert "warning: east is revoked, and what it contributed is in release 3" in said
    assert "net release 3 is release 2 again" in said
    assert shell.read(*words[:4], "1", *words[5:])["revoked"] == []


def test_a_merge_onto_what_was_revoked_says_so(shell: Shell) -> None:
    for name in NAMES[:2]:
        shell.contribute(name, 0.1)
    shell("merge", "@repo", "net", "@east.parcel", "--rule", "mean", "--keys", "@keys")
    shell("revoke", "east", "@repo", "net", "--keys", "@keys")
    words = ["merge", "@repo", "net", "--rule", "mean", "--keys", "@keys", "--release"]
    assert shell.read(*words, "1", "@north.parcel")["revoked"] == []
    repo = shell.folder / "repo"
    merged = history.exact_model(repo, history.manifest_of(repo, "net", 2))
    (shell.folder / "net.model").write_bytes(merged)
    shell.contribute("west", 0.1, "--release", "2")
    said = shell(*words, "2", "@west.parcel")
    assert "warning: east is revoked, and what it contributed is in release 4" in said


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
