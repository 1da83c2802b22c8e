"""Throughput traces: read from outside or generated. Knows nothing of players.

A trace file has a line `seconds Mbit/s` for each sample: the rate up to that second, since the
sample before. A folder of such files, one `.tar.gz` of them and one single file are all read.
"""

import io
import math
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from midstream.errors import DataError, ErrorCode, LimitError, StoreError, UsageError
from midstream.limits import LIMITS

__all__ = [
    "BENCHMARK",
    "ENVIRONMENT",
    "Trace",
    "generate_trace",
    "generate_traces",
    "load_traces",
    "parse_trace",
    "read_members",
]

ENVIRONMENT = "MIDSTREAM_TRACES"
"""Names the folder or file with traces where a caller names none."""
BENCHMARK = "pensieve_test142_hsdpa.tar.gz"
"""The accepted test traces; a folder that holds them stands for them."""

_MAX_SAMPLES = 100_000
_MAX_TRACES = 10_000
_MAX_MBPS = 1e5
_MIN_MEAN_MBPS = 0.01
_MIN_SECONDS = 1.0
_MAX_SECONDS = 1e7
_MAX_UNPACKED = 8 * LIMITS.trace_size
_NOT_TRACES = (".md", ".txt.gz", ".json", ".png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a link carried over time; it is read from its start and wraps."""

    name: str
    """What it is called."""
    seconds: tuple[float, ...]
    """When each sample ends, rising."""
    mbps: tuple[float, ...]
    """Rate of each sample, Mbit/s; the first one's is not used."""

    def __post_init__(self) -> None:
        _require(len(self.seconds) == len(self.mbps), self.name, "as many times as rates")
        _require(len(self.seconds) >= 2, self.name, "at least 2 samples")
        times = np.array(self.seconds)
        rates = np.array(self.mbps)
        _require(bool(np.isfinite(times).all()), self.name, "finite times")
        _require(bool(times[0] >= 0.0 and (np.diff(times) > 0.0).all()), self.name, "rising times")
        _require(
            bool((rates >= 0.0).all() and (rates <= _MAX_MBPS).all()),
            self.name,
            f"rates of 0 to {_MAX_MBPS:.0f} Mbit/s",
        )
        _require(
            _MIN_SECONDS <= times[-1] <= _MAX_SECONDS,
            self.name,
            f"{_MIN_SECONDS:.0f} to {_MAX_SECONDS:.0f} seconds",
        )
        mean = float(np.dot(rates[1:], np.diff(times, prepend=0.0)[1:])) / float(times[-1])
        _require(mean >= _MIN_MEAN_MBPS, self.name, f"a mean of {_MIN_MEAN_MBPS} Mbit/s or more")


def _require(fact: bool, name: str, expected: str) -> None:
    if not fact:
        raise DataError(ErrorCode.BAD_FIELD, f"trace {name}: expected {expected}")


def parse_trace(name: str, content: bytes) -> Trace:
    """Read one trace.

    Args:
        name: What it is called; for messages.
        content: Its file.

    Raises:
        DataError: It is not a trace, or describes no usable link.
        LimitError: It is too large.
    """
    if len(content) > LIMITS.trace_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"trace {name}: {len(content)} bytes, at most {LIMITS.trace_size}",
        )
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            ErrorCode.BAD_FIELD, f"trace {name}: byte {error.start} is not text"
        ) from None
    rows = [_parse_line(name, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if len(rows) > _MAX_SAMPLES:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"trace {name}: {len(rows)} samples, at most {_MAX_SAMPLES}"
        )
    return Trace(name=name, seconds=tuple(row[0] for row in rows), mbps=tuple(r[1] for r in rows))


def _parse_line(name: str, number: int, line: str) -> tuple[float, float]:
    fields = line.split()
    if len(fields) != 2:
        raise DataError(
            ErrorCode.BAD_FIELD,
            f"trace {name}, line {number}: {len(fields)} fields, expected `seconds Mbit/s`",
        )
    try:
        seconds, mbps = float(fields[0]), float(fields[1])
    except ValueError:
        seconds = mbps = math.nan
    if not (math.isfinite(seconds) and math.isfinite(mbps)):
        raise DataError(
            ErrorCode.BAD_FIELD, f"trace {name}, line {number}: expected two finite numbers"
        )
    return seconds, mbps


def load_traces(path: str | os.PathLike[str]) -> list[Trace]:
    """Read all traces of a folder, of a `.tar.gz` or of one file, sorted by name.

    Args:
        path: Where they are; a folder that holds `BENCHMARK` stands for it.

    Raises:
        UsageError: There is nothing there, or no trace in it.
        DataError: One of them is not a trace.
        LimitError: There are too many, or they are too large.
        StoreError: They cannot be read.
    """
    source = Path(path)
    if (source / BENCHMARK).is_file():
        source = source / BENCHMARK
    traces = [parse_trace(name, content) for name, content in read_members(source)]
    if not traces:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: no traces in it")
    return sorted(traces, key=lambda trace: trace.name)


def read_members(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of a folder or `.tar.gz`, or of one file.

    Args:
        source: Where they are.

    Raises:
        UsageError: There is nothing there.
        DataError: The archive is damaged.
        LimitError: There are too many, or they are too large.
        StoreError: They cannot be read.
    """
    try:
        if source.is_dir():
            yield from _read_folder(source)
        elif source.name.endswith((".tar.gz", ".tgz")):
            yield from _read_archive(source)
        elif source.exists():
            yield source.name, _read_file(source)
        else:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"{source}: no such file or folder")
    except OSError as error:
        raise StoreError.of(error, f"cannot read {source}") from error


def _read_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and _may_be_trace(path))
    _check_count(len(files), str(folder))
    for path in files:
        yield path.name, _read_file(path)


def _may_be_trace(path: Path) -> bool:
    hidden = path.name.startswith((".", "README", "LICENSE"))
    return not hidden and not path.name.endswith((*_NOT_TRACES, ".tar.gz", ".tgz"))


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LIMITS.trace_size + 1)
    _check_size(len(content), path.name)
    return content


def _read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file, _Gunzip(file, path.name) as plain:
        try:
            with tarfile.open(fileobj=plain, mode="r|") as archive:
                for count, member in enumerate(archive, 1):
                    _check_count(count, path.name)
                    if not member.isfile():
                        continue
                    _check_size(member.size, member.name)
                    content = archive.extractfile(member)
                    assert content is not None, "a regular file has content"
                    yield Path(member.name).name, content.read()
        except (tarfile.TarError, zlib.error, EOFError) as error:
            raise DataError(
                ErrorCode.TRUNCATED, f"{path.name}: not a whole .tar.gz ({type(error).__name__})"
            ) from error


class _Gunzip(io.RawIOBase):
    """What a gzip file unpacks to, up to a bound: a small file can hold very much."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._inflater = zlib.decompressobj(wbits=31)
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "tarfile reads a stream in blocks"
        parts: list[bytes] = []
        while size > 0 and not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._file.read(1 << 16)
            if not packed:
                raise EOFError
            part = self._inflater.decompress(packed, size)
            parts.append(part)
            size -= len(part)
            self._unpacked += len(part)
            if self._unpacked > _MAX_UNPACKED:
                raise LimitError(
                    ErrorCode.OVER_LIMIT, f"{self._name}: unpacks to over {_MAX_UNPACKED} bytes"
                )
        return b"".join(parts)


def _check_count(count: int, name: str) -> None:
    if count > _MAX_TRACES:
        raise LimitError(ErrorCode.OVER_LIMIT, f"{name}: {count} files, at most {_MAX_TRACES}")


def _check_size(size: int, name: str) -> None:
    if size > LIMITS.trace_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"trace {name}: {size} bytes, at most {LIMITS.trace_size}"
        )


def generate_traces(count: int, *, seed: int) -> list[Trace]:
    """Traces like those of a phone on a bus, where there are none to read.

    Args:
        count: How many.
        seed: Of the random numbers; trace number i of a seed is always the same.
    """
    return [
        generate_trace(f"generated_{seed}_{index:03d}", np.random.default_rng([seed, index]))
        for index in range(count)
    ]


def generate_trace(name: str, rng: np.random.Generator, *, seconds: int = 320) -> Trace:
    """One trace: a Markov chain over log-rate levels, with outages.

    The level is a bounded random walk around a mean of its own for each trace; each second adds
    noise; an outage (a tunnel, a handover) takes the rate to a few per cent for 2 to 15 seconds.

    Args:
        name: What to call it.
        rng: Random numbers.
        seconds: Its length; one sample a second.
    """
    centre = rng.normal(0.3, 0.6)
    step = rng.uniform(0.08, 0.3)
    outages = rng.choice([0.0, 0.006, 0.015])
    level, logs = 0.0, np.empty(seconds)
    for second in range(seconds):
        level = 0.95 * level + rng.normal(0.0, step)
        logs[second] = centre + level
    rates = np.exp(logs + rng.normal(0.0, 0.15, seconds)) * _outages(seconds, outages, rng)
    rates = np.clip(rates, 0.01, 8.0)
    return Trace(name=name, seconds=tuple(float(s) for s in range(seconds)), mbps=_tuple(rates))


def _outages(seconds: int, chance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    factors = np.ones(seconds)
    for start in np.flatnonzero(rng.random(seconds) < chance):
        factors[start : start + rng.integers(2, 16)] = rng.uniform(0.01, 0.08)
    return factors


def _tuple(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.round(values, 4))
