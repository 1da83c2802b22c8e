"""Update units for a new release, from those before it. Knows nothing of signing.

Each is applied before it is signed for, and published only where it is smaller than the fresh
ladder that it stands for.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from midstream import decoder
from midstream.bitstream import protected_size
from midstream.decoder import Exact
from midstream.encoder import Encoded, EncodedUnit
from midstream.encoder.update import encode_update
from midstream.errors import BitstreamError, ErrorCode, MidstreamError, UsageError
from midstream.publisher.mapping import map_unit
from midstream.trust.manifest import Manifest
from midstream.trust.updates import UpdateEntry, updates_of
from midstream.types import Fidelity, UnitKind

__all__ = ["FRESH", "MadeUpdate", "UpdatePolicy", "chosen", "links", "make_updates"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpdate:
    """An update that pays."""

    parent: Manifest
    """The release that it is from."""
    parent_id: bytes
    """What that release's exact model is called."""
    result_id: bytes
    """What the new one is called."""
    unit: EncodedUnit
    """The unit."""
    peak_memory: int
    """Bytes that applying it takes, both model files included."""


def make_updates(
    folder: Path,
    parents: Sequence[Manifest],
    policy: UpdatePolicy,
    encoded: Encoded,
    model: bytes,
    progress: Callable[[str], None],
) -> Iterator[MadeUpdate]:
    """The updates to a new release that take fewer bytes than its ladder.

    Args:
        folder: The repository's folder.
        parents: Releases of the network that are signed for, the newest last.
        policy: From which of them.
        encoded: The new release.
        model: Its model file, as it is coded.
        progress: Told of those that do not pay, or cannot be made.

    Raises:
        UsageError: There is no release that the policy names, or the new one has no exact unit.
        BitstreamError: The release that the policy names has no exact unit.
    """
    found = chosen(parents, policy)
    if encoded.units[-1].rung != "exact":
        if policy.only is not None:
            raise UsageError(ErrorCode.BAD_LADDER, "an update needs a ladder that ends in exact")
        return
    new = _exact([unit.data for unit in encoded.units]) if found else None
    fresh = sum(len(unit.data) for unit in encoded.units)
    for parent in found:
        try:
            made = _make(folder, parent, encoded.units[-1].layer, model)
        except MidstreamError as error:
            if policy.only is not None:
                raise
            progress(f"no update from release {parent.release}: {error.message}")
            continue
        assert new is not None, "made where anything is chosen"
        assert made.result_id == new.id, "both ways end in the same model"
        if (size := len(made.unit.data)) < fresh:
            yield made
        else:
            progress(f"no update from release {parent.release}: {size} bytes, all units {fresh}")


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


def _make(folder: Path, parent: Manifest, layer: int, model: bytes) -> MadeUpdate:
    entries = [parent.units[index] for index in parent.chain(len(parent.units) - 1)]
    old = _exact([map_unit(folder / entry.path, entry) for entry in entries])
    if hashlib.sha256(old.model).digest() != parent.model_sha256:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"{parent.name} release {parent.release} has no exact unit, so nobody has its model",
        )
    data = encode_update(old.topology, old.model, model, layer=layer)
    update = decoder.read_update(data, old)
    result = decoder.apply_update(old, data)
    assert result.model == model, "an update gives the new model"
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
        result_id=result.id,
        unit=unit,
        peak_memory=update.peak_memory,
    )


def links(parents: Sequence[Manifest]) -> tuple[UpdateEntry, ...]:
    """Updates between earlier releases that a new one goes on listing, the last ones."""
    found = {(u.parent, u.release): u for parent in parents for u in updates_of(parent)}
    return tuple(found[place] for place in sorted(found)[-_MOST_LINKS:])
