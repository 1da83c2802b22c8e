"""The committed tables: whole, well formed, and what the generator computes."""

import hashlib
import runpy
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from midstream.codec import tables

ROOT = Path(__file__).parent.parent
FAMILIES = [
    tables.level_family,
    tables.digit_family,
    tables.binary_family,
    tables.value_family,
]


def committed() -> bytes:
    return resources.files("midstream.codec").joinpath("tables.bin").read_bytes()


def test_the_spec_names_the_hash_of_the_committed_file():
    digest = hashlib.sha256(committed()).hexdigest()
    assert digest in (ROOT / "spec" / "coding.md").read_text()


@pytest.mark.once
def test_the_generator_comes_within_one_count_of_the_committed_file():
    generated = runpy.run_path(str(ROOT / "spec" / "tables" / "generate.py"))["tables"]()
    assert len(generated) == len(committed())
    ours, theirs = (np.frombuffer(data, np.uint8).astype(int) for data in (generated, committed()))
    # the bytes of a count one away differ by one, or by one and a carry
    assert np.count_nonzero(ours != theirs) < 20


@pytest.mark.parametrize("family", FAMILIES)
def test_frequencies_are_positive_and_add_up(family):
    found = family()
    assert found.frequencies.min() >= 1
    assert np.all(np.add.reduceat(found.frequencies, found.firsts) == 4096)
    assert found.sizes.max() <= 128


def test_there_are_as_many_tables_as_the_spec_says():
    sizes = [len(family().sizes) for family in FAMILIES]
    assert sizes == [369, 16 * 1584, 32, 16 * 8 * 12]
    assert tables.DIGIT_TABLES == 1584


def test_level_tables_are_symmetric_about_their_phase():
    family, lowest = tables.level_family(), tables.lowest_symbols()
    for table in range(246):  # those of the third phase are not symmetric
        first, size = family.firsts[table], family.sizes[table]
        counts = family.frequencies[first : first + size - 1].astype(int) // 2
        phase, width = table // 123, table % 41
        if width <= tables.UNSHIFTED_WIDTH:
            assert 2 * lowest[table] + size - 2 == phase
            assert np.abs(counts - counts[::-1]).max() <= 1


def test_frequencies_of_levels_are_even():
    assert not (tables.level_family().frequencies % 2).any()


def test_a_lookup_names_symbol_frequency_and_place_for_each_slot():
    family = tables.level_family()
    frequencies, offsets, names = (part[1] for part in family.lookup(np.array([60, 3])))
    counts = family.frequencies[family.firsts[3] : family.firsts[3] + family.sizes[3]]
    symbols = np.repeat(np.arange(len(counts)), counts)
    assert np.array_equal(names, symbols)
    assert np.array_equal(frequencies, counts[symbols])
    assert np.array_equal(offsets, np.arange(4096) - (np.cumsum(counts) - counts)[symbols])


def test_binary_tables_cover_the_range_evenly():
    family = tables.binary_family()
    assert family.frequencies[:4].tolist() == [4032, 64, 3904, 192]
    assert family.frequencies[-2:].tolist() == [64, 4032]
