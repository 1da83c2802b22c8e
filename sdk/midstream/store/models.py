"""Model files on disk, some of which are several. Knows nothing of what is in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from midstream import formats
from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.formats import onnx, parts
from midstream.limits import LIMITS
from midstream.store.files import map_given, new_file, read_given, write_file

__all__ = ["new_model", "read_model"]


def read_model(path: Path) -> bytes:
    """A model file as it is coded: with its data files, and nothing deflated.

    Data files are taken from the model file's own folder, and by plain names only.

    Raises:
        UsageError: There is no such file, or a data file is missing.
        FormatError: It is damaged, or names a data file elsewhere.
        LimitError: It is too large.
    """
    data = read_given(path, limit=LIMITS.model_size)
    if not onnx.is_onnx(data):
        return formats.prepared(data)
    files: dict[str, bytes] = {}
    left = LIMITS.model_size - len(data)
    for name in onnx.locations(data):
        parts.check_part_name(name)
        files[name] = read_given(path.parent / name, limit=left)
        left -= len(files[name])
    return parts.join(data, files) if files else data


@contextmanager
def new_model(path: Path, size: int) -> Iterator[memoryview]:
    """Make a model file in place, as `new_file` does; its data files, if any, beside it.

    Raises:
        StoreError: STORE_FULL, STORE_READ_ONLY or STORE_IO.
        UsageError: BAD_ARGUMENT where a data file would replace another file.
        DataError: It is said to be of several files, and is malformed.
    """
    with new_file(path, size, settle=partial(_settle, path)) as model:
        yield model


def _settle(path: Path, model: memoryview) -> int:
    """Put data files beside the model file; leave it with its own bytes only."""
    if not parts.is_joined(model):
        return len(model)
    where = parts.read(model)
    files = {path.parent / name: model[slice(*place)] for name, place in where.files.items()}
    for file, data in files.items():
        _check_is_free(file, path, data)
    for file, data in files.items():
        write_file(file, data)
    start, stop = where.model
    model[: stop - start] = bytes(model[start:stop])
    return stop - start


def _check_is_free(file: Path, model: Path, data: memoryview) -> None:
    """Whoever made a model chose these names: no file of the user's may be lost by them."""
    try:
        is_same = not file.exists() or map_given(file, limit=LIMITS.model_size) == data
    except OSError as error:
        raise StoreError.of(error, str(file)) from error
    if file == model or not is_same:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{file}: the model brings a file of that name; it stays"
        )
