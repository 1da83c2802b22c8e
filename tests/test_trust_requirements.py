"""Each requirement of spec/trust.md is named by a test, and no test names one that is not there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
SPECIFICATION = (TESTS.parent / "spec" / "trust.md").read_text()


def test_the_specification_and_the_tests_name_the_same_requirements() -> None:
    stated = set(re.findall(r"^- (\[TRU-\d+\])", SPECIFICATION, re.MULTILINE))
    texts = [path.read_text() for path in TESTS.glob("test_*.py") if path != Path(__file__)]
    tested = {found for text in texts for found in re.findall(r"\[TRU-\d+\]", text)}
    assert tested == stated
    assert stated == {f"[TRU-{number}]" for number in range(1, 17)}
