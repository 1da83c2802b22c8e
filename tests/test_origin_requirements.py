"""Each requirement of spec/delivery.md is named by a test, and no test names one that is not."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
SPECIFICATION = (TESTS.parent / "spec" / "delivery.md").read_text()


def test_the_specification_and_the_tests_name_the_same_requirements() -> None:
    stated = re.findall(r"^- (\[DEL-\d+\])", SPECIFICATION, re.MULTILINE)
    texts = [path.read_text() for path in TESTS.glob("test_*.py") if path != Path(__file__)]
    tested = {found for text in texts for found in re.findall(r"\[DEL-\d+\]", text)}
    assert tested == set(stated)
    assert stated == [f"[DEL-{number}]" for number in range(1, len(stated) + 1)]
