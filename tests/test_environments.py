"""What tests are skipped without is installed where the default tests run."""

import configparser
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ASKED = re.compile(r'importorskip\(\s*"([^"]+)"')
WANTED = {
    name for path in (ROOT / "tests").glob("*.py") for name in ASKED.findall(path.read_text())
}


def installed() -> set[str]:
    """Modules of packages in the environment `litert`, as far as they are named like these."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*tox["testenv"]["deps"].splitlines(), *tox["testenv:litert"]["deps"].splitlines()]
    for extra in tox["testenv"]["extras"].split(","):
        lines += project["optional-dependencies"][extra.strip()]
    return {re.split(r"[>=<;]", line)[0].strip().replace("-", "_") for line in lines}


@pytest.mark.parametrize("module", sorted(WANTED))
def test_no_test_is_skipped_everywhere_for_want_of_a_package(module: str) -> None:
    assert module in installed() | {"midstream.kernels._native"}  # what a compiler makes
