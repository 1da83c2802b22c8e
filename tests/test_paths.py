"""Any two paths through a history of releases, rungs and losses end in the same bits.

Clients as they are, on folders as they are published. A path is what one client sees: which
releases, up to which rung each, what of a release is missing or damaged, where it is ended early
or started anew, with its store or without. Whatever it was, at the end it has the bits that the
units of the last release give, by the decoder alone.
"""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from midstream import Publisher
from midstream.client import Delivery
from midstream.client.events import UpdateApplied, UpdateRefused
from midstream.decoder import rebuild
from midstream.session import Event, Policy, machine
from midstream.trust import manifest
from midstream.trust.manifest import Manifest
from midstream.trust.updates import updates_of
from published import NAME, signer
from tensorfiles import normal, safetensors

CASES = int(os.environ.get("MIDSTREAM_PATHS", "4"))
"""Of each history."""
LADDER = ("2.5b", "4b", "exact")
TOP = len(LADDER) - 1

Arrays = dict[str, Any]
Change = Callable[[Arrays], Arrays]


def start() -> Arrays:
    integers = np.random.default_rng(1).integers(-90, 90, (20, 30)).astype("|i1")
    return {"a": normal(60, 40), "b": normal(30, 20).astype("<f2"), "c": integers}


def little(arrays: Arrays) -> Arrays:
    """All weights by a little."""
    rng = np.random.default_rng(len(arrays["a"]))
    moved = {
        name: (arrays[name] + rng.standard_normal(arrays[name].shape) * 1e-3).astype(
            arrays[name].dtype
        )
        for name in "ab"
    }
    return {**arrays, **moved}


def few(arrays: Arrays) -> Arrays:
    """One tensor, and a few weights of another."""
    other = arrays["c"].copy()
    other.ravel()[::7] //= 2
    return {**arrays, "b": arrays["b"] * np.float16(1.5), "c": other}


def pruned(arrays: Arrays) -> Arrays:
    return {**arrays, "a": arrays["a"] * (np.abs(arrays["a"]) > 0.06)}


def decayed(arrays: Arrays) -> Arrays:
    return {**arrays, "a": arrays["a"] * np.float32(1 - 2**-12)}


def grown(arrays: Arrays) -> Arrays:
    """Another topology: rows and a tensor more."""
    rows = normal(3, 40, seed=len(arrays["a"]))
    return {**arrays, "a": np.concatenate([arrays["a"], rows]), "d": normal(50)}


def reverted(_: Arrays) -> Arrays:
    """To the first release."""
    return start()


HISTORIES: dict[str, tuple[Change, ...]] = {
    "moved, moved, moved": (little, little, little),
    "grown, moved, reverted": (grown, little, reverted),
    "pruned, decayed, moved": (pruned, decayed, little),
    "moved in part, reverted, grown": (few, reverted, grown),
}


