"""What updates make, once for all models of a process. Knows nothing of who holds it.

The model that updates make of another follows from those alone. Whoever comes with the same, and
they are named by their hashes, is given the one that somebody holds already: it takes memory once,
and no more time. Nothing is kept for its own sake.
"""

import hashlib
from collections.abc import Sequence
from weakref import WeakValueDictionary

from midstream import decoder
from midstream.decoder import Exact
from midstream.limits import Limits

__all__ = ["apply_once"]

_Key = tuple[bytes, tuple[bytes, ...], tuple[bytes, ...], bytes, Limits]

_HELD: "WeakValueDictionary[_Key, Exact]" = WeakValueDictionary()


def apply_once(
    old: Exact, units: Sequence[bytes], *, parents: Sequence[bytes], sha256: bytes, limits: Limits
) -> Exact:
    """The exact model at the end of a row of updates; others may hold it too, so it is read alone.

    Args:
        old: The exact model that the first update applies to.
        units: The updates, verified, in order.
        parents: For each the id of the model that it applies to, as it is signed for.
        sha256: Hash of the last model file, as it is signed for.
        limits: Bounds on what they claim.

    Raises:
        BitstreamError: One is malformed, or for another model (WRONG_PARENT).
        LimitError: A count or size is over its limit.
        TrustError: They do not give that model file (BAD_HASH).
    """
    came = tuple(hashlib.sha256(unit).digest() for unit in units)
    key = (old.id, came, tuple(parents), sha256, limits)
    if (made := _HELD.get(key)) is None:
        made = decoder.apply_updates(old, units, parents=parents, sha256=sha256, limits=limits)
        _HELD[key] = made
    return made
