"""Any two paths through any history of releases, rungs and losses end in the same bits.

A history is what is published: kinds of changes in some order, lossy or exact, with or without
direct updates, reverts. Whatever the path of a client through it was, at the end it has the bits
that the units of the last release give, by the decoder alone.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evolutions import REPUBLISHED, REVERTED, Step, publish, steps
from midstream.client.events import UpdateApplied, UpdateRefused
from midstream.publisher import UpdatePolicy
from midstream.session import machine
from walks import TOP, Client, History, Visit, paths, runs_of, straight

CASES = int(os.environ.get("MIDSTREAM_PATHS", "4"))
"""Of each of these histories, and histories that are drawn."""
SETTINGS = settings(max_examples=CASES, suppress_health_check=list(HealthCheck), deadline=None)

HISTORIES = {
    "moved, moved, moved": ("little", "little", "little"),
    "grown, moved, reverted": ("grown", "little", REVERTED),
    "pruned, decayed, moved": ("pruned", "decayed", "little"),
    "moved in part, reverted, grown": ("few", REVERTED, "grown"),
}


def steps_of(*changes: str) -> list[Step]:
    """The first release, and those that come of these changes."""
    return [Step(change=change) for change in ("the_same", *changes)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], History]:
    return cache(lambda name: publish(steps_of(*HISTORIES[name]), tmp_path_factory.mktemp("made")))


@pytest.fixture(autouse=True)
def what_is_lost_is_asked_for_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LONGEST_PAUSE", 0.001)


def walk(history: History, path: Sequence[Visit], seen: Counter[str]) -> None:
    """Go a path, and compare what is at its end with what it must be."""
    with tempfile.TemporaryDirectory() as folder:
        client = Client(history, Path(folder))
        layer, bits = asyncio.run(client.walk(path))
    *_, last_run = runs_of(path)
    assert layer >= min(last_run[0].layer, history.top(history.last))
    assert bits == history.bits(history.last, layer)
    seen["visits"] += len(path)
    for event in client.events:
        if isinstance(event, UpdateApplied):
            seen["updates applied"] += 1
        seen["updates refused"] += isinstance(event, UpdateRefused)


def tell(name: str, seen: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{count} {what}" for what, count in seen.items()))  # noqa: T201


@pytest.mark.once
@pytest.mark.parametrize("name", HISTORIES)
def test_any_two_paths_end_in_the_same_bits(
    name: str, made: Callable[[str], History], capsys: pytest.CaptureFixture[str]
) -> None:
    history, seen = made(name), Counter[str]()
    last = history.last

    @SETTINGS
    @given(paths(last), paths(last))
    @example(straight(last, TOP), straight(last, 1))
    @example(straight(last, 0), straight(last, TOP)[-1:])
    @example(straight(last, 0)[:: last - 1], straight(last, TOP)[:: last - 1])
    def go(one: list[Visit], other: list[Visit]) -> None:
        seen["cases"] += 1
        walk(history, one, seen)
        walk(history, other, seen)

    go()
    assert seen["updates applied"], "else this says nothing of updates"
    tell(name, seen, capsys)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], list[Visit], list[Visit]]:
    """What is published, and two paths through it."""
    chosen = draw(steps())
    return chosen, draw(paths(len(chosen))), draw(paths(len(chosen)))


@pytest.mark.once
def test_any_two_paths_through_any_history_end_in_the_same_bits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = Counter[str]()
    longer = steps_of("little", REPUBLISHED, "little")
    longer[1:] = [*longer[1:3], Step(change="little", updates=UpdatePolicy(last=3))]

    lossy = [Step(change=change, ladder=("exact",)) for change in ("the_same", "little")]
    lossy += [Step(change=REVERTED, of=number, ladder=("3b", "12dB")) for number in (2, 1)]

    @SETTINGS
    @given(histories())
    @example((longer, straight(4, TOP), straight(4, 0)[::3]))
    @example((lossy, straight(4, TOP), straight(4, 0)[-1:]))
    def go(case: tuple[list[Step], list[Visit], list[Visit]]) -> None:
        chosen, *both = case
        seen.update({"cases": 1, "releases": len(chosen)})
        seen.update(step.change for step in chosen[1:])
        with tempfile.TemporaryDirectory() as folder:
            history = publish(chosen, Path(folder))
            for path in both:
                walk(history, path, seen)

    go()
    assert seen["updates applied"], "else this says nothing of updates"
    tell("drawn histories", seen, capsys)
