"""Where the bytes of units went, as a picture. Knows no verb.

matplotlib is an extra: it is looked for when a picture is asked for.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midstream.errors import ErrorCode, StoreError, UnavailableError, UsageError
from midstream.publisher.accounting import Account

__all__ = ["COLOURS", "INK", "check_suffix", "draw", "new_figure", "save"]

_SUFFIXES = (".png", ".svg", ".pdf")
_MOST_TENSORS = 24
_LONGEST_NAME = 28
COLOURS = ("#1b6ca8", "#58a4d8", "#f2a541", "#9a9a9a", "#c8553d", "#588157", "#8e7dbe")
INK = "#333333"


def draw(accounts: Mapping[str, Account], path: Path) -> None:
    """Draw bytes and bits per weight of the largest tensors, layer upon layer.

    Args:
        accounts: By the name of what each is of; one row of two charts for each.
        path: The picture's file; its suffix says the format.

    Raises:
        UsageError: There is nothing to draw, or the suffix is unknown.
        UnavailableError: matplotlib is not installed.
        StoreError: The file cannot be written.
    """
    check_suffix(path)
    if not accounts:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: there are no tensors to draw")
    save(_figure(accounts), path)


def check_suffix(path: Path) -> None:
    """Refuse a picture of another format than those that can be drawn.

    Raises:
        UsageError: BAD_ARGUMENT.
    """
    if path.suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: expected one of {known}")


def new_figure(width: float, height: float) -> Any:
    """A figure of matplotlib, of so many inches.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnavailableError(
            ErrorCode.NO_PACKAGE, "a plot needs matplotlib: pip install midstream[plot]"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: Path) -> None:
    """Write a figure.

    Raises:
        StoreError: The file cannot be written.
    """
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise StoreError.of(error, f"{path}: cannot be written") from error


def _figure(accounts: Mapping[str, Account]) -> Any:
    rows = [min(len(found.tensors), _MOST_TENSORS) + 5 for found in accounts.values()]
    figure = new_figure(12, 0.26 * sum(rows) + 1.1 * len(rows))
    parts = figure.subplots(len(rows), 2, squeeze=False, height_ratios=rows, width_ratios=[2, 1])
    for axes, (name, found) in zip(parts, accounts.items(), strict=True):
        _draw_bytes(axes[0], name, found)
        _draw_bits(axes[1], found)
    return figure


def _draw_bytes(axes: Any, name: str, found: Account) -> None:
    """A bar for each tensor, the rest of them, and what is no tensor."""
    bars = _bars(found)
    places = range(len(bars))
    before = [0.0] * len(bars)
    for layer, number in enumerate(found.layers):
        sizes = [bar[1][layer] / 1000 for bar in bars]
        colour = COLOURS[layer % len(COLOURS)]
        axes.barh(places, sizes, left=before, color=colour, height=0.72, label=f"layer {number}")
        before = [start + size for start, size in zip(before, sizes, strict=True)]
    for place, total in enumerate(before):
        axes.text(total, place, f" {total:,.1f}", va="center", fontsize=8, color=INK)
    axes.set_yticks(places, [label for label, _ in bars], fontsize=8)
    axes.set(xlabel="kB", ylim=(len(bars) - 0.4, -0.6))
    axes.margins(x=0.1)
    axes.set_title(f"{name}: {sum(found.sizes):,} bytes", fontsize=10, loc="left")
    if len(found.layers) > 1:
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _bars(found: Account) -> list[tuple[str, Sequence[int]]]:
    tensors = found.by_size
    bars = [(_label(t.name or str(t.index)), t.layers) for t in tensors[:_MOST_TENSORS]]
    if rest := tensors[_MOST_TENSORS:]:
        sizes = [sum(layer) for layer in zip(*(t.layers for t in rest), strict=True)]
        bars.append((f"{len(rest)} more", tuple(sizes)))
    return [*bars, *found.others.items()]


def _draw_bits(axes: Any, found: Account) -> None:
    """Bits for each weight of the same tensors, layer upon layer, on the same rows."""
    shown = found.by_size[:_MOST_TENSORS]
    before = [0.0] * len(shown)
    for layer in range(len(found.layers)):
        bits = [8 * t.layers[layer] / max(t.tensor.weights, 1) for t in shown]
        colour = COLOURS[layer % len(COLOURS)]
        axes.barh(range(len(shown)), bits, left=before, color=colour, height=0.72)
        before = [start + more for start, more in zip(before, bits, strict=True)]
    axes.set_yticks([])
    axes.set(xlabel="bits per weight", ylim=(len(_bars(found)) - 0.4, -0.6))
    axes.spines[["top", "right"]].set_visible(False)


def _label(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
