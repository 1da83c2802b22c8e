"""A soak of some seconds; MIDSTREAM_SOAK_SECONDS=1800 is the half hour of `tox -e break-it`.

And a few of the releases of `soakday.py`.
"""

import asyncio
import os
from pathlib import Path

import pytest

from soak import Soak
from soakday import WAYS, measured

pytestmark = pytest.mark.once

SECONDS = float(os.environ.get("MIDSTREAM_SOAK_SECONDS", "2"))
LONG = 300.0
"""Seconds from which on what it takes has settled."""
FLAT = 0.03
"""By how much memory may grow from the second quarter to the last, over what it is then."""


async def test_nothing_breaks_or_leaks_over_links_and_origins_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SECONDS < LONG:
        # what was given up for long would be waited for
        monkeypatch.setattr("midstream.session.followed._RETRY_FAILED", 0.5)
    report = await Soak(tmp_path, SECONDS, seed=3).run()
    print(report)  # noqa: T201 - the report is what a long soak is for
    assert report.counts["models checked, running"] > 0
    assert report.counts["models checked, process"] > 0
    assert report.left["tasks"] <= 0
    assert report.left["descriptors"] <= 0
    assert len(asyncio.all_tasks()) == 1
    if SECONDS >= LONG:
        assert report.rise("resident") < FLAT
        assert report.rise("blocks") < FLAT
        assert report.growth("descriptors") < 20
        assert report.growth("tasks") < 20


async def test_a_player_says_what_memory_it_has_after_each_release() -> None:
    reports = await measured(3)
    assert reports.keys() == WAYS.keys()
    for report in reports.values():
        assert [len(found) for found in report.samples.values()] == [3] * 4
        assert min(report.samples["resident"]) > 1 << 20
