"""Damaged model files: an error of ours, or holes that are in the file, apart, in order.

python tests/fuzz/fuzz_formats.py -max_total_time=60 -timeout=10 -rss_limit_mb=1024
"""

import sys
import warnings
from contextlib import suppress
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["midstream"]):
    from midstream import formats
    from midstream.bitstream import Topology
    from midstream.errors import DataError

from mutations import damage
from seeds import model_files

FILES = model_files()


def locate(data: bytes) -> None:
    """Find the holes and check them by cutting the file."""
    data = formats.prepared(data)
    tensors = formats.open_model(data).tensors
    end = 0
    for tensor in tensors:
        assert tensor.offset >= end, "holes are in order and apart"
        end = tensor.end
    assert end <= len(data), "holes are in the file"
    blank = Topology.read(Topology.cut(data, tensors).write()).blank()
    assert blank == formats.skeleton(data, tensors), "what is between them comes back"


def test_one(data: bytes) -> None:
    """Raw bytes, or a good file with damage."""
    choices = atheris.FuzzedDataProvider(data)
    chosen = choices.ConsumeIntInRange(0, len(FILES))
    is_raw = chosen == len(FILES)
    with suppress(DataError):
        locate(choices.ConsumeBytes(1 << 12) if is_raw else damage(FILES[chosen], choices))


if __name__ == "__main__":
    warnings.simplefilter("error")
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
