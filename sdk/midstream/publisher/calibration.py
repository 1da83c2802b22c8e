"""Real inputs of a network, from files of NumPy. Knows nothing of what is done with them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from midstream.errors import ErrorCode, UsageError
from midstream.runtime import Array, Inputs, TensorInfo

__all__ = ["fit_inputs", "read_calibration"]

_SUFFIXES = (".npy", ".npz")
_NPY, _ZIP = b"\x93NUMPY", b"PK"
_MOST = 4096
"""Inputs that are read; the others of a file or folder are left."""


def read_calibration(path: Path) -> list[Inputs]:
    """Read inputs of a network.

    Args:
        path: A `.npy` file, whose first axis counts inputs; a `.npz` file with such an array
            for each input of the network, by its name; or a folder of such files, in order of
            their names. An array that the network takes as one batch of one is given either
            with that axis of one, (n, 1, 224, 224, 3), or without it, (n, 224, 224, 3).

    Raises:
        UsageError: There is no such file, it holds no numbers, or its arrays differ in length.
    """
    files = sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES) if path.is_dir() else [path]
    found: list[Inputs] = []
    for file in files:
        for inputs in _read(file):
            if len(found) < _MOST:
                found.append(inputs)
    if not found:
        raise UsageError(ErrorCode.NOT_FOUND, f"{path}: no inputs in .npy or .npz files")
    return found


def _read(path: Path) -> Iterator[Inputs]:
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        yield from _numbers(path, loaded)
        return
    arrays = {name: _numbers(path, array) for name, array in loaded.items()}
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: arrays of {sorted(lengths)} inputs")
    for at in range(min(lengths, default=0)):
        yield {name: array[at] for name, array in arrays.items()}


def _load(path: Path) -> Array | dict[str, Array]:
    """The array of a `.npy` file, or those of a `.npz` file by their names."""
    try:
        with path.open("rb") as file:  # NumPy leaves a file open that is no archive after all
            if not file.peek(len(_NPY)).startswith((_NPY, _ZIP)):
                raise ValueError("it is neither a .npy nor a .npz file")
            loaded = np.load(file, allow_pickle=False)  # pickles run what they like
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: np.asarray(loaded[name]) for name in loaded.files}
    except OSError as error:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: {error.strerror or error}") from error
    except Exception as error:  # archives, zlib, headers: each has errors of its own for damage
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{path}: no arrays of numbers: {str(error)[:200]}"
        ) from error


def _numbers(path: Path, array: Array) -> Array:
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{path}: {array.dtype} of shape {array.shape} is no inputs"
        )
    return array


def fit_inputs(given: Sequence[Inputs], expected: Sequence[TensorInfo]) -> list[list[Array]]:
    """Inputs in the shapes, types and order that a network takes.

    An axis of one at the start may be missing, and numbers may be of another type of the same
    kind, float64 for float32.

    Raises:
        UsageError: They are other inputs than those of the network.
    """
    return [[_fit(array, info) for array, info in _pairs(inputs, expected)] for inputs in given]


def _pairs(inputs: Inputs, expected: Sequence[TensorInfo]) -> Iterator[tuple[Array, TensorInfo]]:
    if isinstance(inputs, Mapping):
        names = {info.name for info in expected}
        if inputs.keys() != names:
            raise _wrong(f"inputs {sorted(inputs)}, expected {sorted(names)}")
        return ((inputs[info.name], info) for info in expected)
    arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    if len(arrays) != len(expected):
        raise _wrong(f"{len(arrays)} arrays for {len(expected)} inputs")
    return zip(arrays, expected, strict=True)


def _fit(array: Array, info: TensorInfo) -> Array:
    shaped = array[None] if (1, *array.shape) == info.shape else array
    if shaped.shape != info.shape or not np.can_cast(shaped.dtype, info.dtype, "same_kind"):
        raise _wrong(
            f"{info.name}: {array.dtype} {array.shape}, expected {info.dtype} {info.shape}"
        )
    return shaped.astype(info.dtype)


def _wrong(problem: str) -> UsageError:
    return UsageError(ErrorCode.BAD_ARGUMENT, f"calibration: {problem}")
