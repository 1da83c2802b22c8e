"""Damaged model files: an error of ours, or holes that are in the file, apart, in order."""

from contextlib import suppress

from choices import Choices
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


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good file with damage."""
    chosen = choices.integer(0, len(FILES))
    is_raw = chosen == len(FILES)
    with suppress(DataError):
        locate(choices.raw(1 << 12) if is_raw else damage(FILES[chosen], choices))
