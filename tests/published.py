"""Published repositories of tiny networks, made once for all tests that need one."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from midstream import Publisher, Signer
from midstream.publisher import UpdatePolicy
from midstream.trust import manifest
from midstream.trust.manifest import Manifest
from models import mlp

NAME = "net"
SIZES = (16, 64, 48, 4)


def signer() -> Signer:
    """The publisher's key."""
    return Signer(bytes(range(32)))


@dataclass(frozen=True)
class Published:
    """What a publisher wrote, and from what."""

    models: tuple[bytes, ...]
    """The model file of each release."""
    files: dict[str, bytes]
    """Every file of the repository, by its path."""

    @property
    def root(self) -> bytes:
        """What clients pin."""
        return self.files["1.root.json"]

    @property
    def manifest(self) -> Manifest:
        """The newest release."""
        return self.manifest_of(len(self.models))

    def manifest_of(self, release: int) -> Manifest:
        """A release."""
        (path,) = (p for p in self.files if p.endswith(f".{release}.manifest"))
        return manifest.decode(self.files[path])

    def write(self, folder: Path) -> Path:
        """Put it on a disk."""
        for path, data in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return folder


@cache
def published(
    *seeds: int,
    ladder: tuple[str, ...] = ("2.5b", "5b", "exact"),
    sizes: tuple[int, ...] = SIZES,
    repair: float = 0.15,
    updates: UpdatePolicy | None = None,
) -> Published:
    """A repository with a release for each seed."""
    models = tuple(mlp(sizes, seed=seed) for seed in seeds)
    return published_models(*models, ladder=ladder, repair=repair, updates=updates)


def published_models(
    *models: bytes,
    ladder: tuple[str, ...],
    repair: float = 0.15,
    updates: UpdatePolicy | None = None,
) -> Published:
    """A repository with a release for each model."""
    with tempfile.TemporaryDirectory() as made:
        publisher = Publisher(made, signer=signer())
        for model in models:
            publisher.publish(model, name=NAME, ladder=ladder, repair=repair, updates=updates)
        paths = [path for path in sorted(Path(made).rglob("*")) if path.is_file()]
        files = {
            path.relative_to(made).as_posix(): path.read_bytes()
            for path in paths
            if not path.name.startswith(".")
        }
    return Published(models=models, files=files)
