"""What documents and code say of each other: links, sections, files and requirements are there."""

import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
PAGES = [
    HOME / "README.md",
    *(page for folder in ("spec", "examples") for page in HOME.glob(f"{folder}/**/*.md")),
]
CODE = [path for folder in ("sdk", "spec", "benchmarks") for path in HOME.glob(f"{folder}/**/*.py")]

LINK = re.compile(r'\[[^\]]+\]\((?!http)([^)#\s]*)(#[^)]*)?\)(?:, "([^"]+)")?')
SECTION = re.compile(r'(spec/\w+\.md), "([^"]+)"')
NAMED_FILE = re.compile(r"`((?:tests|spec|benchmarks|examples|sdk)/[\w./-]+)")
REQUIREMENT = re.compile(r"\[([A-Z]{3}-[0-9]+)\]")


def name_of(path: Path) -> str:
    return str(path.relative_to(HOME))


def sections(page: Path) -> set[str]:
    lines = page.read_text().splitlines()
    return {line.lstrip("#").strip() for line in lines if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_leads_to_what_is_there(page: Path) -> None:
    text = page.read_text()
    for place, anchor, section in LINK.findall(text):
        target = page.parent / place if place else page
        assert target.exists(), place
        assert not section or section in sections(target), section
        titles = {title.lower().replace(" ", "-") for title in sections(target)} if anchor else ()
        assert not anchor or anchor[1:] in titles, anchor
    for file in NAMED_FILE.findall(text):
        assert (HOME / file.rstrip(".")).exists(), file


def test_sections_that_code_cites_are_there() -> None:
    cited = {(name_of(path), *found) for path in CODE for found in SECTION.findall(flat(path))}
    assert len(cited) > 20
    assert [one for one in sorted(cited) if one[2] not in sections(HOME / one[1])] == []


def test_requirements_that_code_cites_are_there() -> None:
    written = {one for page in PAGES for one in REQUIREMENT.findall(page.read_text())}
    cited = {(name_of(path), one) for path in CODE for one in REQUIREMENT.findall(path.read_text())}
    assert len(cited) > 10
    assert [one for one in sorted(cited) if one[1] not in written] == []


def flat(path: Path) -> str:
    """A file as one line: what it cites may go over the end of one."""
    return " ".join(path.read_text().split())
