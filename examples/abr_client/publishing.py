"""The two releases of the example's network, published. Knows nothing of players."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import midstream

__all__ = ["LADDER", "MODELS", "Repositories", "copy_news", "publish_releases"]

MODELS = Path(__file__).parent / "models"
"""The committed networks and the record of their training."""
LADDER = ("3b", "4.5b", "6b", "exact")
"""Rungs of both releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """A repository before and after the second release."""

    first: Path
    """Folder with one release."""
    second: Path
    """The same with two."""
    root: Path
    """The root that clients pin."""
    published: frozenset[str]
    """SHA-256 of every model that a layer of either release gives."""
    releases: tuple[midstream.Release, ...]
    """What was published."""


def publish_releases(
    folder: Path, *, ladder: Sequence[str] = LADDER, progress: Callable[[str], None]
) -> Repositories:
    """Publish both releases, one after the other.

    Args:
        folder: Where.
        ladder: Rungs of both.
        progress: Told what is done.
    """
    first, second = folder / "first", folder / "second"
    signer = midstream.Signer.generate()
    backend = midstream.find_backend()
    releases = []
    for number, repository in enumerate((first, second), 1):
        if number > 1:
            shutil.copytree(first, second)
        publisher = midstream.Publisher(repository, signer=signer, backend=backend)
        model = MODELS / f"abr-{number}.tflite"
        releases.append(
            publisher.publish(model, name="abr", ladder=ladder, repair=0.3, progress=progress)
        )
    return Repositories(
        first=first,
        second=second,
        root=first / "1.root.json",
        published=frozenset(_hashes(second, releases)),
        releases=tuple(releases),
    )


def copy_news(repositories: Repositories, served: Path) -> None:
    """Publish the second release in a copy of the first, in the order a publisher writes."""
    files = [path for path in repositories.second.rglob("*") if path.is_file()]
    for path in sorted(files, key=_order):
        target = served / path.relative_to(repositories.second)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _order(path: Path) -> int:
    """Units, then what lists them, the timestamp and the bundle last."""
    if path.parent.name == "units":
        return 0
    return 2 if path.name.startswith("timestamp") or path.parent.name == "bundles" else 1


def _hashes(folder: Path, releases: Sequence[midstream.Release]) -> list[str]:
    """What each layer gives, decoded from the publisher's own files."""
    hashes = []
    for release in releases:
        units = [(folder / entry.path).read_bytes() for entry in release.manifest.units]
        for count in range(1, len(units) + 1):
            model = midstream.rebuild(units[:count])
            hashes.append(hashlib.sha256(model).hexdigest())
    return hashes
