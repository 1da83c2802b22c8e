"""A release and adapters of providers to one model, as a signed policy says. No I/O, no clock.

Everything is checked here once more, by publisher and client alike: a provider's right and
signatures, what its adapter is for, how large it is, and what goes together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from tuf.api.metadata import Targets

from midstream import decoder, formats
from midstream.errors import (
    DataError,
    ErrorCode,
    LimitError,
    MidstreamError,
    TrustError,
    UsageError,
)
from midstream.limits import LIMITS, Limits
from midstream.merging import apply_change
from midstream.merging.summing import Sum, is_within
from midstream.trust import parcel, providers
from midstream.trust.adapters import SHARE_UNIT, AdapterPolicy, PolicyPart
from midstream.trust.manifest import Manifest

__all__ = ["Adapted", "adapt", "check_norm", "peak_memory"]

_SLACK = 4 << 20
"""For blocks of weights, tables and what is small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A release with adapters."""

    model: bytes
    """The model file; the same bits wherever it is made."""
    shares: Mapping[str, float]
    """What each provider counted, in the order in which they were summed."""
    left_out: Mapping[str, MidstreamError] = field(default_factory=dict)
    """Providers of the policy that did not count, and why."""


def adapt(
    base: Manifest,
    model: bytes,
    policy: AdapterPolicy,
    parcels: Mapping[str, bytes],
    delegator: Targets | None,
    now: datetime,
    *,
    limits: Limits = LIMITS,
) -> Adapted:
    """Merge adapters into the exact model of a release.

    Args:
        base: The release.
        model: Its model file.
        policy: What is merged.
        parcels: Adapters to that release by provider, as they came; some may be missing.
        delegator: The role that names the network's providers, verified.
        now: The time, with its zone.
        limits: Bounds on what adapters claim.

    Raises:
        TrustError: The policy is for another network (BAD_METADATA), nothing is left to merge
            (NOT_FOUND), or one that is required is missing, of who is no provider any more
            (UNKNOWN_ROLE), not signed as it must be, or for another release.
        UsageError: UNKNOWN_ROLE where one that is required is there, of no provider any more.
        BitstreamError: One that is required is malformed, not finite or for another model
            (WRONG_PARENT), or a weight would not stay finite.
        LimitError: It takes more memory than `limits.decode_memory`, or one that is required is
            over a limit, such as the largest norm.
    """
    if policy.network != base.name:
        raise TrustError(
            ErrorCode.BAD_METADATA, f"policy: it is for {policy.network}, not for {base.name}"
        )
    merging = _Merging(base, model, policy, delegator, now, limits)
    for part in policy.ordered:
        try:
            merging.add(part, parcels.get(part.provider))
        except (DataError, UsageError) as error:
            if part.is_required:
                raise
            # frames of the traceback would keep a change of the size of the model for each
            merging.left_out[part.provider] = error.with_traceback(None)
    return merging.adapted()


def peak_memory(model_size: int, floats: int) -> int:
    """Bytes that merging takes, the model file before and after included.

    A sum has eight bytes a float; beside it are a change that is decoded, or the changed file.
    """
    return model_size + 8 * floats + max(2 * model_size, 8 * floats) + _SLACK


def _check_memory(base: Manifest, model_size: int, floats: int, limits: Limits) -> None:
    peak = peak_memory(model_size, floats)
    if peak > limits.decode_memory:
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"{base.name} release {base.release}: merging adapters takes {peak} bytes, at most "
            f"{limits.decode_memory}",
        )


def check_norm(provider: str, change: NDArray[np.float32], policy: AdapterPolicy) -> None:
    """Make sure that a policy bears an adapter.

    Raises:
        LimitError: OVER_LIMIT where its norm is over the policy's bound.
    """
    if not is_within(change, policy.largest_norm):
        # a few weights at a time, in doubles: `numpy.linalg.norm` would take a copy of all
        norm = math.sqrt(np.einsum("i,i->", change, change, dtype=np.float64))
        raise LimitError(
            ErrorCode.OVER_LIMIT,
            f"adapter of {provider}: norm {norm:.4g}, at most {policy.largest_norm:.4g}",
        )


class _Merging:
    """What counts so far."""

    def __init__(
        self,
        base: Manifest,
        model: bytes,
        policy: AdapterPolicy,
        delegator: Targets | None,
        now: datetime,
        limits: Limits,
    ) -> None:
        self.left_out: dict[str, MidstreamError] = {}
        self._base = base
        self._model = model
        self._policy = policy
        self._delegator = delegator
        self._now = now
        self._limits = limits
        self._tensors = formats.open_model(model).tensors
        floats = sum(tensor.weights for tensor in self._tensors if tensor.dtype.is_float)
        _check_memory(base, len(model), floats, limits)
        self._sum = Sum(floats)
        self._shares: dict[str, float] = {}

    def add(self, part: PolicyPart, data: bytes | None) -> None:
        """Let a provider count, or say why it may not."""
        self._policy.check_apart(part.provider, self._shares)
        change = self._change(part.provider, data)
        check_norm(part.provider, change, self._policy)
        self._sum.add(change, part.share, SHARE_UNIT)
        self._shares[part.provider] = part.share / SHARE_UNIT

    def adapted(self) -> Adapted:
        """What came of it."""
        if not self._shares:
            reasons = "; ".join(error.message for error in self.left_out.values())
            raise TrustError(ErrorCode.NOT_FOUND, f"policy: nothing is left to merge: {reasons}")
        model = apply_change(self._model, self._tensors, self._sum.total)
        return Adapted(model=model, shares=self._shares, left_out=self.left_out)

    def _missing(self, provider: str) -> TrustError:
        """Why there is no adapter; policies are signed for those alone who are providers then."""
        if provider in {one.name for one in providers.providers(self._delegator)}:
            number = self._base.release
            return TrustError(
                ErrorCode.NOT_FOUND, f"adapter of {provider}: none to release {number}"
            )
        return TrustError(
            ErrorCode.UNKNOWN_ROLE,
            f"adapter of {provider}: {provider} is no provider of {self._base.name} any more",
        )

    def _change(self, provider: str, data: bytes | None) -> NDArray[np.float32]:
        base = self._base
        if data is None:
            raise self._missing(provider)
        opened = parcel.open_parcel(
            data, base.name, self._delegator, self._now, limits=self._limits
        )
        if (opened.provider, opened.release) != (provider, base.release):
            raise TrustError(
                ErrorCode.WRONG_PARENT,
                f"adapter of {provider}: of {opened.provider} to release {opened.release}, "
                f"expected one to {base.release}",
            )
        return decoder.decode_contribution(
            opened.unit, self._tensors, base.model_sha256, limits=self._limits
        )
