"""Providers that improve one network: bytes at equal accuracy, and what a malicious one costs.

The network is that of examples/federated: digits that nobody else has are learnt by each of five
providers. Knows nothing of keys and releases: what is measured is coding and merging.
"""

import hashlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

import digits
from midstream import decoder, encoder, formats
from midstream.merging import MergePolicy, Offer, Rule, merge
from reach.figures import Figure

__all__ = ["draw_federated", "federated_figures", "measure_federated", "steps_of"]

_PROVIDERS = 5
_EPOCHS = 5
_SHARES = (0.005, 0.01, 0.02, 0.05)
_POINTS = 0.5
"""Percentage points that count as equal accuracy."""
_ATTACKED_SHARE = 0.02
_ROBUST = MergePolicy(rule=Rule.MULTI_KRUM)
_PLAIN = MergePolicy(rule=Rule.MEAN, largest_norm=float("inf"))
_LAST = 3
"""Rounds at the end whose mean accuracy counts: single ones differ by half a point."""

_Change = NDArray[np.float32]
_Attack = Callable[[_Change, int], _Change]


def _noise(change: _Change, turn: int) -> _Change:
    rng = np.random.default_rng(turn)
    return (3 * change.std() * rng.standard_normal(len(change))).astype(np.float32)


_ATTACKS: dict[str, _Attack] = {
    "sign flip": lambda change, _: -change,
    "scaling": lambda change, _: -3 * change,
    "noise": _noise,
    "label flip": lambda change, _: change,
}
"""What the last provider does with its change; labels are flipped before it learns."""


def steps_of(seeds: int) -> int:
    """How often it tells of a step."""
    return seeds * (1 + len(_SHARES) + 1 + 2 * len(_ATTACKS))


def measure_federated(rounds: int, seeds: int, advance: Callable[[str], None]) -> dict[str, Any]:
    """Accuracies by round: (seeds, rounds + 1) lists by what was done.

    Args:
        rounds: How many.
        seeds: How many runs of each.
        advance: Told of each step.
    """
    runs: dict[str, Any] = {"plain": [], "shares": {}, "attacks": {}, "robust": []}
    for seed in range(seeds):
        advance("providers: float32 weights")
        runs["plain"].append(_run(rounds, seed, _PLAIN, None)[0])
        for share in _SHARES:
            advance(f"providers: {share:.1%} of the bytes")
            curve, sent = _run(rounds, seed, _PLAIN, share)
            row = runs["shares"].setdefault(str(share), {"curves": [], "sent": []})
            row["curves"].append(curve)
            row["sent"].append(sent)
        advance("providers: the robust rule without an attack")
        runs["robust"].append(_run(rounds, seed, _ROBUST, _ATTACKED_SHARE)[0])
        for name in _ATTACKS:
            for policy in (_ROBUST, _PLAIN):
                advance(f"providers: {name}, {policy.rule.value}")
                found = _run(rounds, seed, policy, _ATTACKED_SHARE, attack=name)[0]
                row = runs["attacks"].setdefault(name, {})
                row.setdefault(policy.rule.value, []).append(found)
    return runs


def _run(
    rounds: int, seed: int, policy: MergePolicy, share: float | None, attack: str | None = None
) -> tuple[list[float], float]:
    """Accuracy after each round, and the part of float32 weights that a contribution took."""
    learnt, held_out = digits.load()
    parts = [learnt.part(at, None, _PROVIDERS) for at in range(_PROVIDERS)]
    if attack == "label flip":
        parts[-1] = digits.Digits(parts[-1].pictures, 9 - parts[-1].labels)
    model = digits.new_network(seed + 1)
    left: list[_Change | None] = [None] * _PROVIDERS
    curve, sent = [digits.accuracy(model, held_out)], []
    for turn in range(rounds):
        offers = []
        for at, part in enumerate(parts):
            better = digits.train(model, part, epochs=_EPOCHS, seed=rounds * seed + turn)
            change = encoder.moved(model, better)
            if attack is not None and at == _PROVIDERS - 1:
                change = _ATTACKS[attack](change, turn)
            arrived, left[at], size = _sent(model, change, left[at], share)
            sent.append(size / (4 * len(change)))
            offers.append(Offer(provider=f"p{at}", change=arrived))
        tensors = formats.open_model(model).tensors
        model = merge(model, tensors, offers, policy).model
        curve.append(digits.accuracy(model, held_out))
    return curve, statistics.mean(sent)


