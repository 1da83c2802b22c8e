"""A publisher whose every layer is known by its hash, and a player that is held to it."""

import asyncio
import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from midstream import Model, Publisher, connect
from midstream.decoder import rebuild
from midstream.errors import DataError, TransportError, UnavailableError
from midstream.limits import Limits
from midstream.runtime import Backend, TensorInfo
from midstream.session import Event
from midstream.testing import TcpProxy
from midstream.trust import manifest
from models import mlp
from published import NAME, SIZES, signer
from soakreport import Report

LIMITS = Limits(attempts=3, connect_timeout=2.0, read_timeout=1.0)
LADDER = ("2.5b", "5b", "exact")
WRONG = (TransportError, DataError, UnavailableError)
"""Errors that a link, an origin or a disk may cause; no others are expected."""
TAKEN = TensorInfo(name="input", shape=(1, SIZES[0]), dtype=np.dtype("float32"))
"""What every network takes."""
_DIGEST = hashlib.sha256().digest_size


class World:
    """What was published, and what every layer of it is."""

    def __init__(self, folder: Path, seed: int, report: Report) -> None:
        self.repo = folder / "repo"
        self.report = report
        self._digests = bytearray()
        """SHA-256 of each release's model file at each layer, one after the other."""
        self._seed = seed

    @property
    def newest(self) -> int:
        """The number of the newest release."""
        return len(self._digests) // (_DIGEST * len(LADDER))

    async def publish(self, publisher: Executor) -> None:
        """One more release; its hashes are known before anybody can have it.

        Args:
            publisher: A process of its own, as a publisher is: what that takes grows with
                its repository, and is not what has to be flat here.
        """
        number = self.newest + 1
        staging = self.repo.with_name("staging")

        async def there(work: Callable[..., Any], *given: object) -> Any:
            return await asyncio.get_running_loop().run_in_executor(publisher, work, *given)

        digests = await there(stage, self.repo, staging, self._seed, number)
        self._digests += digests
        await there(mirror, staging, self.repo)
        self.report.counts["releases published"] += 1

    def check(self, release: int, layer: int, sha256: str, who: str) -> None:
        """A model that somebody has is the one that was published."""
        start = ((release - 1) * len(LADDER) + layer) * _DIGEST
        published = self._digests[start : start + _DIGEST]
        assert published == bytes.fromhex(sha256), f"{who}: release {release}, layer {layer}"
        self.report.counts[f"models checked, {who}"] += 1


def stage(repo: Path, staging: Path, seed: int, number: int) -> bytes:
    """Publish one more release, beside the repository; says what its layers are, by SHA-256."""
    model = mlp(SIZES, seed=seed * 1000 + number)
    if repo.exists():
        shutil.copytree(repo, staging, dirs_exist_ok=True)
    Publisher(staging, signer=signer()).publish(model, name=NAME, ladder=LADDER)
    digests = _layers(staging, number)
    assert digests[-1] == hashlib.sha256(model).digest()
    return b"".join(digests)


def _layers(folder: Path, number: int) -> list[bytes]:
    (path,) = (folder / "targets" / NAME).glob(f"*.{number}.manifest")
    units = [
        (folder / entry.path).read_bytes() for entry in manifest.decode(path.read_bytes()).units
    ]
    stacks = [units[: at + 1] for at in range(len(LADDER))]
    return [hashlib.sha256(rebuild(stack)).digest() for stack in stacks]


def mirror(staging: Path, repo: Path) -> None:
    """Copy what is new, the timestamp and the bundle last, each at once, as a mirror does."""
    paths = [path for path in sorted(staging.rglob("*")) if path.is_file()]
    late = ("timestamp.json", ".bundle")
    for path in sorted(paths, key=lambda path: path.name.endswith(late)):
        to = repo / path.relative_to(staging)
        if not to.exists() or to.read_bytes() != path.read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            new = to.with_name(f".{to.name}.new")
            new.write_bytes(path.read_bytes())
            new.replace(to)


class Player:
    """Follows, swaps and infers; leaves and comes back with the store that it had."""

    def __init__(self, world: World, proxy: TcpProxy, store: Path, backend: Backend) -> None:
        self._world = world
        self._proxy = proxy
        self._store = store
        self._backend = backend
        self.root = b""
        self.release = 0
        """What it has whole, in this life of it."""
        self.seen: Counter[str] = world.report.counts

    async def live(self, until: float) -> None:
        """From its opening to its end; what goes wrong is an error of ours."""
        try:
            async with connect(
                self._proxy.url,
                NAME,
                root=self.root,
                store=self._store,
                backend=self._backend,
                poll=0.5,
                limits=LIMITS,
                on_event=self._heard,
            ) as model:
                self.seen["players opened"] += 1
                await self._follow(model, until)
        except WRONG as error:
            self.seen[f"opening: {error.code.name}"] += 1
            await asyncio.sleep(0.1)

    async def _follow(self, model: Model, until: float) -> None:
        known = None
        while time.monotonic() < until:
            if model.swap() is not None:
                self.seen["swaps"] += 1
            generation = model.generation
            if generation is not None:
                await model.infer(np.ones((1, SIZES[0]), "f4"))
                self.seen["inferences"] += 1
                if generation is not known:
                    known = generation
                    self._world.check(
                        generation.release, generation.layer, generation.sha256, "running"
                    )
                    if generation.layer == len(LADDER) - 1:
                        self.release = generation.release
            await asyncio.sleep(0.05)

    def _heard(self, event: Event) -> None:
        error = getattr(event, "error", None)
        name = type(event).__name__
        self.seen[f"{name}: {error.code.name}" if error is not None else name] += 1
