"""What an installed wheel contains; tox runs the tests on one."""

from importlib import metadata
from importlib.util import find_spec
from pathlib import PurePosixPath

import pytest


def installed() -> list[PurePosixPath]:
    try:
        found = metadata.distribution("midstream")
    except metadata.PackageNotFoundError:
        pytest.skip("not installed")
    if not found.read_text("RECORD"):
        pytest.skip("not installed from a wheel")
    return [PurePosixPath(path) for path in found.files or []]


def contents() -> list[PurePosixPath]:
    return [path for path in installed() if path.parts[0] == "midstream"]


def test_a_wheel_has_what_its_modules_read():
    found = {str(path.relative_to("midstream")) for path in contents()}
    assert {"__init__.py", "py.typed", "codec/tables.bin", "kernels/_native.pyi"} <= found


def test_a_wheel_has_the_module_that_the_command_begins_with():
    assert PurePosixPath("midstream_command.py") in installed()


def test_a_wheel_has_the_kernels_in_c_but_not_their_sources():
    suffixes = {path.suffix for path in contents()}
    assert not suffixes & {".c", ".h", ".o"}
    assert (".so" in suffixes) == bool(find_spec("midstream.kernels._native"))
