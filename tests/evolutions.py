"""Histories of one tiny network: what changes between releases, and how that is published."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from midstream import Publisher
from midstream.publisher import UpdatePolicy
from published import NAME, signer
from tensorfiles import normal, safetensors
from walks import LADDER, History

Arrays = dict[str, Any]


def start() -> Arrays:
    integers = np.random.default_rng(1).integers(-90, 90, (20, 30)).astype("|i1")
    return {"a": normal(60, 40), "b": normal(30, 20).astype("<f2"), "c": integers}


def little(arrays: Arrays) -> Arrays:
    """All weights by a little."""
    rng = np.random.default_rng(len(arrays["a"]))
    moved = {
        name: (arrays[name] + rng.standard_normal(arrays[name].shape) * 1e-3).astype(
            arrays[name].dtype
        )
        for name in "ab"
    }
    return {**arrays, **moved}


def few(arrays: Arrays) -> Arrays:
    """One tensor, and a few weights of another."""
    other = arrays["c"].copy()
    other.ravel()[::7] //= 2
    return {**arrays, "b": arrays["b"] * np.float16(1.5), "c": other}


def pruned(arrays: Arrays) -> Arrays:
    return {**arrays, "a": arrays["a"] * (np.abs(arrays["a"]) > 0.06)}


def decayed(arrays: Arrays) -> Arrays:
    return {**arrays, "a": arrays["a"] * np.float32(1 - 2**-12)}


def grown(arrays: Arrays) -> Arrays:
    """Another topology: rows and a tensor more."""
    rows = normal(3, 40, seed=len(arrays["a"]))
    return {**arrays, "a": np.concatenate([arrays["a"], rows]), "d": normal(50)}


def the_same(arrays: Arrays) -> Arrays:
    return arrays


CHANGES = (little, few, pruned, decayed, grown, the_same)
LADDERS = (LADDER, ("2.5b", "exact"), ("3b", "12dB"), ("exact",))
REPUBLISHED, REVERTED = "republished", "reverted"


@dataclass(frozen=True, kw_only=True)
class Step:
    """How a release comes from those before it."""

    change: str
    """The name of one of `CHANGES`; or the units, or the weights, of an earlier one again."""
    of: int = 1
    """Which, where it is an earlier one."""
    ladder: tuple[str, ...] = LADDER
    """Its rungs, where it is encoded."""
    updates: UpdatePolicy = field(default_factory=UpdatePolicy)
    """From which releases there are updates."""


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Those of two to five releases."""
    found: list[Step] = []
    for number in range(1, draw(st.integers(2, 5)) + 1):
        names = [change.__name__ for change in CHANGES]
        change = draw(st.sampled_from([*names, REPUBLISHED, REVERTED] if found else ["the_same"]))
        ladder = found[-1].ladder if found and draw(st.booleans()) else None
        step = Step(
            change=change,
            of=draw(st.integers(1, max(number - 1, 1))),
            ladder=ladder or draw(st.sampled_from(LADDERS)),
            updates=UpdatePolicy(last=draw(st.integers(0, 3))),
        )
        found.append(step)
    return found


def publish(steps: Sequence[Step], folder: Path) -> History:
    """All releases, one after another."""
    repo, weights, folders = folder / "repo", [start()], []
    publisher = Publisher(repo, signer=signer())
    for number, step in enumerate(steps, 1):
        if step.change in (REPUBLISHED, REVERTED):
            weights.append(weights[step.of])
        else:
            (change,) = (one for one in CHANGES if one.__name__ == step.change)
            weights.append(change(weights[-1]))
        if step.change == REPUBLISHED:
            publisher.republish(NAME, step.of)
        else:
            data = safetensors(weights[-1])
            publisher.publish(data, name=NAME, ladder=step.ladder, updates=step.updates)
        folders.append(folder / str(number))
        shutil.copytree(repo, folders[-1])
    return History(folders=tuple(folders))
