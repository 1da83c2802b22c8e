"""Parcels: one contribution, what its provider says of it, and the signature over both.

Knows nothing of how the contribution is coded. A parcel is a bundle of two files: metadata of
the provider's role, and the unit that it names (spec/contributions.md, "Parcel").
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile, Targets

from midstream.errors import BitstreamError, ErrorCode, LimitError, TrustError
from midstream.limits import LIMITS, Limits
from midstream.trust import bundle, layout, providers, roles
from midstream.trust.keys import Signer
from midstream.trust.refusal import refusal

__all__ = [
    "Evidence",
    "Parcel",
    "keyids_of",
    "open_parcel",
    "provider_of",
    "seal_parcel",
    "version_of",
]

_MAX_METRICS = 32
_MAX_METRIC_NAME = 64
_MAX_SAMPLES = 1 << 53
_FILES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a provider says of its contribution; nobody can check it.

    Raises:
        BitstreamError: BAD_FIELD where a value makes no sense.
    """

    samples: int = 1
    """Size of the data that it was learnt from."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name, such as accuracy."""

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= _MAX_SAMPLES or len(self.metrics) > _MAX_METRICS:
            raise _bad(f"{self.samples} samples and {len(self.metrics)} metrics")
        for name, value in self.metrics.items():
            if not 1 <= len(name) <= _MAX_METRIC_NAME or not math.isfinite(value):
                raise _bad(f"a metric {name[:_MAX_METRIC_NAME]!r} of {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A contribution that was checked."""

    provider: str
    """Who signed it."""
    version: int
    """Of the provider's metadata; it rises."""
    release: int
    """The release that was changed."""
    unit: bytes
    """The contribution."""
    evidence: Evidence
    """What the provider says of it."""


def seal_parcel(
    parcel: Parcel, network: str, signers: Iterable[Signer], expires: datetime
) -> bytes:
    """The bytes of a parcel, signed by its provider."""
    target = layout.contribution_path(network, parcel.provider, parcel.release)
    evidence = parcel.evidence
    described = TargetFile.from_data(target, parcel.unit, ["sha256"])
    described.unrecognized_fields["custom"] = {
        "samples": evidence.samples,
        "metrics": {name: repr(float(value)) for name, value in evidence.metrics.items()},
    }
    signed = Targets(version=parcel.version, expires=expires, targets={target: described})
    metadata = layout.metadata_path(parcel.provider, parcel.version)
    return bundle.encode({metadata: roles.sign(signed, signers), target: parcel.unit})


def provider_of(data: bytes, *, limits: Limits = LIMITS) -> str:
    """Who a parcel says that it is from, for the record: nothing of it is checked."""
    try:
        return _parts(data, limits)[0]
    except (BitstreamError, LimitError):
        return "unknown"


def version_of(data: bytes, *, limits: Limits = LIMITS) -> int:
    """The version of a provider's metadata in a parcel that was taken; nothing is checked.

    Raises:
        BitstreamError: It is malformed.
        LimitError: It is over a limit.
        TrustError: Its metadata is malformed.
    """
    _, files = _parts(data, limits)
    return roles.parse(Targets, files, next(iter(files)), limits=limits).version


def keyids_of(data: bytes, *, limits: Limits = LIMITS) -> frozenset[str]:
    """Ids of the keys that signed a parcel that was taken; nothing is checked.

    Raises:
        BitstreamError: It is malformed.
        LimitError: It is over a limit.
        TrustError: Its metadata is malformed.
    """
    _, files = _parts(data, limits)
    return roles.keyids(files, next(iter(files)), limits=limits)


def open_parcel(
    data: bytes,
    network: str,
    delegator: Targets | None,
    now: datetime,
    *,
    newer_than: int = 0,
    limits: Limits = LIMITS,
) -> Parcel:
    """Check a parcel.

    Args:
        data: Its bytes.
        network: The network that it is for.
        delegator: The role that names the network's providers; None where there is none.
        now: The time, with its zone.
        newer_than: The last version of this provider's metadata that was taken.
        limits: Bounds.

    Raises:
        BitstreamError: It is malformed.
        LimitError: It is over a limit, or the unit over the provider's quota.
        UsageError: UNKNOWN_ROLE where there is no such provider (any more).
        TrustError: It is not signed by enough of its keys, has run out, is not newer
            (ROLLBACK), is for another network (NOT_FOUND), or the unit is not what was signed.
    """
    name, files = _parts(data, limits)
    granted = providers.provider(delegator, name)
    path, target = files
    assert delegator is not None, "a provider was found there"
    signed = roles.parse(Targets, files, path, limits=limits)
    roles.check(delegator, name, files[path])
    _check_fresh(name, signed, now, newer_than)
    release = layout.contributed_release(target, network, name)
    described = signed.targets.get(target)
    if release is None or described is None:
        raise TrustError(
            ErrorCode.NOT_FOUND, f"contribution of {name}: {target[:80]!r} is none to {network}"
        )
    unit = files[target]
    if len(unit) > granted.quota:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"contribution of {name}: {len(unit)} bytes, at most {granted.quota}",
        )
    try:
        described.verify_length_and_hashes(unit)
    except LengthOrHashMismatchError as error:
        raise refusal(error, f"contribution of {name}") from error
    return Parcel(
        provider=name,
        version=signed.version,
        release=release,
        unit=unit,
        evidence=_evidence(described.unrecognized_fields.get("custom")),
    )


def _parts(data: bytes, limits: Limits) -> tuple[str, dict[str, bytes]]:
    """The provider's name, and both files."""
    files = bundle.decode(data, limits=limits)
    role = layout.role_of(next(iter(files), ""))
    if len(files) != _FILES or role is None:
        raise _bad(f"{len(files)} files, expected a provider's metadata and a unit")
    return role, files


def _check_fresh(name: str, signed: Targets, now: datetime, newer_than: int) -> None:
    if signed.is_expired(now):
        raise TrustError(
            ErrorCode.EXPIRED, f"contribution of {name}: ran out at {signed.expires:%Y-%m-%d %H:%M}"
        )
    if signed.version <= newer_than:
        raise TrustError(
            ErrorCode.ROLLBACK,
            f"contribution of {name}: version {signed.version}, {newer_than} was taken already",
        )


def _evidence(custom: Any) -> Evidence:
    """What was said, from JSON that anyone may have written who has a key."""
    try:
        metrics = {str(name): float(value) for name, value in custom["metrics"].items()}
        return Evidence(samples=int(custom["samples"]), metrics=metrics)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        raise _bad("evidence that is none") from None


def _bad(problem: str) -> BitstreamError:
    return BitstreamError(ErrorCode.BAD_FIELD, f"contribution: {problem}")
