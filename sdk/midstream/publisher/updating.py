"""Update units for a new release, from those before it. Knows nothing of signing.

Each is applied before it is signed for, and published only where it is smaller than the fresh
units that it stands for.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from midstream import decoder
from midstream.bitstream import protected_size
from midstream.decoder import Exact
from midstream.encoder import Encoded, EncodedUnit
from midstream.encoder.update import encode_update
from midstream.errors import BitstreamError, ErrorCode, MidstreamError, UsageError
from midstream.publisher.lossy import lossy_rungs, make_lossy
from midstream.publisher.made import MadeUpdate
from midstream.publisher.mapping import map_unit
from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry, updates_of
from midstream.types import Fidelity, UnitKind

__all__ = ["FRESH", "UpdatePolicy", "chosen", "links", "make_updates"]

_MOST_LINKS = 8
"""Updates between earlier releases that stay listed, so that who is far behind can follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePolicy:
    """Which updates are made for a new release.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    last: int = 2
    """From so many releases before it; 0 for none."""
    only: int | None = None
    """From this release alone, which then has to be there and to have an exact unit."""

    def __post_init__(self) -> None:
        if not 0 <= self.last <= _MOST_LINKS:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"updates from {self.last} releases: expected 0 to {_MOST_LINKS}",
            )


FRESH = UpdatePolicy(last=0)
"""No updates: every client fetches the new release as a new one does."""


def make_updates(
    folder: Path,
    parents: Sequence[Manifest],
    policy: UpdatePolicy,
    encoded: Encoded,
    model: bytes,
    progress: Callable[[str], None],
) -> Iterator[MadeUpdate]:
    """The updates to a new release that take fewer bytes than what they stand for.

    Args:
        folder: The repository's folder.
        parents: Releases of the network that are signed for, the newest last.
        policy: From which of them.
        encoded: The new release.
        model: Its model file, as it is coded.
        progress: Told of those that do not pay, or cannot be made.

    Raises:
        UsageError: There is no release that the policy names, or neither it nor the new one has
            a unit that an update could be of.
        BitstreamError: The release that the policy names is not as it was signed.
    """
    found = chosen(parents, policy)
    makers = _makers(folder, found, encoded, model)
    if policy.only is not None and not makers:
        raise UsageError(
            ErrorCode.BAD_LADDER, "an update needs lower rungs, or a ladder that ends in exact"
        )
    for parent, make in makers:
        try:
            made = make()
        except MidstreamError as error:
            if policy.only is not None:
                raise
            progress(f"no update from release {parent.release}: {error.message}")
            continue
        fresh = sum(len(unit.data) for unit in encoded.units[: made.stands_for])
        if (size := len(made.unit.data)) < fresh:
            yield made
        else:
            progress(f"no {made.unit.rung}: {size} bytes, fresh units {fresh}")


_Maker = tuple[Manifest, Callable[[], MadeUpdate]]


def _makers(
    folder: Path, parents: Sequence[Manifest], encoded: Encoded, model: bytes
) -> list[_Maker]:
    """What makes each update that there may be, and the release that it is from."""
    makers: list[_Maker] = []
    if parents and encoded.units[-1].rung == "exact":
        result_id = _exact([unit.data for unit in encoded.units]).id
        makers += [
            (parent, partial(_make, folder, parent, encoded, model, result_id))
            for parent in parents
        ]
    for parent in parents:
        rungs = range(1, 1 + lossy_rungs(parent, encoded))
        makers += [(parent, partial(make_lossy, folder, parent, encoded, n)) for n in rungs]
    return makers


def chosen(parents: Sequence[Manifest], policy: UpdatePolicy) -> Sequence[Manifest]:
    """The releases that updates are made from.

    Raises:
        UsageError: NOT_FOUND where there is not the one that the policy names.
    """
    if policy.only is None:
        return parents[-policy.last :] if policy.last else ()
    found = [parent for parent in parents if parent.release == policy.only]
    if not found:
        numbers = ", ".join(str(parent.release) for parent in parents) or "none"
        raise UsageError(
            ErrorCode.NOT_FOUND, f"no release {policy.only} to update from; there is {numbers}"
        )
    return found


def _exact(units: Sequence[bytes | memoryview]) -> Exact:
    stack = decoder.read_stack(units)
    return Exact(topology=stack.head.topology, model=decoder.rebuild(units))


def _make(
    folder: Path, parent: Manifest, encoded: Encoded, model: bytes, result_id: bytes
) -> MadeUpdate:
    entries = [parent.units[index] for index in parent.chain(len(parent.units) - 1)]
    old = _exact([map_unit(folder / entry.path, entry) for entry in entries])
    if hashlib.sha256(old.model).digest() != parent.model_sha256:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"{parent.name} release {parent.release} has no exact unit, so nobody has its model",
        )
    layer = encoded.units[-1].layer
    data = encode_update(old.topology, old.model, model, layer=layer)
    update = decoder.read_update(data, old)
    result = decoder.apply_update(old, data)
    assert result.model == model, "an update gives the new model"
    assert result.id == result_id, "both ways end in the same model"
    unit = EncodedUnit(
        kind=UnitKind.UPDATE,
        layer=layer,
        rung=f"update from {parent.release}",
        data=data,
        head_size=protected_size(data),
        fidelity=Fidelity(weight_snr=float("inf")),
    )
    return MadeUpdate(
        parent=parent,
        parent_id=old.id,
        unit=unit,
        stands_for=len(encoded.units),
        work=update.work,
        peak_memory=update.peak_memory,
    )


def links(parents: Sequence[Manifest]) -> tuple[UpdateEntry, ...]:
    """Updates between earlier releases that a new one goes on listing, the last of each kind."""
    found = {_place(u): u for parent in parents for u in updates_of(parent)}
    listed = [found[place] for place in sorted(found)]
    exact = [update for update in listed if update.rung is None]
    lossy = [update for update in listed if update.rung is not None]
    return (*exact[-_MOST_LINKS:], *lossy[-_MOST_LINKS:])


def _place(update: UpdateEntry) -> tuple[int, int, int]:
    """Where an update leads from and to; exact ones before lossy ones."""
    return update.parent, update.release, -1 if update.rung is None else update.rung
