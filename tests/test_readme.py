"""The README's example does what it says."""

import doctest
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_the_library_example_of_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(README.parent)
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted > 8
    assert result.failed == 0


def test_the_library_example_of_the_readme_is_below_twenty_lines() -> None:
    lines = README.read_text().splitlines()
    assert sum(line.startswith((">>>", "...")) for line in lines) < 20
