"""Answers what peers make of an update; runs in their environment, where nothing of ours is.

One JSON line in, one out: {"op": "sizes", "old": PATH, "new": PATH, "floats": BOOL}.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bsdiff4
import zstandard
from zipnn import ZipNN

_WINDOW = 27
_BUFFER = str(1 << 27)


def bsdiff(old: bytes, new: bytes) -> int:
    """Bytes by bsdiff."""
    patch = bsdiff4.diff(old, new)
    _check(bsdiff4.patch(old, patch) == new)
    return len(patch)


def xdelta3(old: bytes, new: bytes) -> int:
    """Bytes by xdelta3, the best of its secondary compressors, the whole file in its window."""
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("old", "new", "patch", "back")]
        source, target, patch, back = names
        Path(source).write_bytes(old)
        Path(target).write_bytes(new)
        sizes = []
        for secondary in ("none", "djw", "fgk", "lzma"):
            options = ["-f", "-9", "-B", _BUFFER, "-S", secondary]
            subprocess.run(["xdelta3", "-e", *options, "-s", source, target, patch], check=True)
            subprocess.run(
                ["xdelta3", "-d", "-f", "-B", _BUFFER, "-s", source, patch, back], check=True
            )
            _check(Path(back).read_bytes() == new)
            sizes.append(Path(patch).stat().st_size)
    return min(sizes)


def zstd(old: bytes, new: bytes) -> int:
    """Bytes by what `zstd --patch-from` does, at its highest levels."""
    kept = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    sizes = []
    for level in (19, 22):
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, window_log=_WINDOW, enable_ldm=True
        )
        patch = zstandard.ZstdCompressor(dict_data=kept, compression_params=parameters).compress(
            new
        )
        unpacker = zstandard.ZstdDecompressor(dict_data=kept, max_window_size=1 << _WINDOW)
        _check(unpacker.decompress(patch) == new)
        sizes.append(len(patch))
    return min(sizes)


def zipnn(old: bytes, new: bytes) -> int | None:
    """Bytes by ZipNN's delta, the best of its element types; None where sizes differ."""
    if len(old) != len(new):
        return None
    sizes = []
    for kind in ("float32", "bfloat16", "float16"):
        packer = ZipNN(delta_compressed_type="byte", bytearray_dtype=kind, input_format="byte")
        patch = packer.compress(bytearray(new), delta_second_data=bytearray(old))
        back = packer.decompress(patch, delta_second_data=bytearray(old))
        if bytes(back) == new:
            sizes.append(len(patch))
    return min(sizes, default=None)


def _check(came_back: bool) -> None:
    if not came_back:
        raise RuntimeError("a peer did not give the file back")


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    """What peers print goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        old, new = (Path(request[name]).read_bytes() for name in ("old", "new"))
        with _answers():
            sizes = {peer.__name__: peer(old, new) for peer in (bsdiff, xdelta3, zstd, zipnn)}
        print(json.dumps(sizes), flush=True)


if __name__ == "__main__":
    main()
