"""Damaged manifests: an error of ours, or a manifest that comes back from its own bytes."""

from contextlib import suppress
from dataclasses import replace

from choices import Choices
from midstream.errors import DataError
from midstream.trust import manifest
from midstream.types import UnitKind
from mutations import damage
from trusting import entry, release

SECOND = entry(2, kind=UnitKind.ENHANCEMENT, layer=1, parent=0, head_size=0)
LAST = entry(3, kind=UnitKind.EXACT, layer=2, parent=1, head_size=0)
MANIFEST = manifest.encode(release())
LONGER = manifest.encode(replace(release(), units=(entry(), SECOND, LAST)))


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good one with damage."""
    chosen = choices.integer(0, 15)
    good = MANIFEST if chosen % 2 else LONGER
    data = choices.raw(1 << 10) if chosen == 0 else damage(good, choices)
    with suppress(DataError):
        changed = manifest.decode(data)
        assert manifest.decode(manifest.encode(changed)) == changed
