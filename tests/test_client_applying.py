"""client.applying: what an update makes is held once, by whoever holds it."""

import gc
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from midstream import decoder
from midstream.bitstream import Topology
from midstream.client.applying import apply_once
from midstream.decoder import Exact
from midstream.encoder.update import encode_update, holes_of
from midstream.errors import BitstreamError, ErrorCode, LimitError, TrustError
from midstream.limits import LIMITS, Limits
from models import mlp

OLD = mlp((16, 24, 4), seed=1)
NEW = mlp((16, 24, 4), seed=2)


def exact(model: bytes) -> Exact:
    return Exact(topology=Topology.cut(model, holes_of(model)), model=model)


UNIT = encode_update(exact(OLD).topology, OLD, NEW)
SIGNED = hashlib.sha256(NEW).digest()


def apply(old: Exact, unit: bytes, *, sha256: bytes = SIGNED, limits: Limits = LIMITS) -> Exact:
    return apply_once(old, [unit], parents=[exact(OLD).id], sha256=sha256, limits=limits)


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The updates that were applied indeed, nothing being held from before."""
    gc.collect()
    applied: list[bytes] = []
    apply_updates = decoder.apply_updates

    def counting(old: Exact, units: Sequence[bytes], **more: Any) -> Exact:
        applied.extend(units)
        return apply_updates(old, units, **more)

    monkeypatch.setattr(decoder, "apply_updates", counting)
    return applied


def test_two_who_hold_the_same_hold_one(applied: list[bytes]) -> None:
    first, second = (apply(exact(OLD), bytes(UNIT)) for _ in range(2))
    assert first is second
    assert bytes(first.model) == NEW
    assert len(applied) == 1


def test_what_nobody_holds_is_let_go(applied: list[bytes]) -> None:
    for _ in range(2):
        apply(exact(OLD), UNIT)
        gc.collect()
    assert len(applied) == 2


def test_another_parent_is_refused_though_the_model_is_held() -> None:
    held = apply(exact(OLD), UNIT)
    with pytest.raises(BitstreamError) as caught:
        apply(held, UNIT)
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_another_model_that_was_signed_for_is_not_the_one_that_is_held() -> None:
    held = apply(exact(OLD), UNIT)
    with pytest.raises(TrustError) as caught:
        apply(exact(OLD), UNIT, sha256=bytes(32))
    assert caught.value.code is ErrorCode.BAD_HASH
    assert bytes(held.model) == NEW


def test_under_other_limits_it_is_applied_again(applied: list[bytes]) -> None:
    held = apply(exact(OLD), UNIT)
    assert apply(exact(OLD), UNIT, limits=Limits(unit_size=1 << 20)) is not held
    assert len(applied) == 2


@pytest.mark.parametrize("at", np.linspace(0, len(UNIT) - 1, 20).astype(int))
def test_no_other_bytes_are_taken_for_the_update(at: int) -> None:
    held = apply(exact(OLD), UNIT)
    other = bytearray(UNIT)
    other[at] ^= 1
    with pytest.raises((BitstreamError, LimitError, TrustError)):
        apply(exact(OLD), bytes(other))
    assert bytes(held.model) == NEW
