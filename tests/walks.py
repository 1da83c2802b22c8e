"""Clients as they are, on their ways through releases as they are published.

A path is what one client sees: which releases, up to which rung each, what of a release is
missing or damaged, where it is ended early or started anew, with its store or without.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from midstream.client import Delivery
from midstream.decoder import rebuild
from midstream.session import Event, Policy
from midstream.trust import manifest
from midstream.trust.manifest import Manifest
from midstream.trust.updates import updates_of
from published import NAME

LADDER = ("2.5b", "4b", "exact")
TOP = len(LADDER) - 1


@dataclass(frozen=True)
class History:
    """A repository after each release."""

    folders: tuple[Path, ...]

    @cache  # noqa: B019 # as long as the tests are
    def bits(self, release: int, layer: int) -> bytes:
        """What the units of a release give, up to a layer."""
        units = self.described(release).units[: layer + 1]
        return bytes(rebuild([(self.folders[release - 1] / u.path).read_bytes() for u in units]))

    @property
    def last(self) -> int:
        """The newest release."""
        return len(self.folders)

    def top(self, release: int) -> int:
        """The highest layer of a release."""
        return len(self.described(release).units) - 1

    @cache  # noqa: B019 # as long as the tests are
    def described(self, release: int) -> Manifest:
        (path,) = self.folders[release - 1].rglob(f"*.{release}.manifest")
        return manifest.decode(path.read_bytes())


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
