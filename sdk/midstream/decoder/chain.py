"""Updates in a row: what is between the first model and the last is not hashed.

Knows nothing of transport or trust, but for the hash that the last model is signed for with. That
one is checked, so what a model in between should have been is as well (spec/updates.md, "What it
applies to").
"""

import hashlib
from collections.abc import Sequence

from midstream.decoder.updating import (
    Exact,
    Update,
    apply_records,
    apply_update,
    check_parent,
    copy_kept,
    detached,
    parse_update,
)
from midstream.errors import DataError, ErrorCode, TrustError
from midstream.kernels import blank
from midstream.limits import LIMITS, Limits

__all__ = ["apply_updates"]

_Unit = bytes | bytearray | memoryview


def apply_updates(
    old: Exact,
    units: Sequence[_Unit],
    *,
    parents: Sequence[bytes],
    sha256: bytes,
    limits: Limits = LIMITS,
) -> Exact:
    """The exact model at the end of a row of updates; the first one is not touched.

    Args:
        old: The exact model that the first update applies to.
        units: The updates, in order, at least one.
        parents: For each the id of the model that it applies to, as it is signed for.
        sha256: Hash of the last model file, as it is signed for.
        limits: Bounds on what they claim.

    Raises:
        BitstreamError: One is malformed, or for another model (WRONG_PARENT).
        LimitError: A count or size is over its limit.
        TrustError: They do not give that model file (BAD_HASH).
    """
    try:
        found = _in_a_row(old, units, parents, limits)
        if _is(found, sha256):
            return found
    except DataError:  # told below, by the update that it is of
        if len(units) == 1:
            raise
    # no such model came: one by one, with all ids computed, they say which is at fault
    for unit, parent in zip(units, parents, strict=True):
        check_parent(parent, old.id)
        old = apply_update(old, unit, limits=limits)
    if not _is(old, sha256):
        raise TrustError(ErrorCode.BAD_HASH, f"updates: {len(units)} do not give the signed model")
    return old


def _is(state: Exact, sha256: bytes) -> bool:
    return hashlib.sha256(state.model).digest() == sha256


def _in_a_row(
    old: Exact, units: Sequence[_Unit], parents: Sequence[bytes], limits: Limits
) -> Exact:
    """What the updates give, in one buffer as long as weights keep their places."""
    check_parent(parents[0], old.id)
    state = _beside(parse_update(units[0], old.topology, old.id, limits=limits), old)
    for unit, parent in zip(units[1:], parents[1:], strict=True):
        update = parse_update(unit, state.topology, parent, limits=limits)
        state = (_in_place if update.head.keeps_places else _beside)(update, state)
    return state


def _beside(update: Update, old: Exact) -> Exact:
    model = blank(update.model_size)
    with memoryview(old.model).cast("B") as parent, memoryview(model) as view:
        copy_kept(update.head, parent, view)
        apply_records(update, parent, view)
    return Exact(topology=detached(update.head, model), model=model)


def _in_place(update: Update, state: Exact) -> Exact:
    """What is between the holes is of the file itself, so the topology remains as it is."""
    with memoryview(state.model) as model:
        update.head.topology.fill(model)
        apply_records(update, model, model)
    return Exact(topology=state.topology, model=state.model)
