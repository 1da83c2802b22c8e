"""What is measured, in the order of its figures. Knows nothing of how."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery_parts import (
    cache,
    carousel,
    clients,
    damage,
    metadata,
    news,
    recovery,
    start,
    verification,
    video,
)
from delivery_parts.environment import make_environment
from delivery_parts.releases import models
from reach.figures import Figure

__all__ = ["SECTIONS", "Run", "Section", "figures"]

_TURNS, _QUICK_TURNS = 9, 3
_CLIENTS, _QUICK_CLIENTS = 100, 20
_AT_ONCE, _QUICK_AT_ONCE = 1000, 50
_RELEASES, _QUICK_RELEASES = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the benchmark."""

    out: Path
    """Folder for what is made."""
    is_quick: bool
    """Whether few turns will do."""
    advance: Callable[[str], None]
    """Told of each step."""

    @property
    def turns(self) -> int:
        """How often a call is timed."""
        return _QUICK_TURNS if self.is_quick else _TURNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures that come from one measurement."""

    measure: Callable[[Run], Any]
    """Gives results that JSON can hold."""
    figures: Callable[[Any], list[Figure]]
    """Of results; of an empty mapping, figures without values."""
    steps: Callable[[Run], int] = lambda _: 1
    """How often it tells of a step."""


def _recovery(run: Run) -> Any:
    python = make_environment(run.out / "peers")
    return recovery.measure_recovery(python, run.out, run.turns, run.advance)


def _news(run: Run) -> Any:
    clients = _QUICK_CLIENTS if run.is_quick else _CLIENTS
    return news.measure_news(models(_releases(run)), clients, run.advance)


def _releases(run: Run) -> int:
    return _QUICK_RELEASES if run.is_quick else _RELEASES


def _video(run: Run) -> Any:
    folder = os.environ.get("MIDSTREAM_TRACES")
    return video.measure_video(Path(folder) if folder else None, run.advance)


SECTIONS: dict[str, Section] = {
    "recovery": Section(
        measure=_recovery,
        figures=recovery.recovery_figures,
        steps=lambda run: recovery.COST * (run.turns + 1),
    ),
    "carousel": Section(
        measure=lambda run: carousel.measure_carousel(run.advance),
        figures=carousel.carousel_figures,
        steps=lambda _: carousel.STEPS,
    ),
    "damage": Section(
        measure=lambda run: damage.measure_damage(run.is_quick, run.advance),
        figures=damage.damage_figures,
        steps=lambda _: damage.STEPS,
    ),
    "news": Section(
        measure=_news, figures=news.news_figures, steps=lambda run: 2 * (_releases(run) - 1)
    ),
    "verification": Section(
        measure=lambda run: verification.measure_verification(run.turns, run.advance),
        figures=verification.verification_figures,
        steps=lambda _: verification.STEPS,
    ),
    "metadata": Section(
        measure=lambda run: metadata.measure_metadata(run.advance),
        figures=metadata.metadata_figures,
    ),
    "start": Section(
        measure=lambda run: start.measure_start(run.advance), figures=start.start_figures
    ),
    "clients": Section(
        measure=lambda run: clients.measure_clients(
            _QUICK_AT_ONCE if run.is_quick else _AT_ONCE, run.advance
        ),
        figures=clients.clients_figures,
    ),
    "video": Section(measure=_video, figures=video.video_figures, steps=lambda _: video.STEPS),
    "cache": Section(
        measure=lambda run: cache.measure_cache(run.turns, run.advance),
        figures=cache.cache_figures,
    ),
}
"""All that is measured."""


def figures(results: Mapping[str, Any]) -> list[Figure]:
    """All figures to reach; those not measured have no values."""
    measured = [section.figures(results.get(name, {})) for name, section in SECTIONS.items()]
    return [figure for listed in measured for figure in listed]
