"""Merging: rules against their definitions, and what a policy leaves out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from midstream.errors import ErrorCode, UsageError
from midstream.formats import open_model
from midstream.merging import MergePolicy, Offer, Rule, combine, merge
from tensorfiles import normal, safetensors

SIZE = 50
PARENT = safetensors({"a": normal(10, 5)})
TENSORS = open_model(PARENT).tensors
TRUTH = normal(SIZE, seed=9)


def honest(count: int) -> list[NDArray[np.float32]]:
    """Changes that differ a little from the true one."""
    return [TRUTH + normal(SIZE, seed=seed, scale=0.01) for seed in range(count)]


def test_the_mean_is_the_mean() -> None:
    changes = honest(5)
    found, shares = combine(changes, Rule.MEAN)
    assert np.allclose(found, np.mean(changes, axis=0))
    assert shares == (0.2,) * 5


def test_weights_follow_the_size_of_the_data() -> None:
    changes = honest(2)
    found, shares = combine(changes, Rule.WEIGHTED, sizes=[1, 3])
    assert np.allclose(found, 0.25 * changes[0] + 0.75 * changes[1])
    assert shares == (0.25, 0.75)


def test_the_trimmed_mean_leaves_out_the_extremes_of_each_weight() -> None:
    changes = [np.array([x, -x], np.float32) for x in (1, 2, 3, 4, 100)]
    found, shares = combine(changes, Rule.TRIMMED_MEAN, most_bad=1)
    assert found.tolist() == [3, -3]
    assert shares is None


def test_the_median_is_that_of_each_weight() -> None:
    changes = [np.array(pair, np.float32) for pair in ([1, 9], [2, 8], [50, -7])]
    assert combine(changes, Rule.MEDIAN, most_bad=1)[0].tolist() == [2, 8]


def test_krum_takes_the_one_with_the_nearest_neighbours() -> None:
    changes = [np.array([x], np.float32) for x in (0.0, 1.0, 1.1, 1.25, 9.0)]
    # two nearest others each: 1.0 has .01 + .0625, 1.1 has .01 + .0225
    found, shares = combine(changes, Rule.KRUM, most_bad=1)
    assert found.tolist() == [np.float32(1.1)]
    assert shares == (0, 0, 1, 0, 0)


def test_multi_krum_leaves_out_as_many_as_may_be_bad() -> None:
    changes = [*honest(4), np.full(SIZE, 3, np.float32)]
    found, shares = combine(changes, Rule.MULTI_KRUM, most_bad=1)
    assert shares == (0.25, 0.25, 0.25, 0.25, 0)
    assert np.allclose(found, np.mean(changes[:4], axis=0))


def test_the_geometric_median_has_the_least_sum_of_distances() -> None:
    changes = [normal(2, seed=seed) for seed in range(7)]
    found, _ = combine(changes, Rule.GEOMETRIC_MEDIAN, most_bad=2)

    def total(point: NDArray[np.float64]) -> float:
        return sum(float(np.linalg.norm(change - point)) for change in changes)

    nearby = [found + 0.01 * np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 6, 12)]
    assert all(total(found) < total(point) for point in nearby)


def test_equal_changes_have_themselves_as_geometric_median() -> None:
    found, shares = combine([TRUTH] * 3, Rule.GEOMETRIC_MEDIAN)
    assert np.allclose(found, TRUTH)
    assert shares is not None
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule.least(1) > 1])
@pytest.mark.parametrize("attack", [-20.0, 50.0])
def test_a_robust_rule_bears_one_bad_change(rule: Rule, attack: float) -> None:
    changes = [*honest(4), (attack * TRUTH).astype(np.float32)]
    found, _ = combine(changes, rule, most_bad=1)
    robust = np.linalg.norm(found - TRUTH)
    plain = np.linalg.norm(combine(changes, Rule.MEAN)[0] - TRUTH)
    assert robust < 0.2 * plain


@pytest.mark.parametrize("rule", list(Rule))
def test_too_few_changes_are_refused(rule: Rule) -> None:
    with pytest.raises(UsageError, match="expected") as caught:
        combine(honest(rule.least(2) - 1), rule, most_bad=2)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize("sizes", [[1.0], [1.0, 0.0], [1.0, float("nan")]])
def test_sizes_that_make_no_sense_are_refused(sizes: list[float]) -> None:
    with pytest.raises(UsageError, match="positive size"):
        combine(honest(2), Rule.WEIGHTED, sizes=sizes)


def test_changes_of_other_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="different lengths"):
        combine([TRUTH, TRUTH[:-1]], Rule.MEAN)


def offers(*changes: NDArray[np.float32]) -> list[Offer]:
    return [Offer(provider=f"p{place}", change=c) for place, c in enumerate(changes)]


def test_the_order_of_offers_does_not_matter() -> None:
    made = offers(*honest(5))
    one = merge(PARENT, TENSORS, made, MergePolicy())
    other = merge(PARENT, TENSORS, made[::-1], MergePolicy())
    assert one.model == other.model


def test_a_huge_norm_is_left_out_and_said() -> None:
    made = offers(*honest(5), 100 * TRUTH)
    merged = merge(PARENT, TENSORS, made, MergePolicy(rule=Rule.MEAN))
    assert "norm" in merged.refused["p5"]
    assert sorted(merged.shares) == ["p0", "p1", "p2", "p3", "p4"]


def test_whom_a_rule_gives_nothing_is_named() -> None:
    made = offers(*honest(4), -TRUTH)
    merged = merge(PARENT, TENSORS, made, MergePolicy(rule=Rule.MULTI_KRUM))
    assert merged.refused == {"p4": "multi-krum left it out"}
    assert merged.shares == {f"p{place}": 0.25 for place in range(4)}


def test_who_was_left_out_is_one_of_the_bad_that_a_rule_bears() -> None:
    made = offers(*honest(4), 100 * TRUTH)
    merged = merge(PARENT, TENSORS, made, MergePolicy(rule=Rule.MULTI_KRUM, most_bad=1))
    assert merged.shares == {f"p{place}": 0.25 for place in range(4)}


def test_providers_that_are_never_together_do_not_both_count() -> None:
    policy = MergePolicy(rule=Rule.MEAN, never_together=(frozenset({"p1", "p2"}),))
    merged = merge(PARENT, TENSORS, offers(*honest(3)), policy)
    assert merged.refused == {"p2": "never together with p1"}


def test_the_gate_leaves_out_what_does_harm_by_itself() -> None:
    def gate(model: bytes) -> float:
        weights = np.frombuffer(model[TENSORS[0].offset : TENSORS[0].end], "<f4")
        return -float(np.linalg.norm(weights - normal(10, 5).ravel() - TRUTH))

    policy = MergePolicy(rule=Rule.MEAN, gates_each=True)
    merged = merge(PARENT, TENSORS, offers(*honest(3), -TRUTH), policy, gate=gate)
    assert "the gate says" in merged.refused["p3"]
    assert merged.before is not None
    assert merged.after is not None
    assert merged.after > merged.before


@pytest.mark.parametrize("found", [0.5, float("nan")])
def test_a_merge_that_the_gate_finds_worse_is_refused(found: float) -> None:
    said = iter([1.0, found])
    with pytest.raises(UsageError, match="the gate says"):
        merge(
            PARENT,
            TENSORS,
            offers(*honest(3)),
            MergePolicy(rule=Rule.MEAN, worst_loss=0.1),
            gate=lambda _: next(said),
        )


def test_a_policy_that_leaves_nothing_is_refused_with_its_reasons() -> None:
    with pytest.raises(UsageError, match="no changes are there"):
        merge(PARENT, TENSORS, [], MergePolicy())
    policy = MergePolicy(rule=Rule.MEAN, gates_each=True)
    said = iter([1.0, 0.0])  # of the parent, of the only change
    with pytest.raises(UsageError, match="p0: the gate says 0 of it alone"):
        merge(PARENT, TENSORS, offers(TRUTH), policy, gate=lambda _: next(said))


def test_two_changes_of_one_provider_are_refused() -> None:
    twice = [Offer(provider="a", change=TRUTH)] * 2
    with pytest.raises(UsageError, match="more than one change of a"):
        merge(PARENT, TENSORS, twice, MergePolicy(rule=Rule.MEAN))


@pytest.mark.parametrize("wrong", [{"most_bad": -1}, {"largest_norm": 0}, {"worst_loss": -1}])
def test_a_policy_that_makes_no_sense_cannot_be_made(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="policy"):
        MergePolicy(**wrong)  # type: ignore[arg-type]  # wrong on purpose
