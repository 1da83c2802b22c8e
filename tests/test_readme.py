"""The README's example does what it says."""

import doctest
import re
from pathlib import Path

import pytest

from midstream.cli.main import build_parser

FAMILIAR = {"renew"}  # another name of refresh
README = Path(__file__).parent.parent / "README.md"


def test_the_library_example_of_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(README.parent)
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted > 8
    assert result.failed == 0


def test_the_library_example_of_the_readme_is_below_twenty_lines() -> None:
    lines = README.read_text().splitlines()
    assert sum(line.startswith((">>>", "...")) for line in lines) < 20


def test_the_readme_names_every_verb_of_the_command_line() -> None:
    (verbs,) = (a.choices for a in build_parser()._actions if a.dest == "verb")
    assert verbs is not None
    text = README.read_text()
    assert len(verbs) > 15
    named = set(re.findall(r"(?<=midstream )[a-z]+|(?<=`)[a-z]+", text))
    assert set(verbs) - named - FAMILIAR == set()
