"""Which changes are merged, and how. Knows nothing of who signed what.

What is left out is left out by name and with a reason, so that a release can say what it was
made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midstream.errors import BitstreamError, ErrorCode, UsageError
from midstream.merging.applying import apply_change
from midstream.merging.rules import Rule, combine
from midstream.types import Tensor

__all__ = ["Gate", "MergePolicy", "Merged", "Offer", "merge"]

Gate = Callable[[bytes], float]
"""From a model file to how good it is on inputs that no provider has; more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePolicy:
    """What a publisher takes of providers.

    Raises:
        UsageError: BAD_ARGUMENT where a value makes no sense.
    """

    rule: Rule = Rule.MULTI_KRUM
    """How changes become one."""
    most_bad: int = 1
    """Providers that may be malicious; what robust rules are set to."""
    largest_norm: float = 4.0
    """Of a change, over the median of all; larger ones are left out (Sun et al. 2019, arXiv
    1911.07963, who scale them down)."""
    never_together: tuple[frozenset[str], ...] = ()
    """Sets of providers of which one at most counts, the first in the order of names."""
    worst_loss: float = 0.0
    """By how much the gate may find a change, or the merged model, worse than the parent."""
    gates_each: bool = False
    """Whether the gate judges each change by itself first (as Zeno: Xie et al. 2019, arXiv
    1805.10032)."""

    def __post_init__(self) -> None:
        if self.most_bad < 0 or not self.largest_norm > 0 or not self.worst_loss >= 0:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"policy: most bad {self.most_bad}, largest norm {self.largest_norm}, worst loss "
                f"{self.worst_loss}: expected 0 or more, more than 0, 0 or more",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """One provider's change."""

    provider: str
    """Its name."""
    change: NDArray[np.float32]
    """(floats,), finite."""
    samples: int = 1
    """Size of the data that it was learnt from, as the provider says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merged model, and what it was made of."""

    model: bytes
    """The model file."""
    shares: dict[str, float | None]
    """What each provider counted; None where that differs from weight to weight."""
    refused: dict[str, str]
    """Providers whose changes were left out, and why."""
    before: float | None
    """What the gate says of the parent; None without a gate."""
    after: float | None
    """What it says of the merged model."""


def merge(
    parent: bytes,
    tensors: Sequence[Tensor],
    offers: Sequence[Offer],
    policy: MergePolicy,
    *,
    gate: Gate | None = None,
) -> Merged:
    """Make one model of a release and changes of it.

    Args:
        parent: The model file that was changed.
        tensors: Its tensors.
        offers: The changes, one a provider, in any order.
        policy: What is taken of them.
        gate: Judges model files.

    Raises:
        UsageError: BAD_ARGUMENT where two offers are of one provider, nothing is left to
            merge, too little for the rule, or the gate refuses what comes out.
        BitstreamError: BAD_FIELD where a weight of what comes out would not be finite.
    """
    _check_names(offers)
    before = gate(parent) if gate is not None else None
    judge = None if gate is None or before is None else _Judge(gate=gate, before=before)
    kept, apart, suspects = _sieved(parent, tensors, offers, policy, judge)
    refused = apart | suspects
    if not kept:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"merge: nothing is left, {_listed(refused)}")
    change, shares = combine(
        [offer.change for offer in kept],
        policy.rule,
        sizes=[float(offer.samples) for offer in kept],
        # who was left out for its norm or by the gate was one of the bad ones
        most_bad=max(0, policy.most_bad - len(suspects)),
    )
    model = apply_change(parent, tensors, change)
    after = judge.accept(model, policy) if judge is not None else None
    counted = dict(zip([o.provider for o in kept], shares or [None] * len(kept), strict=True))
    for name in [name for name, share in counted.items() if share == 0]:
        refused[name] = f"{policy.rule.value} left it out"
        del counted[name]
    return Merged(model=model, shares=counted, refused=refused, before=before, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """The gate, and what it said of the parent."""

    gate: Gate
    before: float

    def is_harmful(self, found: float, policy: MergePolicy) -> bool:
        """Whether a model is worse than may be; what is no number is."""
        return not found >= self.before - policy.worst_loss

    def accept(self, model: bytes, policy: MergePolicy) -> float:
        """What the gate says of the merged model, if that is good enough."""
        found = self.gate(model)
        if self.is_harmful(found, policy):
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"merge: the gate says {found:g} of it, {self.before:g} of the release before",
            )
        return found


def _sieved(
    parent: bytes,
    tensors: Sequence[Tensor],
    offers: Sequence[Offer],
    policy: MergePolicy,
    judge: _Judge | None,
) -> tuple[list[Offer], dict[str, str], dict[str, str]]:
    """Offers that count, by name; why others do not: for who else offers, for what they do."""
    ordered = sorted(offers, key=lambda offer: offer.provider)
    apart = _apart(ordered, policy)
    kept = [offer for offer in ordered if offer.provider not in apart]
    suspects = _large(kept, policy)
    kept = [offer for offer in kept if offer.provider not in suspects]
    if judge is not None and policy.gates_each:
        suspects |= _harmful(parent, tensors, kept, policy, judge)
    return [offer for offer in kept if offer.provider not in suspects], apart, suspects


def _check_names(offers: Sequence[Offer]) -> None:
    names = [offer.provider for offer in offers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"merge: more than one change of {', '.join(twice)}"
        )


def _apart(offers: Sequence[Offer], policy: MergePolicy) -> dict[str, str]:
    """Those that never count together with an earlier one."""
    refused: dict[str, str] = {}
    for names in policy.never_together:
        here = [o.provider for o in offers if o.provider in names and o.provider not in refused]
        if len(here) > 1:
            refused |= dict.fromkeys(here[1:], f"never together with {here[0]}")
    return refused


def _large(offers: Sequence[Offer], policy: MergePolicy) -> dict[str, str]:
    """Those whose norm is beyond the bound."""
    norms = [float(np.linalg.norm(offer.change.astype(np.float64))) for offer in offers]
    bound = policy.largest_norm * float(np.median(norms)) if norms else 0.0
    return {
        offer.provider: f"norm {norm:.4g}, at most {bound:.4g}"
        for offer, norm in zip(offers, norms, strict=True)
        if norm > bound
    }


def _harmful(
    parent: bytes,
    tensors: Sequence[Tensor],
    offers: Sequence[Offer],
    policy: MergePolicy,
    judge: _Judge,
) -> dict[str, str]:
    """Those that by themselves make the parent worse than the policy allows."""
    refused: dict[str, str] = {}
    for offer in offers:
        try:
            found = judge.gate(apply_change(parent, tensors, offer.change))
        except BitstreamError as error:  # weights would not be finite
            refused[offer.provider] = error.message
            continue
        if judge.is_harmful(found, policy):
            refused[offer.provider] = (
                f"the gate says {found:g} of it alone, {judge.before:g} without it"
            )
    return refused


def _listed(refused: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in refused.items()) or "no changes are there"
