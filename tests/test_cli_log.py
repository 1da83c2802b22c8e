"""`log`: a history as a table and as a graph, in all its turns."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from midstream.cli.ancestry import COLUMNS, Ancestor, graph, row
from midstream.cli.portrait import draw_history
from midstream.errors import UsageError
from midstream.trust.provenance import Part, Provenance
from midstream.trust.updates import UpdateEntry, with_updates
from midstream.types import Fidelity, UnitKind
from trusting import entry, release

BASE = entry(size=1200, fidelity=Fidelity(weight_snr=12.0, output_snr=15.25, probes=32))
EXACT = entry(kind=UnitKind.EXACT, layer=1, parent=0, size=34_000,
              fidelity=Fidelity(weight_snr=math.inf))  # fmt: skip


def part(provider: str, share: float = 0.5, refused: str = "") -> Part:
    return Part(provider=provider, version=1, unit=bytes(16), share=share, refused=refused)


def made(number: int, of: int | None = None, *parts: Part, rule: str = "mean") -> Ancestor:
    """A release that was merged, or published where it came of none."""
    described = replace(release(number=number), units=(BASE, EXACT))
    if of is None:
        return Ancestor(manifest=described, made=None)
    return Ancestor(manifest=described, made=Provenance(parent=of, rule=rule, parts=parts))


def drawn(*found: Ancestor) -> list[str]:
    """The graph without what is said of a release."""
    return [line.partition("  ")[0] if "*" in line else line for line in graph(found)]


def test_a_release_says_what_it_came_of_and_what_it_is() -> None:
    first = made(1)
    second = made(2, 1, part("east"), part("north", 0.0), part("west", 0.0, "norm 9"))
    assert graph([first, second]) == [
        "* 2 <- 1  mean  [35.2 kB: 15.2 exact]",
        "|     + east  0.500",
        "|     + north",
        "|     x west  norm 9",
        "* 1  published  [35.2 kB: 15.2 exact]",
    ]


def test_what_was_reverted_stands_aside() -> None:
    found = [made(1), made(2, 1), made(3, 2), made(4, 1, rule="revert"), made(5, 4)]
    assert drawn(*found) == ["* 5 <- 4", "* 4 <- 1", "| * 3 <- 2", "| * 2 <- 1", "|/", "* 1"]


def test_who_came_of_none_ends_a_lane() -> None:
    assert drawn(made(1), made(2), made(3, 2)) == ["* 3 <- 2", "* 2", "* 1"]


def test_lanes_cross_and_are_used_again() -> None:
    found = [made(1), made(2, 1), made(3, 2), made(4, 2), made(5, 1), made(6, 3), made(7, 1)]
    assert drawn(*found) == [
        "* 7 <- 1",
        "| * 6 <- 3",
        "| | * 5 <- 1",
        "| | | * 4 <- 2",
        "| * | | 3 <- 2",
        "| |_|/",
        "| * | 2 <- 1",
        "|_|/",
        "|/",
        "* 1",
    ]


def test_a_row_has_a_line_for_each_rung() -> None:
    second = made(2, 1, part("east"), part("west", 0.0, "norm 9"))
    cells = row(second)
    assert len(cells) == len(COLUMNS)
    assert cells == ["2", "1", "mean", "east\nnot west", "15.2\nexact", "1200 B\n34.0 kB", "\n"]


def test_a_row_says_what_the_gate_said() -> None:
    one = made(2, 1)
    assert one.made is not None
    judged = replace(one, made=replace(one.made, gate=(0.91, 0.943)))
    assert row(judged)[2] == "mean\ngate 0.943 (0.91)"


def update(parent: int, to: int, *, rung: int | None = None, size: int = 300) -> UpdateEntry:
    exact = rung is None
    unit = entry(
        kind=UnitKind.UPDATE if exact else UnitKind.LOSSY_UPDATE,
        layer=1 if exact else 0,
        size=size,
        head_size=0,
        fidelity=Fidelity(weight_snr=math.inf if exact else 12.0),
    )
    return UpdateEntry(parent=parent, parent_id=bytes(16), release=to, rung=rung, work=1, unit=unit)


def test_a_published_release_came_of_the_last_that_updates_lead_from() -> None:
    """Links between earlier ones say nothing of it."""
    listed = [update(1, 3, size=500), update(2, 3), update(1, 2), update(2, 3, rung=0, size=99)]
    one = made(3)
    updated = replace(one, manifest=with_updates(one.manifest, listed))
    assert (one.parent, updated.parent) == (None, 2)
    assert row(updated)[-1] == "2: 99 B\n1: 500 B, 2: 300 B"
    assert graph([updated])[0].startswith("* 3 <- 2  published")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_history_is_drawn(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"log.{suffix}"
    found = [made(1), made(2, 1, part("east"), part("west", 0.0, "norm 9")), made(3, 1)]
    draw_history("net", found, picture)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert picture.read_bytes().startswith(start)
    if suffix == "svg":
        drawn = picture.read_text()
        said = ("east", "x west", "published", "exact")
        assert all(f"<!-- {words} -->" in drawn for words in said)


def test_the_last_forty_releases_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "log.svg"
    draw_history("net", [made(1), *(made(n, n - 1) for n in range(2, 51))], picture)
    drawn = picture.read_text()
    assert drawn.count("<!-- mean -->") == 40
    assert "<!-- published -->" not in drawn


def test_a_picture_of_another_kind_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of"):
        draw_history("net", [made(1)], tmp_path / "log.txt")


@pytest.mark.parametrize("count", [1, 12])
def test_a_long_line_of_releases_is_one_lane(count: int) -> None:
    found = [made(1), *(made(number, number - 1) for number in range(2, count + 1))]
    assert [line[0] for line in graph(found)] == ["*"] * count
