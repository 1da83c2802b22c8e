"""The numbers in spec/registries.toml are those of the code."""

import tomllib
from enum import IntEnum
from pathlib import Path

import pytest

from midstream.bitstream import Operation
from midstream.errors import ErrorCode
from midstream.trust import provenance, updates
from midstream.types import DType, UnitKind

REGISTRIES = tomllib.loads(
    (Path(__file__).parent.parent / "spec/registries.toml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("unit_kinds", UnitKind),
        ("operations", Operation),
        ("dtypes", DType),
        ("error_codes", ErrorCode),
    ],
)
def test_a_registry_lists_each_number_of_the_code_and_no_other(
    name: str, numbers: type[IntEnum]
) -> None:
    assert REGISTRIES[name] == {member.name.lower(): int(member) for member in numbers}


def test_reserved_extensions_have_to_be_understood() -> None:
    extensions = REGISTRIES["manifest_extensions"]
    known = {
        "provenance": provenance.TAG,
        "updates": updates.TAG,
        "lossy_updates": updates.LOSSY_TAG,
    }
    assert known.items() <= extensions.items()
    assert all(tag % 2 == 0 for name, tag in extensions.items() if name not in known)