@dataclass(frozen=True)
class History:
    """A repository after each release."""

    folders: tuple[Path, ...]

    @cache  # noqa: B019 # as long as the tests are
    def bits(self, release: int, layer: int) -> bytes:
        """What the units of a release give, up to a layer."""
        units = self.described(release).units[: layer + 1]
        return bytes(rebuild([(self.folders[release - 1] / u.path).read_bytes() for u in units]))

    @cache  # noqa: B019 # as long as the tests are
    def described(self, release: int) -> Manifest:
        (path,) = self.folders[release - 1].rglob(f"*.{release}.manifest")
        return manifest.decode(path.read_bytes())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], History]:
    @cache
    def publish(name: str) -> History:
        repo, arrays = tmp_path_factory.mktemp("repo"), start()
        folders = []
        for number, change in enumerate((dict, *HISTORIES[name]), 1):
            arrays = change(arrays)
            publisher = Publisher(repo, signer=signer())
            publisher.publish(safetensors(arrays), name=NAME, ladder=LADDER)
            folders.append(tmp_path_factory.mktemp("after") / str(number))
            shutil.copytree(repo, folders[-1])
        return History(folders=tuple(folders))

    return publish


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a client sees of one release."""

    release: int
    layer: int
    """The highest that it wants; of a run, that of its first visit counts."""
    is_new_run: bool
    """Whether the client was started anew."""
    keeps_store: bool
    """Whether it has what it had, where it was."""
    loss: str
    """What became of the files of updates: nothing, or they are missing, cut or damaged."""
    is_cut_short: bool
    """Whether it is ended after its base."""


def visits(release: int, *, is_last: bool = False) -> st.SearchStrategy[Visit]:
    return st.builds(
        Visit,
        release=st.just(release),
        layer=st.integers(0, TOP),
        is_new_run=st.booleans(),
        keeps_store=st.sampled_from([True, True, True, False]),
        loss=st.sampled_from(["", "", "", "missing", "cut", "damaged"]),
        is_cut_short=st.just(False) if is_last else st.booleans(),
    )


def paths(releases: int) -> st.SearchStrategy[list[Visit]]:
    """Some of the releases, in order, and the last one."""
    seen = st.sets(st.integers(1, releases - 1)).map(sorted)
    first = seen.flatmap(lambda numbers: st.tuples(*map(visits, numbers)))
    return st.tuples(first, visits(releases, is_last=True)).map(lambda pair: [*pair[0], pair[1]])


def straight(releases: int, layer: int) -> list[Visit]:
    """Every release up to one layer, with no loss."""
    return [
        Visit(
            release=number,
            layer=layer,
            is_new_run=False,
            keeps_store=True,
            loss="",
            is_cut_short=False,
        )
        for number in range(1, releases + 1)
    ]


def lose(repo: Path, described: Manifest, loss: str) -> None:
    """Do to all files of its updates what a bad link or disk does."""
    for update in updates_of(described):
        for path in (repo / "units").glob(f"{update.unit.id}*"):
            data = path.read_bytes()
            if loss == "missing":
                path.unlink()
            elif loss == "cut":
                path.write_bytes(data[: len(data) // 2])
            elif loss == "damaged":
                path.write_bytes(bytes(byte ^ 0x55 for byte in data))


def runs_of(path: Sequence[Visit]) -> Iterator[list[Visit]]:
    """The visits of each run of the client."""
    run: list[Visit] = []
    for visit in path:
        if run and visit.is_new_run:
            yield run
            run = []
        run.append(visit)
    yield run


@dataclass
class Client:
    """One client with a disk, on its way."""

    history: History
    folder: Path
    events: list[Event] = field(default_factory=list)

    async def walk(self, path: Sequence[Visit]) -> tuple[int, bytes]:
        """The layer that it has of the last release, and its bits."""
        found = -1, b""
        for run in runs_of(path):
            if not run[0].keeps_store:
                shutil.rmtree(self.folder / "store", ignore_errors=True)
            found = await self._run(run)
        return found

    async def _run(self, run: Sequence[Visit]) -> tuple[int, bytes]:
        repo = self.folder / "repo"
        self._meet(run[0], repo)
        async with Delivery.open(
            str(repo),
            NAME,
            root=(repo / "1.root.json").read_bytes(),
            store=self.folder / "store",
            policy=Policy(max_layer=run[0].layer),
            on_event=self.events.append,
        ) as delivery:
            for place, visit in enumerate(run):
                if place:
                    self._meet(visit, repo)
                    await delivery.check()
                await (delivery.base() if visit.is_cut_short else delivery.complete())
            return delivery.best_layer(), bytes(await delivery.rebuild())

    def _meet(self, visit: Visit, repo: Path) -> None:
        """The repository as it is to this client now."""
        shutil.copytree(self.history.folders[visit.release - 1], repo, dirs_exist_ok=True)
        lose(repo, self.history.described(visit.release), visit.loss)


@pytest.mark.once
@pytest.mark.parametrize("name", HISTORIES)
def test_any_two_paths_end_in_the_same_bits(
    name: str,
    made: Callable[[str], History],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # what is lost is asked for again at once
    monkeypatch.setattr(machine, "_LONGEST_PAUSE", 0.001)
    history, seen = made(name), Counter[str]()
    last = len(history.folders)

    @settings(max_examples=CASES, suppress_health_check=list(HealthCheck), deadline=None)
    @given(paths(last), paths(last))
    @example(straight(last, TOP), straight(last, 1))
    @example(straight(last, 0), straight(last, TOP)[-1:])
    @example(straight(last, 0)[:: last - 1], straight(last, TOP)[:: last - 1])
    def walk(one: list[Visit], other: list[Visit]) -> None:
        seen["cases"] += 1
        for path in (one, other):
            with tempfile.TemporaryDirectory() as folder:
                client = Client(history, Path(folder))
                layer, bits = asyncio.run(client.walk(path))
            *_, last_run = runs_of(path)
            assert layer >= last_run[0].layer
            assert bits == history.bits(last, layer)
            seen["visits"] += len(path)
            seen["updates applied"] += sum(type(e) is UpdateApplied for e in client.events)
            seen["updates refused"] += sum(type(e) is UpdateRefused for e in client.events)

    walk()
    assert seen["updates applied"], "else this says nothing of updates"
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{count} {what}" for what, count in seen.items()))  # noqa: T201
