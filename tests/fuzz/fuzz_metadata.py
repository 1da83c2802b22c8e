"""Damaged manifests, bundles and units in pieces: an error of ours or what was made.

python tests/fuzz/fuzz_metadata.py -max_total_time=60 -timeout=10 -rss_limit_mb=1024
"""

import sys
import warnings
from contextlib import suppress
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["midstream"]):
    from midstream.bitstream import UnitReader, read_unit
    from midstream.errors import DataError
    from midstream.trust import bundle, manifest

from mutations import damage
from seeds import stacks

from trusting import release

MANIFEST = manifest.encode(release())
BUNDLE = bundle.encode({"a/1.manifest": MANIFEST, "b": b"x" * 90})
UNITS = [unit for stack in stacks() for unit in stack]


def read_in_pieces(data: bytes, size: int) -> None:
    """A reader that takes pieces refuses what the one that takes all refuses, and no more."""
    reader = UnitReader()
    records = []
    try:
        for start in range(0, len(data), size):
            records += reader.feed(data[start : start + size])
        reader.close()
    except DataError:
        try:
            read_unit(data)
        except DataError:
            return
        raise
    assert records == list(read_unit(data).records)


def test_one(data: bytes) -> None:
    """One of the three."""
    choices = atheris.FuzzedDataProvider(data)
    what = choices.ConsumeIntInRange(0, 2)
    if what == 0:
        with suppress(DataError):
            changed = manifest.decode(damage(MANIFEST, choices))
            assert manifest.decode(manifest.encode(changed)) == changed
    elif what == 1:
        with suppress(DataError):
            bundle.decode(damage(BUNDLE, choices))
    else:
        size = choices.ConsumeIntInRange(1, 400)
        unit = UNITS[choices.ConsumeIntInRange(0, len(UNITS) - 1)]
        read_in_pieces(damage(unit, choices), size)


if __name__ == "__main__":
    warnings.simplefilter("error")
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
