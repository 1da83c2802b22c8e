"""The threat table of spec/security.md: every attack is named, and every test it names is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "spec/security.md").read_text()
TUF = {  # The Update Framework, specification 1.0, section 1.5
    "arbitrary software",
    "endless data",
    "extraneous dependencies",
    "fast-forward",
    "indefinite freeze",
    "malicious mirrors preventing updates",
    "mix-and-match",
    "rollback",
    "slow retrieval",
    "vulnerability to key compromise",
    "wrong software installation",
}
DEFINED = {
    name
    for path in TESTS.glob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
}


def rows() -> list[list[str]]:
    """Cells of each row of the tables of attacks, but for their heads."""
    found: list[list[str]] = []
    for line in TABLE.splitlines():
        if line.startswith("| attack |"):
            found.append([])
        elif line.startswith("|") and found and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return [row for row in found if row]


def test_every_test_in_the_table_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert len(named) > 50
    assert named <= DEFINED


def test_every_attack_of_tuf_has_a_test_by_its_name() -> None:
    tests = {row[0]: row[-1] for row in rows()}
    for attack in TUF:
        assert f"test_{attack.replace('-', '_').replace(' ', '_')}" in tests[attack], attack


def test_every_attack_in_the_table_has_a_test() -> None:
    assert [row[0] for row in rows() if not re.search(r"`test_\w+`", row[-1])] == []
