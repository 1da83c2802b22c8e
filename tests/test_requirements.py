"""Each requirement of the specification is named by a test, and no test names another one."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SPECIFICATION = TESTS.parent / "spec"
NAME = r"[A-Z]{3}-\d+"


def stated(path: Path) -> list[str]:
    """The requirements of a document, in order."""
    return re.findall(rf"^- \[({NAME})\]", path.read_text(), re.MULTILINE)


DOCUMENTS = {path.name: stated(path) for path in SPECIFICATION.glob("*.md") if stated(path)}
TESTED = {
    found
    for path in TESTS.glob("test_*.py")
    for found in re.findall(rf"\b{NAME}\b", path.read_text())
}


def prefix(name: str) -> str:
    """Which document a requirement is of."""
    return name.partition("-")[0]


def test_the_documents_that_state_requirements_are_these() -> None:
    assert {"bitstream.md", "coding.md", "recovery.md", "trust.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_requirements_are_numbered_from_one_under_one_prefix(document: str) -> None:
    names = DOCUMENTS[document]
    assert sorted(names) == sorted(f"{prefix(names[0])}-{n}" for n in range(1, len(names) + 1))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_requirement_is_named_by_a_test_and_no_other(document: str) -> None:
    names = DOCUMENTS[document]
    assert {name for name in TESTED if prefix(name) == prefix(names[0])} == set(names)
