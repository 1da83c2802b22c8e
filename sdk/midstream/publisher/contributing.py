"""A provider's side: a better model in, a signed parcel out.

What a contribution leaves over is kept in a file of the provider's own, and added to its next
one (error feedback), so that in the end all of what was learnt arrives.
"""

import hashlib
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midstream import decoder, encoder, formats
from midstream.encoder.contribution import DEFAULT_SHARE
from midstream.errors import ErrorCode, FormatError, UsageError
from midstream.limits import LIMITS
from midstream.publisher.publish import check_name
from midstream.store.files import read_given, write_file
from midstream.trust.keys import KeyRing
from midstream.trust.parcel import Evidence, Parcel, seal_parcel

__all__ = ["Change", "contribute", "read_left_over", "write_left_over"]

Change = NDArray[np.float32]
_LIFETIME = timedelta(days=90)


def contribute(
    parent: bytes,
    model: bytes,
    *,
    network: str,
    release: int,
    provider: str,
    keys: KeyRing,
    now: datetime,
    evidence: Evidence | None = None,
    share: float = DEFAULT_SHARE,
    left_over: Change | None = None,
) -> tuple[bytes, Change]:
    """Make a parcel of what a model is better by than a release.

    Args:
        parent: The model file of the release.
        model: The same network with other weights.
        network: The network's name.
        release: The release's number.
        provider: The provider's name.
        keys: Its keys, as a role of that name.
        now: The time, with its zone; seconds of it are the parcel's version.
        evidence: What the provider says of it.
        share: Bytes at most, of what the floats take in single precision.
        left_over: (floats,), what its contributions before left over.

    Returns:
        The parcel, and what it leaves over, (floats,).

    Raises:
        UsageError: A name or the share makes no sense, nothing has changed, a weight is not
            finite, or there is no key of the provider.
        FormatError: The files are not of one network, or one cannot be read.
    """
    check_name(network)
    check_name(provider)
    signers = keys.of(provider)
    if not signers:
        raise UsageError(ErrorCode.BAD_KEY, f"{provider}: there is no key of it, nor `release`")
    change = encoder.moved(parent, model)
    if left_over is not None:
        _check_left_over(left_over, change)
        change = change + left_over
    unit = encoder.encode_contribution(parent, change, share=share)
    tensors = formats.open_model(parent).tensors
    arrived = decoder.decode_contribution(unit, tensors, hashlib.sha256(parent).digest())
    made = Parcel(
        provider=provider,
        version=int(now.timestamp()),
        release=release,
        unit=unit,
        evidence=evidence or Evidence(),
    )
    expires = now.replace(microsecond=0) + _LIFETIME
    return seal_parcel(made, network, signers, expires), change - arrived


def _check_left_over(left_over: Change, change: Change) -> None:
    if left_over.shape != change.shape or not np.isfinite(left_over).all():
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"left over: shape {left_over.shape}, the network has {len(change)} floats, all finite",
        )


def read_left_over(path: Path) -> Change | None:
    """What a provider keeps from one contribution to the next; None where there is no file.

    Raises:
        FormatError: It is none.
        StoreError: It cannot be read.
    """
    if not path.exists():
        return None
    try:
        found = np.load(io.BytesIO(read_given(path, limit=LIMITS.model_size)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(ErrorCode.BAD_HEADER, f"{path}: no array of numbers") from error
    if not isinstance(found, np.ndarray) or found.dtype != np.float32 or found.ndim != 1:
        raise FormatError(ErrorCode.BAD_HEADER, f"{path}: no vector of float32")
    return found


def write_left_over(path: Path, left_over: Change) -> None:
    """Keep what a contribution left over.

    Raises:
        StoreError: It cannot be written.
    """
    out = io.BytesIO()
    np.save(out, left_over, allow_pickle=False)
    write_file(path, out.getvalue())
