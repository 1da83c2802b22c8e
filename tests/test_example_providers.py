"""Pages of commands name all that the commands take, and their examples do what they say."""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from midstream.cli.main import build_parser
from midstream.errors import ErrorCode

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PAGES = {
    "contribute": ["contribute"],
    "merge": ["merge"],
    "revoke": ["revoke", "revert"],
    "log": ["log"],
    "adapters": ["offer", "policy"],
}
EXAMPLES = ROOT / "examples" / "providers"
MOST_LINES = 80


def page(name: str) -> str:
    return (EXAMPLES / f"{name}.md").read_text()


def options(verb: str) -> set[str]:
    """The long options that a command takes."""
    (verbs,) = [
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    parser: argparse.ArgumentParser = verbs.choices[verb]
    long = {option for action in parser._actions for option in action.option_strings}
    return {option for option in long if option.startswith("--")} - {"--help"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_all_that_its_commands_take_and_nothing_else(name: str) -> None:
    taken = {option for verb in PAGES[name] for option in options(verb)}
    named = set(re.findall(r"^\| `(?:-o`, `)?(--[a-z-]+)", page(name), re.MULTILINE))
    assert named <= taken
    assert taken <= set(re.findall(r"--[a-z-]+", page(name)))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_gives_codes_that_there_are(name: str) -> None:
    found = re.findall(r"([A-Z][A-Z_]+) (\d{3})\b", page(name))
    assert found
    for code, number in found:
        assert ErrorCode[code] == int(number)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_an_example_of_few_lines(name: str) -> None:
    assert f"({name}.py)" in page(name)
    lines = (EXAMPLES / f"{name}.py").read_text().splitlines()
    assert len(lines) <= MOST_LINES


def test_an_example_is_whole() -> None:
    """No other file lies beside the examples that they would need."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PAGES)


def run(name: str, repo: Path, expected: Sequence[str]) -> str:
    """What an example prints, in which these come one after the other."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), str(repo)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    at = 0
    for words in expected:
        assert (at := done.stdout.find(words, at)) >= 0, (words, done.stdout)
    return done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_an_example_says_what_it_wants(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {name}.py [-h] repo")


def test_contributions_teach_a_release_after_the_other(tmp_path: Path) -> None:
    printed = run("contribute", tmp_path / "repo", ["release 1:", "release 7:"])
    off = [float(number) for number in re.findall(r"off by ([\d.]+)", printed)]
    assert off[-1] < off[0] / 10


def test_a_merge_bears_a_liar(tmp_path: Path) -> None:
    expected = ["the mean, refused: merge: the gate says", "release 2: the gate says"]
    printed = run("merge", tmp_path / "repo", [*expected, "berlin: counts", "lima: norm"])
    gate = [float(number) for number in re.findall(r"release \d: the gate says (\S+)", printed)]
    assert gate[1] > gate[0] / 2


def test_a_revoked_provider_is_found_and_reverted(tmp_path: Path) -> None:
    expected = [
        "release 2 counts berlin, lagos, lima, oslo",
        "lima is revoked; what it contributed is in release 2",
        "what it sent, refused: ",
        "the log: provider lima: there is none of that name",
        "release 3 is release 1 again",
        "release 4 counts berlin, lagos, oslo",
    ]
    run("revoke", tmp_path / "repo", expected)


def test_the_log_shows_a_history_in_three_ways(tmp_path: Path) -> None:
    expected = [
        "made by",
        "contribution of lima",
        "* 4 <- 2  revert",
        "x lima  norm",
        "* 1  published",
    ]
    last = ["1 published", "2 mean berlin lagos oslo", "4 revert", "refused lima UNKNOWN_ROLE"]
    run("log", tmp_path / "repo", [*expected, *last])


def test_a_camera_takes_the_adapter_of_its_city_and_leaves_it(tmp_path: Path) -> None:
    expected = [
        "with adapters by",
        "merged {'berlin': 1.0, 'lagos': 0.5}; left out: lima",
        "release=2, layer=1",
        "refused: adapter of berlin: berlin is no provider of traffic any more",
        "release=2, layer=0",
    ]
    printed = run("adapters", tmp_path / "repo", expected)
    found = re.search(r"off by ([\d.]+), with adapters by ([\d.]+)", printed)
    assert found is not None
    assert float(found[2]) < float(found[1])
