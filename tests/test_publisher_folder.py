"""A publisher makes and deletes nothing in a folder that is no repository."""

from collections.abc import Callable
from pathlib import Path

import pytest

from midstream import Publisher
from midstream.errors import ErrorCode, TrustError, UsageError
from midstream.merging.policy import MergePolicy, Rule
from midstream.publisher.adapters import Adapters
from midstream.publisher.providers import Providers
from midstream.publisher.updating import UpdatePolicy
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from models import mlp
from published import NAME, signer

MODEL = mlp((16, 32, 4), seed=3)
MINE = [".new-thing", "units/.new-thing", f"targets/{NAME}/.new-thing", "work/deep/.new-thing"]
"""Files of a user, who may name them as we name ours."""
RULES = MergePolicy(rule=Rule.MEAN)
POLICY = AdapterPolicy(
    network=NAME, parts=(PolicyPart(provider="ann", share=1.0),), largest_norm=1.0
)
ASKED: list[Callable[[Path], object]] = [
    lambda folder: Publisher(folder, signer=signer()).renew(),
    lambda folder: Publisher(folder, signer=signer()).expiries(),
    lambda folder: Publisher(folder, signer=signer()).rotate("root", [signer()]),
    lambda folder: Publisher(folder, signer=signer()).republish(NAME, 1),
    lambda folder: Publisher(folder, signer=signer()).publish(
        MODEL, name=NAME, updates=UpdatePolicy(only=1)
    ),
    lambda folder: Providers(folder, signer=signer()).add(NAME, "ann", [signer().public]),
    lambda folder: Providers(folder, signer=signer()).revoke(NAME, "ann"),
    lambda folder: Providers(folder, signer=signer()).merge(NAME, [b""], policy=RULES),
    lambda folder: Providers(folder, signer=signer()).revert(NAME, 1),
    lambda folder: Adapters(folder, signer=signer()).offer(NAME, [b""]),
    lambda folder: Adapters(folder, signer=signer()).withdraw(NAME, "ann"),
    lambda folder: Adapters(folder, signer=signer()).sign_policy(NAME, "p", POLICY),
]


def fill(folder: Path) -> None:
    for name in MINE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"mine")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ask", ASKED)
def test_a_folder_that_is_no_repository_stays_as_it_is(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    fill(tmp_path)
    with pytest.raises(UsageError) as caught:
        ask(tmp_path)
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert files(tmp_path) == set(MINE)


def test_metadata_without_a_root_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/of-mine.json").write_bytes(b"{}")
    with pytest.raises(TrustError):
        Publisher(tmp_path, signer=signer()).publish(MODEL, name=NAME, ladder="exact")
    assert files(tmp_path) == {*MINE, "metadata/of-mine.json"}


def test_what_a_killed_publisher_left_half_written_is_removed(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    publisher.publish(MODEL, name=NAME, ladder="exact")
    there = files(tmp_path)
    ours = ["", "metadata", f"targets/{NAME}", "units", "bundles", "contributions/net", ".refused"]
    for folder in ours:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / ".new-half").write_bytes(b"half")
    publisher.expiries()
    assert files(tmp_path) == there


def test_what_is_in_no_folder_of_a_repository_is_not_removed(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, signer=signer())
    fill(tmp_path)
    publisher.publish(MODEL, name=NAME, ladder="exact")
    assert files(tmp_path) >= set(MINE)  # there was no root yet
    publisher.expiries()
    assert "work/deep/.new-thing" in files(tmp_path)
