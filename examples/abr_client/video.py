"""Videos as players see them: segment sizes on each rung. Knows nothing of pictures."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midstream.errors import DataError, ErrorCode, LimitError, StoreError

__all__ = ["LADDER_KBPS", "SEGMENTS", "SEGMENT_SECONDS", "Video", "generate_video", "load_video"]

LADDER_KBPS = (300.0, 750.0, 1200.0, 1850.0, 2850.0, 4300.0)
"""The accepted ladder, kbit/s."""
SEGMENTS = 48
"""Segments of the accepted video."""
SEGMENT_SECONDS = 4.0
"""How long one segment plays."""

_FILE = "video_size_{}"
_MAX_FILE = 1 << 16
_MAX_SEGMENT = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """Sizes of all segments of one video."""

    name: str
    """What it is called."""
    sizes: tuple[tuple[int, ...], ...]
    """Bytes, (segments, rungs), the lowest rung first."""
    ladder_kbps: tuple[float, ...] = LADDER_KBPS
    """Bit rate of each rung, kbit/s."""
    segment_seconds: float = SEGMENT_SECONDS
    """How long one segment plays."""

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return len(self.sizes)

    @property
    def array(self) -> NDArray[np.float64]:
        """The sizes, float64, (segments, rungs)."""
        return np.array(self.sizes, np.float64)


def generate_video(*, seed: int) -> Video:
    """A video like Envivio's, where there is none to read.

    Sizes follow the bit rates; quiet and busy segments differ by a tenth on all rungs alike
    and by a twentieth on each rung for itself; the first segment is larger than the rest.

    Args:
        seed: Of the random numbers.
    """
    rng = np.random.default_rng([seed, SEGMENTS])
    common = np.exp(rng.normal(0.0, 0.085, (SEGMENTS, 1)))
    own = np.exp(rng.normal(0.0, 0.04, (SEGMENTS, len(LADDER_KBPS))))
    means = np.array(LADDER_KBPS) * 125.0 * SEGMENT_SECONDS
    sizes = np.sort(means * common * own, axis=1)
    sizes[0] = means * 1.15
    return Video(name=f"generated_{seed}", sizes=_rows(sizes))


def load_video(folder: str | os.PathLike[str]) -> Video:
    """Read a video's sizes: files `video_size_0` (the lowest rung) to `video_size_5`.

    Args:
        folder: Where they are; each has a line with a size in bytes for each segment.

    Raises:
        DataError: One of them is not such a file, or they have too few segments.
        LimitError: One is too large.
        StoreError: One cannot be read.
    """
    columns = [_read(Path(folder) / _FILE.format(rung)) for rung in range(len(LADDER_KBPS))]
    sizes = np.array([column[:SEGMENTS] for column in columns]).T
    return Video(name=Path(folder).name, sizes=_rows(sizes))


def _read(path: Path) -> list[int]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise StoreError.of(error, f"cannot read {path}") from error
    if len(content) > _MAX_FILE:
        raise LimitError(ErrorCode.OVER_LIMIT, f"{path.name}: over {_MAX_FILE} bytes")
    words = content.split()
    if not all(word.isdigit() and len(word) < 10 for word in words):
        raise DataError(ErrorCode.BAD_FIELD, f"{path.name}: expected a size in bytes a line")
    sizes = [int(word) for word in words]
    if len(sizes) < SEGMENTS or not all(0 < size <= _MAX_SEGMENT for size in sizes):
        raise DataError(
            ErrorCode.BAD_FIELD,
            f"{path.name}: {len(sizes)} segments, expected {SEGMENTS} of 1 to {_MAX_SEGMENT} bytes",
        )
    return sizes


def _rows(sizes: NDArray[np.float64] | NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(size) for size in row) for row in sizes)
