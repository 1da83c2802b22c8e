"""The C functions themselves: no size is believed, and NumPy does without them."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from midstream import kernels

built = pytest.mark.skipif(not find_spec("midstream.kernels._native"), reason="no compiler")


def rans_arguments(**changed: object) -> list[object]:
    arguments = {
        "words": np.zeros(2, np.uint16),
        "ends": np.zeros(1, np.int64),
        "states": np.full(1, 1 << 16, np.uint32),
        "counts": np.array([3]),
        "lanes": np.array([1]),
        "tables": np.zeros(3, np.uint16),
        "frequencies": np.full((1, 4096), 4096, np.uint16),
        "offsets": np.arange(4096, dtype=np.uint16),
        "names": np.zeros((1, 4096), np.uint8),
        "symbols": np.ones(3, np.uint8),
    }
    return list((arguments | changed).values())


@built
def test_the_arguments_of_the_next_tests_are_good_but_for_one():
    from midstream.kernels import _native

    arguments = rans_arguments()
    assert _native.rans_decode(*arguments) is None
    assert not arguments[-1].any()


@built
@pytest.mark.parametrize(
    "changed",
    [
        {"words": np.zeros(0, np.uint16)},
        {"words": np.zeros(3, np.uint8)},
        {"words": np.zeros(5, np.uint8)[1:]},
        {"ends": np.full(1, -1)},
        {"ends": np.zeros(2, np.int64)},
        {"states": np.zeros(2, np.uint32)},
        {"counts": np.array([2])},
        {"counts": np.array([4])},
        {"counts": np.array([-1])},
        {"counts": np.array([1 << 62])},
        {"lanes": np.array([0])},
        {"lanes": np.array([2])},
        {"tables": np.array([0, 1, 0], np.uint16)},
        {"tables": np.array([0, 0, 65535], np.uint16)},
        {"tables": np.zeros(4, np.uint16)},
        {"frequencies": np.zeros(4095, np.uint16)},
        {"offsets": np.zeros(4097, np.uint16)},
        {"names": np.zeros(4095, np.uint8)},
        {"symbols": np.zeros(2, np.uint8)},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_decoding_refuses_sizes_that_do_not_fit(changed):
    from midstream.kernels import _native

    with pytest.raises(ValueError, match=r"."):
        _native.rans_decode(*rans_arguments(**changed))


@built
def test_results_are_not_written_into_what_is_read_only():
    from midstream.kernels import _native

    with pytest.raises(TypeError, match="read-write"):
        _native.rans_decode(*rans_arguments(symbols=bytes(3)))


@built
@pytest.mark.parametrize(
    ("frequency", "start"),
    [(0, 0), (65535, 0), (4097, 0), (1, 4096), (4096, 1), (1, 65535)],
)
def test_encoding_refuses_frequencies_that_no_table_has(frequency, start):
    from midstream.kernels import native_kernels

    with pytest.raises(ValueError, match="out of range"):
        native_kernels.rans_encode(
            np.zeros(2, np.int32),
            np.array([1, frequency], np.uint16),
            np.array([0, start], np.uint16),
            np.array([2]),
            np.array([1]),
        )


@built
@pytest.mark.parametrize("symbol", [-1, 2, (1 << 31) - 1])
def test_encoding_refuses_symbols_that_no_table_has(symbol):
    from midstream.kernels import native_kernels

    tables = np.array([1, 4095], np.uint16), np.array([0, 1], np.uint16)
    with pytest.raises(ValueError, match="out of range"):
        native_kernels.rans_encode(
            np.array([0, symbol], np.int32), *tables, np.array([2]), np.array([1])
        )


@built
@pytest.mark.parametrize("width", [-1, 58, 64, 1 << 40])
def test_fields_are_at_most_57_bits_wide(width):
    from midstream.kernels import native_kernels

    widths = np.array([3, width])
    with pytest.raises(ValueError, match="wider"):
        native_kernels.pack_bits(np.zeros(2, np.uint64), widths)
    with pytest.raises(ValueError, match="wider"):
        native_kernels.unpack_bits(np.zeros(99, np.uint8), widths)


@built
def test_fields_are_not_read_beyond_their_data():
    from midstream.kernels import native_kernels

    with pytest.raises(ValueError, match="end early"):
        native_kernels.unpack_bits(np.zeros(2, np.uint8), np.array([16, 1]))


@built
def test_a_varint_of_more_than_35_bits_is_not_written():
    from midstream.kernels import native_kernels

    with pytest.raises(ValueError, match="35 bits"):
        native_kernels.write_varints(np.array([1, 1 << 35], np.uint64))


SHOW = """
from midstream import kernels
print(kernels.NAME, kernels.pack_bits.__module__, kernels.NATIVE_STATUS)
"""
DAMAGED = """
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import spec_from_file_location

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "midstream.kernels._native":
            loader = ExtensionFileLoader(name, sys.argv[1])
            return spec_from_file_location(name, sys.argv[1], loader=loader)

sys.meta_path.insert(0, Finder)
"""


def chosen(
    wanted: str | None, *arguments: object, before: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in os.environ if name != "MIDSTREAM_KERNELS"}
    if wanted is not None:
        environment["MIDSTREAM_KERNELS"] = wanted
    return subprocess.run(
        [sys.executable, "-c", before + SHOW, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("name", ["numpy", pytest.param("native", marks=built)])
def test_a_variable_asks_for_one_implementation(name):
    assert chosen(name).stdout.split()[:2] == [name, f"midstream.kernels.{name}_kernels"]


def test_an_implementation_that_nobody_knows_is_refused():
    assert "'native' or 'numpy' is known" in chosen("fortran").stderr


@pytest.fixture
def damaged(tmp_path):
    path = tmp_path / "_native.abi3.so"
    path.write_bytes(b"\x7fELF")
    return path


def test_numpy_does_without_an_extension_that_cannot_be_loaded(damaged):
    result = chosen(None, damaged, before=DAMAGED)
    assert result.stdout.startswith("numpy midstream.kernels.numpy_kernels cannot be loaded: ")
    assert "UserWarning: NumPy is in use: the kernels in C cannot be loaded" in result.stderr


def test_an_extension_that_is_asked_for_and_cannot_be_loaded_is_an_error(damaged):
    result = chosen("native", damaged, before=DAMAGED)
    assert result.returncode == 1
    assert "ImportError" in result.stderr


def test_nothing_is_said_of_a_damaged_extension_where_numpy_is_asked_for(damaged):
    result = chosen("numpy", damaged, before=DAMAGED)
    assert result.stdout.split("_kernels ")[1].strip() == "not asked for"
    assert not result.stderr


def test_the_name_is_that_of_what_is_in_use():
    assert kernels.pack_bits.__module__ == f"midstream.kernels.{kernels.NAME}_kernels"
    assert (kernels.NATIVE_STATUS == "in use") == (kernels.NAME == "native")
