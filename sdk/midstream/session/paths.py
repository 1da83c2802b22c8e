"""The cheapest way to a release over updates. Knows nothing of what moves or applies them.

Updates lead from one release to a later one, so the ways are those of a graph without circles:
bytes count first, then memory as a measure of time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry
from midstream.types import Fidelity

__all__ = ["Way", "cheapest", "steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way(Manifest):
    """A release as a session fetches it over updates: each is a unit on the one before it.

    It is made here, never read, so the rules of manifests do not hold for it.
    """

    def __post_init__(self) -> None:
        pass


def cheapest(
    updates: Sequence[UpdateEntry], held: Collection[int], release: int, *, memory: int
) -> tuple[UpdateEntry, ...] | None:
    """The updates to apply, in order; None where there is no way.

    Args:
        updates: All that are known.
        held: Releases whose exact model is here.
        release: Where it has to lead.
        memory: Bytes that applying one may take.
    """
    ways: dict[int, tuple[int, int, tuple[UpdateEntry, ...]]] = dict.fromkeys(held, (0, 0, ()))
    # each leads to a higher number: in this order, the way to its start is settled
    for update in sorted(updates, key=lambda one: (one.parent, one.release)):
        unit = update.unit
        if update.parent not in ways or unit.peak_decode_bytes > memory:
            continue
        size, time, way = ways[update.parent]
        made = (size + unit.size, time + unit.peak_decode_bytes, (*way, update))
        known = ways.get(update.release)
        if known is None or made[:2] < known[:2]:
            ways[update.release] = made
    return ways[release][2] if release in ways and release not in held else None


def steps(manifest: Manifest, way: Sequence[UpdateEntry]) -> Way:
    """A release whose units are these updates."""
    last = len(way) - 1
    units = tuple(
        replace(
            update.unit,
            layer=index,
            parent=index - 1 if index else None,
            fidelity=update.unit.fidelity if index == last else Fidelity(weight_snr=float(index)),
        )
        for index, update in enumerate(way)
    )
    return Way(
        name=manifest.name,
        release=manifest.release,
        format=manifest.format,
        model_size=manifest.model_size,
        model_sha256=manifest.model_sha256,
        weights=manifest.weights,
        units=units,
        extensions=manifest.extensions,
    )
