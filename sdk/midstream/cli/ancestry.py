"""Releases as a table and as a graph: who came of whom, made by whom. Knows no folder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from midstream.cli.output import human_size
from midstream.publisher import decibels
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.trust.provenance import Part, Provenance
from midstream.trust.updates import UpdateEntry, updates_of

__all__ = ["COLUMNS", "Ancestor", "graph", "places", "row"]

COLUMNS = ["release", "of", "made by", "providers", "dB", "bytes", "update from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A release in its history."""

    manifest: Manifest
    """What is signed of it."""
    made: Provenance | None
    """What it was merged of, or reverted to; None of one that was published."""

    @property
    def number(self) -> int:
        """The release's."""
        return self.manifest.release

    @property
    def parent(self) -> int | None:
        """The release that it came of: that was changed, or that updates lead from last."""
        if self.made is not None:
            return self.made.parent
        return max((u.parent for u in self.updates if u.rung is None), default=None)

    @property
    def parts(self) -> Sequence[Part]:
        """Contributions that were looked at for it."""
        return self.made.parts if self.made is not None else ()

    @property
    def rule(self) -> str:
        """How it was made; with what the gate said of it, and of the release before."""
        if self.made is None:
            return "published"
        gate = self.made.gate
        return self.made.rule + (f", gate {gate[1]:.4g} ({gate[0]:.4g})" if gate else "")

    @property
    def size(self) -> int:
        """Bytes of all its units."""
        return sum(entry.size for entry in self.manifest.units)

    @property
    def updates(self) -> list[UpdateEntry]:
        """Those that lead to it, and not between earlier ones."""
        return [u for u in updates_of(self.manifest) if u.release == self.number]


def row(one: Ancestor) -> list[str]:
    """Cells of a table; a line of them for each rung."""
    units = one.manifest.units
    counted = [part.provider for part in one.parts if not part.refused]
    return [
        str(one.number),
        "" if one.parent is None else str(one.parent),
        one.rule.replace(", ", "\n"),
        "\n".join([*counted, *(f"not {part.provider}" for part in one.parts if part.refused)]),
        "\n".join(fidelity(entry) for entry in units),
        "\n".join(human_size(entry.size) for entry in units),
        "\n".join(_updates(one, entry) for entry in units),
    ]


def _updates(one: Ancestor, entry: UnitEntry) -> str:
    """Updates that stand for the units up to one: where from, and their bytes."""
    is_exact = math.isinf(entry.fidelity.weight_snr)
    return ", ".join(
        f"{u.parent}: {human_size(u.unit.size)}"
        for u in one.updates
        if (u.rung is None) == is_exact and u.unit.layer == entry.layer
    )


def fidelity(entry: UnitEntry) -> str:
    """How near a rung is to the model: at its outputs where they were measured, else at weights."""
    found = entry.fidelity
    return decibels.as_words(found.weight_snr if found.output_snr is None else found.output_snr)


def graph(found: Sequence[Ancestor]) -> list[str]:
    """Who came of whom, the newest on top; a lane goes down from each release to its parent.

    Args:
        found: Releases by rising number.
    """
    lanes: list[int | None] = []
    lines: list[str] = []
    for one in reversed(found):
        at, *others = _lanes_to(one, lanes)
        for other in reversed(others):
            lines.append(_joining(lanes, at, other))
            lanes[other] = None
        lanes[at] = one.number
        lines.append(f"{_rails(lanes, star=at)} {_summary(one)}")
        lanes[at] = one.parent
        lines += [f"{_rails(lanes)}     {_branch(part)}" for part in one.parts]
    return lines


def places(found: Sequence[Ancestor]) -> dict[int, int]:
    """The lane of each release in such a graph, from 0 on, by its number."""
    lanes: list[int | None] = []
    placed: dict[int, int] = {}
    for one in reversed(found):
        at, *others = _lanes_to(one, lanes)
        for other in others:
            lanes[other] = None
        placed[one.number] = at
        lanes[at] = one.parent
    return placed


def _lanes_to(one: Ancestor, lanes: list[int | None]) -> list[int]:
    """Lanes that end in a release, its own first; a free one where no later one came of it."""
    found = [at for at, wanted in enumerate(lanes) if wanted == one.number]
    if not found and None not in lanes:
        lanes.append(None)
    return found or [lanes.index(None)]


def _rails(lanes: Sequence[int | None], *, star: int = -1) -> str:
    marks = ["*" if at == star else " " if to is None else "|" for at, to in enumerate(lanes)]
    return " ".join(marks).rstrip()


def _joining(lanes: Sequence[int | None], into: int, lane: int) -> str:
    """A line on which a lane goes over to another one on its left."""
    marks = list(_rails(lanes))  # it ends with this lane, or beyond it
    marks[2 * lane] = " "
    marks[2 * lane - 1] = "/"
    for at in range(2 * into + 1, 2 * lane - 1, 2):
        marks[at] = "_"
    return "".join(marks).rstrip()


def _summary(one: Ancestor) -> str:
    parent = "" if one.parent is None else f" <- {one.parent}"
    rungs = " ".join(fidelity(entry) for entry in one.manifest.units)
    return f"{one.number}{parent}  {one.rule}  [{human_size(one.size)}: {rungs}]"


def _branch(part: Part) -> str:
    if part.refused:
        return f"x {part.provider}  {part.refused}"
    return f"+ {part.provider}" + (f"  {part.share:.3f}" if part.share else "")
