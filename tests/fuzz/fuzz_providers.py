"""Damaged policies, provenance and parcels: an error of ours, or what was written and signed.

A provider may be hostile itself: what it says in a parcel is changed and signed by its own key.
"""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from tuf.api.metadata import Targets

from choices import Choices
from documents import signed_anew
from midstream.errors import DataError, UsageError
from midstream.trust import adapters, bundle, provenance, providers
from midstream.trust.parcel import Evidence, Parcel, open_parcel, provider_of, seal_parcel
from mutations import damage
from seeds import VALID
from trusting import signer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CASES: list[dict[str, Any]] = json.loads((VALID / "policies.json").read_text())
POLICIES = [bytes.fromhex(case["policy"]) for case in CASES if "policy" in case]
PROVENANCES = [bytes.fromhex(case["provenance"]) for case in CASES if "provenance" in case]
EVIDENCE = Evidence(samples=9, metrics={"accuracy": 0.5})
MADE = Parcel(provider="east", version=3, release=1, unit=b"a unit" * 9, evidence=EVIDENCE)
PARCEL = seal_parcel(MADE, "net", [signer(1)], NOW + timedelta(days=1))
ROLE = Targets()
providers.add(ROLE, "net", "east", [signer(1).public])


def policy(data: bytes) -> None:
    """One that is read is written in the same bytes."""
    assert adapters.encode(adapters.decode(data)) == data


def made_of(data: bytes) -> None:
    """What is read is written so that it is read again."""
    found = provenance.decode(data)
    assert repr(provenance.decode(provenance.encode(found).value)) == repr(found)


def parcel(data: bytes) -> None:
    """One that is taken is what was signed."""
    provider_of(data)
    assert open_parcel(data, "net", ROLE, NOW) == MADE


def parcel_of_another_mind(choices: Choices) -> None:
    """What a provider signs is its unit still, and its evidence is numbers."""
    files = dict(bundle.decode(PARCEL))
    path = next(iter(files))
    files[path] = signed_anew(files[path], signer(1), choices)
    found = open_parcel(bundle.encode(files), "net", ROLE, NOW)
    assert found.unit == MADE.unit
    assert found.evidence.samples >= 1
    assert all(map(math.isfinite, found.evidence.metrics.values()))


READERS: list[tuple[Callable[[bytes], None], list[bytes]]] = [
    (policy, POLICIES),
    (made_of, PROVENANCES),
    (parcel, [PARCEL]),
]


def test_one(choices: Choices) -> None:
    """Raw bytes, or good ones with damage, or a parcel by a hostile provider."""
    kind = choices.integer(0, len(READERS))
    with suppress(DataError, UsageError):
        if kind == len(READERS):
            parcel_of_another_mind(choices)
        else:
            read_damaged(*READERS[kind], choices)


def read_damaged(read: Callable[[bytes], None], good: list[bytes], choices: Choices) -> None:
    """One of these that was damaged, or other bytes."""
    first = good[choices.integer(0, len(good) - 1)]
    data = choices.raw(1 << 9) if choices.integer(0, 15) == 0 else damage(first, choices)
    read(bytes(data))
