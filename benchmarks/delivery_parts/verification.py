"""What it costs to verify a unit, over SHA-256 of the same bytes. Without a network or a disk.

A unit is verified where its last bytes arrive: packets are hashed, then the tree over them, and
the root is compared with the signed one. It is verified again when it is read from a store.
"""

import hashlib
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from midstream.publisher.recovery import Recovery
from midstream.session import Choice, Counters
from midstream.session.assembly import Assembly, State
from midstream.session.events import Purpose
from midstream.trust import tree
from midstream.trust.manifest import UnitEntry
from midstream.types import Fidelity, UnitKind
from reach.figures import Figure

__all__ = ["STEPS", "measure_verification", "verification_figures"]

_SIZES = {"2 MB": 2_000_000, "6 MB": 6_000_000, "20 MB": 20_000_000}
_PAIRS = 5
"""Of a hash and a verification, one after the other, in a turn."""

STEPS = len(_SIZES)
"""For the bar."""


def measure_verification(turns: int, advance: Callable[[str], None]) -> dict[str, Any]:
    """Processor seconds of each size, medians.

    Args:
        turns: How many, beside one that warms up.
        advance: Told of each step.
    """
    rows: dict[str, Any] = {}
    for label, size in _SIZES.items():
        advance(f"verification of {label}")
        data = random.Random(1).randbytes(size)
        entry = _entry(data)
        pairs = [(_hash(data), _verify(entry, data)) for _ in range((turns + 1) * _PAIRS)]
        plain, verified = (statistics.median(all_) for all_ in zip(*pairs[_PAIRS:], strict=True))
        rows[label] = {
            "packet_size": entry.packet_size,
            "sha256_s": plain,
            "verified_s": verified,
            "ratio": statistics.median(after / before for before, after in pairs[_PAIRS:]),
        }
    return rows


def verification_figures(rows: Mapping[str, Any]) -> list[Figure]:
    """What verification costs over the hash alone."""
    return [
        Figure(
            name="verification over SHA-256 alone",
            unit="x",
            must=1.3,
            aim=1.1,
            values={
                f"{label}, packets of {row['packet_size']}": row["ratio"]
                for label, row in rows.items()
            },
            note="from the last byte of a unit to its verdict, over hashlib.sha256 of the same "
            "bytes: processor time, medians of pairs",
        )
    ]


def _entry(data: bytes) -> UnitEntry:
    cut = Recovery().protection(len(data), 0)
    symbols = cut.encode(data)
    page = tree.HashPage.of(data, symbols, cut.packet_size)
    return UnitEntry(
        kind=UnitKind.BASE,
        layer=0,
        size=len(data),
        head_size=0,
        packet_size=cut.packet_size,
        repair_head=cut.repair_head,
        repair_body=cut.repair_body,
        repair_symbols=len(page.repair),
        fidelity=Fidelity(weight_snr=20.0),
        peak_decode_bytes=1,
        source_root=page.source_root,
        repair_root=page.repair_root,
    )


def _verify(entry: UnitEntry, data: bytes) -> float:
    """Seconds that a unit takes which has come."""
    choice = Choice(release=1, unit=0, size=len(data), reason="")
    assembly = Assembly(entry, choice, Counters())
    assembly.start()
    assembly.receive(Purpose.BODY, 0, data)
    start = time.process_time()
    assembly.finish()
    took = time.process_time() - start
    assert assembly.state is State.VERIFIED, "its root is the one that was made of it"
    return took


def _hash(data: bytes) -> float:
    start = time.process_time()
    hashlib.sha256(data).digest()
    return time.process_time() - start
