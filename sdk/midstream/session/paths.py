"""The cheapest way to a release over updates. Knows nothing of what moves or applies them.

Updates lead from one release to a later one, so the ways are those of a graph without circles:
bytes count first, then the weights that are to be decoded, which is what takes time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry
from midstream.types import Fidelity

__all__ = ["Way", "cheapest", "cheapest_lossy", "steps"]


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
    """The exact updates to apply, in order; None where there is no way.

    Args:
        updates: All that are known.
        held: Releases whose exact model is here.
        release: Where it has to lead.
        memory: Bytes that applying one may take.
    """
    if release in held:
        return None
    found = _ways(updates, [(number, None) for number in held], memory).get((release, None))
    return found.updates if found is not None else None


def cheapest_lossy(
    updates: Sequence[UpdateEntry],
    held: Collection[tuple[int, int]],
    rest: Mapping[int, int],
    release: int,
    *,
    memory: int,
) -> tuple[tuple[UpdateEntry, ...], int] | None:
    """The lossy updates to apply, in order, and bytes in all; None where there is no way.

    Args:
        updates: All that are known.
        held: Releases, and layers up to which all their units are here.
        rest: Of each layer of the release, bytes of the fresh units above it that are wanted.
        release: Where it has to lead.
        memory: Bytes that applying one may take.
    """
    ends = [
        (found.size + rest[layer], found.work, found.updates)
        for (number, layer), found in _ways(updates, held, memory).items()
        if number == release and layer is not None and layer in rest and found.updates
    ]
    if not ends:
        return None
    size, _, way = min(ends, key=lambda end: end[:2])
    return way, size


_Rung = tuple[int, int | None]
"""A release, and a layer up to which its units are here; None for its exact model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The cheapest way to a rung so far."""

    size: int = 0
    """Bytes of its updates."""
    work: int = 0
    """Weights that they decode."""
    updates: tuple[UpdateEntry, ...] = ()
    """In order."""


def _ways(
    updates: Sequence[UpdateEntry], held: Iterable[_Rung], memory: int
) -> dict[_Rung, _Found]:
    """The cheapest way to each rung that can be reached."""
    ways: dict[_Rung, _Found] = dict.fromkeys(held, _Found())
    # each leads to a higher number: in this order, the way to its start is settled
    for update in sorted(updates, key=lambda one: (one.parent, one.release)):
        unit, start = update.unit, ways.get((update.parent, update.rung))
        if start is None or unit.peak_decode_bytes > memory:
            continue
        made = _Found(
            size=start.size + unit.size,
            work=start.work + update.work,
            updates=(*start.updates, update),
        )
        end = (update.release, None if update.rung is None else unit.layer)
        known = ways.get(end)
        if known is None or (made.size, made.work) < (known.size, known.work):
            ways[end] = made
    return ways


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
