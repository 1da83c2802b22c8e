"""offer, policy and fetch --adapters, as they are typed."""

import hashlib
from pathlib import Path

import pytest

from shells import NAMES, Shell, with_providers

pytestmark = pytest.mark.once


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return with_providers(tmp_path, capsys)


@pytest.fixture
def offering(shell: Shell) -> Shell:
    """Three providers whose adapters are on offer."""
    for name in NAMES:
        shell.contribute(name, 0.1)
    parcels = [f"@{name}.parcel" for name in NAMES]
    said = shell("offer", "@repo", "net", *parcels, "--keys", "@keys")
    assert "on offer to clients of net: east, north, west" in said
    return shell


def sign(shell: Shell, name: str, *more: str, code: int = 0) -> str:
    return shell("policy", name, "@repo", "net", *more, "--keys", "@keys", code=code)


def fetch(shell: Shell, *more: str, code: int = 0) -> str:
    return shell(
        "fetch", "@repo", "net", "--root", "@repo/1.root.json", "-o", "@copy", *more, code=code
    )


def test_from_an_offer_to_a_file_with_adapters(offering: Shell) -> None:
    said = sign(
        offering, "city", "--part", "east", "--part", "north=0.5", "--part", "west",
        "--require", "north", "--never-together", "east,west",
    )  # fmt: skip
    assert "clients merge north 0.5, east 1" in said
    assert "left out: adapter of west: never together with east" in said
    said = fetch(offering, "--adapters", "city")
    assert "adapter of east: counts 1" in said
    copy = (offering.folder / "copy").read_bytes()
    assert copy != (offering.folder / "net.model").read_bytes()
    assert len(copy) == len((offering.folder / "net.model").read_bytes())
    fetch(offering, "--adapters", "city", "--store", "@store")
    assert (offering.folder / "copy").read_bytes() == copy


def test_the_log_shows_offers_and_policies_and_what_was_refused(offering: Shell) -> None:
    sign(offering, "city", "--part", "east=0.25", "--largest-norm", "5")
    sign(offering, "strict", "--part", "east", "--largest-norm", "1e-9", code=1)
    said = offering("log", "@repo", "net")
    assert "adapters to release 1: east" in said
    assert "policy city: east 0.25; norm at most 5" in said
    assert "policy strict" in said
    found = offering.read("log", "@repo", "net")
    assert sorted(found["adapters"]["1"]) == sorted(NAMES)
    assert found["policies"]["city"]["parts"] == [
        {"provider": "east", "share": 0.25, "required": False}
    ]
    assert [one["what"] for one in found["refused"]] == ["policy strict"]


def test_what_is_revoked_or_withdrawn_is_merged_no_more(offering: Shell) -> None:
    sign(offering, "city", "--part", "east", "--part", "north", "--part", "west")
    offering("revoke", "north", "@repo", "net", "--keys", "@keys")
    offering("offer", "@repo", "net", "--withdraw", "west", "--keys", "@keys")
    said = fetch(offering, "--adapters", "city")
    assert "adapter of east: counts 1" in said
    assert "left out: adapter of north" in said
    assert "left out: adapter of west" in said


def test_a_revocation_names_the_policies_that_required_it(offering: Shell) -> None:
    sign(offering, "city", "--part", "east", "--require", "east")
    sign(offering, "other", "--part", "east", "--part", "west")
    said = offering("revoke", "east", "@repo", "net", "--keys", "@keys")
    assert "clients merge nothing by policies that require it: city" in said
    said = fetch(offering, "--adapters", "city", code=1)
    assert "adapter of east: east is no provider of net any more" in said
    assert "adapter of west: counts 1" in fetch(offering, "--adapters", "other")


def test_without_a_policy_the_file_is_that_of_the_release(offering: Shell) -> None:
    fetch(offering)
    digests = [hashlib.sha256(_read(offering, name)).digest() for name in ("copy", "net.model")]
    assert digests[0] == digests[1]


def _read(shell: Shell, name: str) -> bytes:
    return Path(shell.folder, name).read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--part", "east=much"), 2, "expected a provider, or one, '=', a share"),
        (("--part", "east=17"), 1, "counts 1114112"),
        (("--part", "east", "--require", "west"), 2, "--require west: it is no part"),
        (("--part", "nobody"), 2, "none of that name"),
        (("--part", "east", "--never-together", "east,west"), 1, "an exclusion of east, west"),
    ],
)
def test_a_policy_that_makes_no_sense_is_said(
    offering: Shell, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in sign(offering, "city", *words, code=code)


def test_a_policy_before_its_offers_says_that_there_are_none(shell: Shell) -> None:
    assert "nothing is on offer to the last release" in sign(shell, "city", "--part", "east")


@pytest.mark.parametrize("network", ["net", "alone"])
def test_a_policy_that_is_not_there_is_said_before_anything_is_fetched(
    shell: Shell, network: str
) -> None:
    shell(
        "publish", "@net.model", "--repo", "@repo", "--keys", "@keys", "--name", network,
        "--ladder", "3b,exact", "--fresh",
    )  # fmt: skip
    where = ("fetch", "@repo", network, "--root", "@repo/1.root.json", "-o", "@copy")
    said = shell(*where, "--adapters", "nope", code=1)
    assert f"{network}: no adapter policy 'nope' is signed for" in said
    assert "layer 1: " not in said  # the base may have come with the metadata
    assert not (shell.folder / "copy").exists()


def test_wrong_use_is_said(offering: Shell) -> None:
    assert "no adapter policy" in fetch(offering, "--adapters", "nothing", code=1)
    assert "leave out --layer" in fetch(offering, "--adapters", "x", "--layer", "0", code=2)
    assert "expected parcels" in offering("offer", "@repo", "net", "--keys", "@keys", code=2)
    assert "nothing of it" in offering(
        "offer", "@repo", "net", "--withdraw", "nobody", "--keys", "@keys", code=2
    )
