"""Results as figures and tables. Knows nothing of how they are measured."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from comparison.figures import Figure, Verdict

__all__ = ["figures", "print_report"]

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Of each section, each network's."""

_COLOURS = {Verdict.AIM: "green", Verdict.MUST: "yellow", Verdict.NOT: "red", Verdict.NONE: "dim"}
_MIB = 1 << 20


def figures(results: Results) -> list[Figure]:
    """All figures to reach, in the order of the table; those not measured have no values."""
    return [
        Figure(
            name="bytes over NNCodec's, equal weight SNR",
            note="2 to 6 bits/weight, whole networks, skeleton on both sides",
            must=0.92,
            aim=0.86,
            limit=1.04,
            values=_values(results, "bytes", "ratio"),
        ),
        Figure(
            name="bytes over NNCodec's, equal output SNR, data-free",
            note="12, 20, 30 dB on natural inputs, skeleton on both sides",
            must=0.65,
            aim=0.50,
            limit=0.90,
            values=_values(results, "outputs", "free"),
        ),
        Figure(
            name="the same with 64 calibration inputs",
            note="calibration inputs are of other photographs than those measured on",
            must=0.58,
            aim=0.45,
            values=_values(results, "outputs", "calibrated"),
        ),
        Figure(
            name="rungs at 12, 20, 30 dB over one-rung encodes",
            note="data-free; bytes up to that rung",
            must=1.15,
            aim=1.03,
            values=_values(results, "outputs", "rungs_over_one"),
        ),
        Figure(
            name="three rungs over one layer of the same quality",
            note="weight SNR; at the ladder's own SNR",
            must=1.015,
            aim=1.00,
            values=_values(results, "ladder", "rungs_over_one"),
        ),
        *_lossless_figures(results),
        Figure(
            name="ladder with exact over direct lossless",
            note="2.5b,4b,6b,exact over exact",
            must=1.015,
            aim=1.00,
            values=_values(results, "ladder", "exact"),
        ),
        *_speed_figures(results),
        Figure(
            name="peak memory of decoding MiniLM beyond the file",
            note="the worse of 20dB and exact",
            must=24.0,
            aim=8.0,
            unit="MiB",
            values={
                network: most / _MIB
                for network, most in _values(results, "memory", "most").items()
                if network == "minilm"
            },
        ),
    ]


def _lossless_figures(results: Results) -> list[Figure]:
    return [
        Figure(
            name="lossless bytes over ZipNN's",
            note="whole files; ZipNN's best of its chunk sizes and thresholds",
            must=0.99,
            aim=0.96,
            values=_values(results, "lossless", "over_zipnn"),
        ),
        Figure(
            name="lossless bytes over xz -9e or zstd -19, the smaller",
            note="on no network above",
            must=1.0,
            aim=1.0,
            limit=1.0,
            values={
                network: max(row["over_xz"], row["over_zstd"])
                for network, row in results.get("lossless", {}).items()
            },
        ),
    ]


def _speed_figures(results: Results) -> list[Figure]:
    rows = (
        ("lossy decode speed over NNCodec's", "lossy_decode", 10.0, 25.0),
        ("lossy encode speed over NNCodec's, without probes", "lossy_encode", 10.0, 40.0),
        ("lossless decode speed over ZipNN's", "lossless_decode", 0.5, 1.0),
        ("NumPy twin's decode speed over NNCodec's", "twin", 1 / 3, 1.0),
    )
    return [
        Figure(
            name=name,
            note="one thread, medians of one run",
            must=must,
            aim=aim,
            more_is_better=True,
            unit="x",
            values=_values(results, "speed", key),
        )
        for name, key, must, aim in rows
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
        "memory": ("most",),
    }
    for section, names in columns.items():
        if section in results:
            console.print(_section(section, names, results[section]))
    console.print(_summary(results))


def _section(
    section: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, Any]]
) -> Table:
    skipped = [f"{name}: {row['skip']}" for name, row in rows.items() if "skip" in row]
    table = Table(title=section, title_justify="left", caption="\n".join(skipped))
    table.caption_justify = "left"
    table.add_column("network")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for network, row in rows.items():
        if "skip" in row:
            continue
        table.add_row(network, *[_shown(row.get(column)) for column in columns])
    return table


def _summary(results: Results) -> Table:
    table = Table(title="figures", title_justify="left")
    for column in ("what", "mean", "worst", "must", "aim", ""):
        table.add_column(column, justify="left" if column in ("what", "worst") else "right")
    for figure in figures(results):
        name, value = figure.worst
        limit = f", none above {figure.limit:g}" if figure.limit is not None else ""
        table.add_row(
            f"{figure.name} [dim]({figure.note}{limit})[/dim]",
            f"{_shown(figure.mean)} {figure.unit}".rstrip(),
            f"{_shown(value)} {name}" if name else "-",
            f"{figure.must:.4g}",
            f"{figure.aim:.4g}",
            f"[{_COLOURS[figure.verdict]}]{figure.verdict.value}[/]",
        )
    return table


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
