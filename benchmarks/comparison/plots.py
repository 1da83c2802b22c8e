"""A rate-distortion plot of each network. Knows nothing of how points were measured."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed
from matplotlib import pyplot
from matplotlib.axes import Axes

__all__ = ["draw_network"]

_PEER, _OURS, _CALIBRATED = "tab:red", "tab:blue", "tab:green"


def draw_network(path: Path, name: str, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Bytes against weight SNR and, where it was run, output SNR.

    Args:
        path: The PNG to write.
        name: The network's.
        sections: Its results by section; `bytes` and `outputs` have curves.
    """
    drawn = [key for key in ("bytes", "outputs") if "nncodec" in sections.get(key, {})]
    if not drawn:
        return
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(6.4 * len(drawn), 4.8), squeeze=False)
    for axis, key in zip(axes[0], drawn, strict=True):
        (_draw_weights if key == "bytes" else _draw_outputs)(axis, sections[key])
        axis.set_title(f"{name}: {'weights' if key == 'bytes' else 'outputs, natural inputs'}")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_weights(axis: Axes, row: Mapping[str, Any]) -> None:
    skeleton = row["skeleton"]
    _nncodec(axis, row["nncodec"], skeleton, "weight_db")
    ours = [(point["ours"], point["db"]) for point in row["rows"]]
    _line(axis, ours, "midstream", _OURS, "o-")
    _finish(axis, "weight SNR, dB")


def _draw_outputs(axis: Axes, row: Mapping[str, Any]) -> None:
    _nncodec(axis, row["nncodec"], row["skeleton"], "output_db")
    for key, label, colour in (
        ("free", "midstream, data-free", _OURS),
        ("calibrated", "midstream, 64 calibration inputs", _CALIBRATED),
    ):
        points = [(point["size"], point["output_db"]) for point in row["points"].get(key, [])]
        _line(axis, points, label, colour, "o-")
    for db in row["targets"]:
        axis.axhline(db, color="grey", linewidth=0.5, linestyle=":")
    _finish(axis, "output SNR, dB")


def _nncodec(axis: Axes, points: Sequence[Mapping[str, Any]], skeleton: int, key: str) -> None:
    for nonweight_qp in sorted({point["nonweight_qp"] for point in points}):
        curve = [
            (point["size"] + skeleton, point[key])
            for point in points
            if point["nonweight_qp"] == nonweight_qp
        ]
        style = "s-" if nonweight_qp == -75 else "^--"
        _line(axis, curve, f"NNCodec, nonweight_qp={nonweight_qp}", _PEER, style)


def _line(
    axis: Axes, points: Iterable[tuple[float, float]], label: str, colour: str, style: str
) -> None:
    shown = sorted(point for point in points if math.isfinite(point[1]))
    if shown:
        axis.plot(*zip(*shown, strict=True), style, color=colour, label=label, markersize=4)


def _finish(axis: Axes, quality: str) -> None:
    axis.set_xscale("log")
    axis.set_xlabel("bytes, skeleton included")
    axis.set_ylabel(quality)
    axis.grid(visible=True, which="both", linewidth=0.3)
    axis.legend(fontsize=8)