def _sent(
    model: bytes, change: _Change, left: _Change | None, share: float | None
) -> tuple[_Change, _Change | None, int]:
    """What arrives of a change, what is left over, and the bytes that it took."""
    if share is None:
        return change, None, 4 * len(change)
    whole = change if left is None else change + left
    unit = encoder.encode_contribution(model, whole, share=share)
    sha256 = hashlib.sha256(model).digest()
    arrived = decoder.decode_contribution(unit, formats.open_model(model).tensors, sha256)
    return arrived, whole - arrived, len(unit)


def federated_figures(runs: Mapping[str, Any]) -> list[Figure]:
    """Bytes of a contribution at equal accuracy, and points lost to one malicious provider."""
    return [
        Figure(
            name="contribution over float32 weights",
            must=0.02,
            aim=0.005,
            values=_least_share(runs) if runs else {},
            note=f"the least of {', '.join(map(str, _SHARES))} whose accuracy at the end is within "
            f"{_POINTS} points of float32 weights after the same rounds, bytes as sent",
        ),
        Figure(
            name="points lost to one malicious provider of five",
            must=2.0,
            aim=0.5,
            values=_lost(runs) if runs else {},
            note=f"{_ROBUST.rule.value} with an attack, below the same rule without one",
        ),
    ]


def _least_share(runs: Mapping[str, Any]) -> dict[str, float]:
    wanted = _end(runs["plain"]) - _POINTS
    for row in runs["shares"].values():
        if _end(row["curves"]) >= wanted:
            return {"digits": statistics.mean(row["sent"])}
    return {"digits": 1.0}


def _lost(runs: Mapping[str, Any]) -> dict[str, float]:
    robust = _ROBUST.rule.value
    without = _end(runs["robust"])
    return {name: without - _end(found[robust]) for name, found in runs["attacks"].items()}


def _end(curves: Sequence[Sequence[float]]) -> float:
    return statistics.mean(statistics.mean(curve[-_LAST:]) for curve in curves)


def draw_federated(runs: Mapping[str, Any], path: Path) -> None:
    """Accuracies by round as a picture: with few bytes, and with a malicious provider."""
    figure = Canvas(figsize=(11, 4.5), layout="constrained")
    few, attacked = figure.subplots(1, 2, sharey=True)
    _line(few, runs["plain"], "float32 weights", "k-")
    for at, (share, row) in enumerate(runs["shares"].items()):
        _line(few, row["curves"], f"{float(share):.1%} of the bytes", f"C{at}-")
    _line(attacked, runs["robust"], "no attack", "k-")
    for at, (name, found) in enumerate(runs["attacks"].items()):
        _line(attacked, found[_ROBUST.rule.value], f"{name}, {_ROBUST.rule.value}", f"C{at}-")
        _line(attacked, found[_PLAIN.rule.value], f"{name}, {_PLAIN.rule.value}", f"C{at}:")
    few.set(title="five providers", ylabel="digits read right, %", ylim=(40, 100))
    attacked.set(title=f"one of them malicious, {_ATTACKED_SHARE:.0%} of the bytes")
    for axes in (few, attacked):
        axes.set(xlabel="round")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize=8)
    figure.savefig(path, dpi=120)


def _line(axes: Any, curves: Sequence[Sequence[float]], label: str, style: str) -> None:
    mean = [statistics.mean(values) for values in zip(*curves, strict=True)]
    axes.plot(range(len(mean)), mean, style, linewidth=1.4, label=label)
