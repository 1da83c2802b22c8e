"""Updates in a row: the bits of updates one by one, or the error that one of them is due."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from midstream.decoder import Exact, apply_update, apply_updates, chain
from midstream.errors import BitstreamError, DataError, ErrorCode, TrustError
from tensorfiles import normal, safetensors
from test_updates import exact, moved, update_of

A, B = normal(40, 30), normal(20, 10).astype("<f2")
GROWN = np.concatenate([moved(A, 1e-3), normal(2, 30, seed=8)])
# numbers so few that they are no hole change what is between the holes
FEW = np.arange(4, dtype="<f4")
FILES = [
    safetensors({**arrays, "few": FEW * place})
    for place, arrays in enumerate(
        (
            {"a": A, "b": B},
            {"a": moved(A, 1e-5), "b": B},
            {"a": moved(A, 1e-4), "b": moved(B, 1e-2)},
            {"a": GROWN, "b": B},
            {"a": moved(GROWN, 1e-4), "b": B},
        )
    )
]
UNITS = [update_of(old, new) for old, new in pairwise(FILES)]
PARENTS = [exact(file).id for file in FILES[:-1]]


def sha256(model: bytes) -> bytes:
    return hashlib.sha256(model).digest()


def applied(
    units: Sequence[bytes] = UNITS,
    parents: Sequence[bytes] = PARENTS,
    wanted: bytes = FILES[-1],
    old: bytes = FILES[0],
) -> Exact:
    return apply_updates(exact(old), units, parents=parents, sha256=sha256(wanted))


@pytest.mark.parametrize("count", range(1, len(FILES)))
def test_a_row_gives_the_bits_of_one_by_one(count: int) -> None:
    first, state = exact(FILES[0]), exact(FILES[0])
    for unit in UNITS[:count]:
        state = apply_update(state, unit)
    found = applied(UNITS[:count], PARENTS[:count], FILES[count])
    assert bytes(found.model) == bytes(state.model) == FILES[count]
    assert found.topology.table == state.topology.table
    assert found.id == state.id
    assert bytes(first.model) == FILES[0]


def test_models_in_between_are_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Any] = []

    def spied(state: Exact, wanted: bytes) -> bool:
        hashed.append(wanted)
        return sha256(bytes(state.model)) == wanted

    monkeypatch.setattr(chain, "_is", spied)
    applied()
    assert hashed == [sha256(FILES[-1])]


@pytest.mark.parametrize(
    ("units", "parents"),
    [
        (UNITS[1:], PARENTS[1:]),  # not on the model that is held
        ([UNITS[0], UNITS[2], UNITS[3]], [PARENTS[0], *PARENTS[2:]]),  # one is missing
        ([UNITS[0], UNITS[0], *UNITS[1:]], [PARENTS[0], *PARENTS]),  # one comes twice
        ([UNITS[1], UNITS[0], *UNITS[2:]], PARENTS),  # out of order
        (UNITS, [*PARENTS[:2], bytes(16), PARENTS[3]]),  # signed for as of another model
        (UNITS, [bytes(16), *PARENTS[1:]]),
    ],
)
def test_a_row_that_does_not_fit_is_refused(
    units: Sequence[bytes], parents: Sequence[bytes]
) -> None:  # UPD-8
    with pytest.raises(BitstreamError) as caught:
        applied(units, parents)
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_a_row_to_another_model_than_is_signed_for_is_refused() -> None:  # UPD-8
    with pytest.raises(TrustError) as caught:
        applied(wanted=FILES[2])
    assert caught.value.code is ErrorCode.BAD_HASH


def test_what_one_update_did_wrong_is_found_though_its_parents_fit() -> None:  # UPD-8
    """The second is one of the first model that calls itself one of the second."""
    other = update_of(FILES[0], FILES[2])
    forged = other.replace(PARENTS[0], PARENTS[1])
    with pytest.raises(DataError):
        applied([UNITS[0], forged, *UNITS[2:]])


def test_damage_of_one_is_told_as_it_is_of_one_alone() -> None:
    damaged = UNITS[1][:-1]
    with pytest.raises(BitstreamError) as alone:
        apply_update(exact(FILES[1]), damaged)
    with pytest.raises(BitstreamError) as found:
        applied([UNITS[0], damaged, *UNITS[2:]])
    assert str(found.value) == str(alone.value)
