"""A repository as it is after each release of a network. Knows nothing of servers."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import midstream

__all__ = ["MODELS", "NAME", "models", "publish_all", "put"]

NAME = "abr"
"""The network."""
MODELS = [
    Path(__file__).parents[2] / f"examples/abr_client/models/abr-{release}.tflite"
    for release in (1, 2)
]
"""Model files of its releases."""
_TIMESTAMP = Path("metadata/timestamp.json")


def models(count: int) -> list[Path | bytes]:
    """Model files of so many releases, up to four: no two of them have a unit in common."""
    coarse = (midstream.encode(path.read_bytes(), ladder="6b") for path in MODELS)
    more = (bytes(midstream.rebuild([unit.data for unit in one.units])) for one in coarse)
    return [*MODELS, *(more if count > len(MODELS) else ())][:count]


def publish_all(models: Sequence[Path | bytes], folder: Path) -> list[Path]:
    """The repository's folder after each release."""
    publisher = midstream.Publisher(folder / "work", signer=midstream.Signer.generate())
    releases = []
    for number, model in enumerate(models, start=1):
        publisher.publish(model, name=NAME)
        releases.append(Path(shutil.copytree(folder / "work", folder / str(number))))
    return releases


def put(release: Path, served: Path) -> float:
    """Publish what is in another folder: the timestamp after news of it, and then bundles.

    Returns:
        When the timestamp was in its place, on the system's monotonic clock.
    """
    ignore = shutil.ignore_patterns(_TIMESTAMP.name, "*.lock", "bundles")
    shutil.copytree(release, served, ignore=ignore, dirs_exist_ok=True)
    for news in (release / "bundles").glob("*.news"):
        _replace(release, served, news.relative_to(release))
    _replace(release, served, _TIMESTAMP)
    began = time.monotonic()
    for bundle in (release / "bundles").iterdir():
        _replace(release, served, bundle.relative_to(release))
    return began


def _replace(release: Path, served: Path, path: Path) -> None:
    new = (served / path).with_name(".new")
    shutil.copy(release / path, new)
    new.replace(served / path)
