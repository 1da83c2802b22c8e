"""Results as figures and tables. Knows nothing of how they are measured."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from reach.figures import Figure
from reach.tables import print_figures, table_of

__all__ = ["figures", "print_report"]

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Of each section, each network's."""

_MIB = 1 << 20
_mean = partial(Figure, is_mean=True)
"""Of all networks, the mean counts."""
_NO_RESULT = ("skip", "error")


def figures(results: Results) -> list[Figure]:
    """All figures to reach, in the order of the table; those not measured have no values."""
    return [
        *_lossy_figures(results),
        *_lossless_figures(results),
        _mean(
            name="ladder to exact / exact",
            note="2.5b,4b,6b,exact over exact",
            must=1.015,
            aim=1.00,
            values=_values(results, "ladder", "exact"),
        ),
        *_speed_figures(results),
        _memory_figure(results),
    ]


def _lossy_figures(results: Results) -> list[Figure]:
    weights = "at 2 to 6 bits/weight of NNCodec's, whole networks, skeleton on both sides"
    outputs = "at 12, 20 and 30 dB on natural inputs, data-free, skeleton on both sides"
    inputs = "with 64 calibration inputs, of other photographs than those measured on"
    rungs = "12, 20, 30 dB of outputs, data-free: bytes up to each rung"
    layers = "8 dB of weights apart: bytes at the ladder's own SNR"
    rows = (
        ("bytes / NNCodec, weight SNR", "bytes", "ratio", 0.92, 0.86, 1.04, weights),
        ("bytes / NNCodec, output SNR", "outputs", "free", 0.65, 0.50, 0.90, outputs),
        ("the same, calibrated", "outputs", "calibrated", 0.58, 0.45, None, inputs),
        ("rungs / one-rung encodes", "outputs", "rungs_over_one", 1.15, 1.03, None, rungs),
        ("three rungs / one layer", "ladder", "rungs_over_one", 1.015, 1.00, None, layers),
    )
    return [
        _mean(
            name=name,
            note=note,
            must=must,
            aim=aim,
            limit=limit,
            values=_values(results, section, key),
        )
        for name, section, key, must, aim, limit, note in rows
    ]


def _memory_figure(results: Results) -> Figure:
    most = _values(results, "memory", "most")
    return _mean(
        name="decode memory, MiB",
        note="peak beyond MiniLM's file, the worse of 20dB and exact",
        must=24.0,
        aim=8.0,
        values={"minilm": most["minilm"] / _MIB} if "minilm" in most else {},
    )


def _lossless_figures(results: Results) -> list[Figure]:
    return [
        _mean(
            name="lossless / ZipNN",
            note="whole files; ZipNN's best of its chunk sizes and thresholds, dtype given",
            must=0.99,
            aim=0.96,
            values=_values(results, "lossless", "over_zipnn"),
        ),
        _mean(
            name="lossless / xz and zstd",
            note="the larger of ours / xz -9e and ours / zstd -19",
            must=1.0,
            aim=1.0,
            limit=1.0,
            values={
                network: max(row["over_xz"], row["over_zstd"])
                for network, row in results.get("lossless", {}).items()
                if "over_xz" in row
            },
        ),
    ]


def _speed_figures(results: Results) -> list[Figure]:
    at = "at equal weight SNR, about 4 bits/weight, one thread, medians"
    rows = (
        ("lossy decode, times NNCodec", "lossy_decode", 10.0, 25.0, at),
        ("lossy encode, times NNCodec", "lossy_encode", 10.0, 40.0, f"{at}, without probes"),
        ("lossless decode, times ZipNN", "lossless_decode", 0.5, 1.0, "one thread, medians"),
        ("NumPy decode, times NNCodec", "twin", 1 / 3, 1.0, at),
    )
    return [
        _mean(
            name=name,
            note=note,
            must=must,
            aim=aim,
            more_is_better=True,
            values=_values(results, "speed", key),
        )
        for name, key, must, aim, note in rows
    ]


def _values(results: Results, section: str, key: str) -> dict[str, float]:
    rows = results.get(section, {})
    return {name: row[key] for name, row in rows.items() if row.get(key) is not None}


def print_report(results: Results, console: Console) -> None:
    """Each section's networks, then all figures with what they must be."""
    columns = {
        "bytes": ("ratio", "alone", "skeleton"),
        "outputs": ("free", "calibrated", "rungs_over_one"),
        "ladder": ("rungs_over_one", "exact"),
        "lossless": ("raw", "ours", "over_zipnn", "over_zstd", "over_xz", "over_brotli"),
        "speed": ("lossy_decode", "lossy_encode", "lossless_decode", "twin"),
        "memory": ("most", "encode_s", "encode_mib"),
    }
    for section, names in columns.items():
        if section in results:
            console.print(_section(section, names, results[section]))
    print_figures(figures(results), console)


def _section(
    section: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, Any]]
) -> Table:
    told = [f"{name}: {row[key]}" for name, row in rows.items() for key in _NO_RESULT if key in row]
    measured = {name: row for name, row in rows.items() if row.keys().isdisjoint(_NO_RESULT)}
    table = table_of(section, measured, columns, of="network")
    table.caption, table.caption_justify = "\n".join(told), "left"
    return table
