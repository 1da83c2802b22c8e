"""Observations, features and the filter of throughput samples."""

import math

import numpy as np
import pytest

from midstream.abr import (
    FEATURES,
    Reason,
    Transfer,
    TransferFilter,
    pensieve_features,
    policy_inputs,
)
from midstream.errors import UsageError
from test_abr_controller import LADDER, SIZES, observation


def test_features_are_what_the_recipe_says() -> None:
    row = pensieve_features(observation(throughputs=(250_000.0, 125_000.0), delays=(1.0, 2.0)))[0]
    assert row.shape == (FEATURES,)
    assert (row[:6] == 0).all()
    assert row[6:8] == pytest.approx([(math.log(2) - 0.5) / 0.8, -0.5 / 0.8])
    assert row[14:16] == pytest.approx([0.7 / 0.8, (math.log(2) + 0.7) / 0.8])
    assert row[16:22] == pytest.approx([(math.log(size) - 13) / 0.9 for size in SIZES])
    assert row[22:] == pytest.approx([(12 - 15) / 12, 40 / 24 - 1, 750 / 2000 - 1])


def test_only_the_last_eight_segments_are_shown() -> None:
    many = tuple(float(1000 * index) for index in range(1, 21))
    long = pensieve_features(observation(throughputs=many, delays=(1.0,) * 20))
    short = pensieve_features(observation(throughputs=many[-8:], delays=(1.0,) * 8))
    assert np.array_equal(long, short)


def test_extremes_are_clipped() -> None:
    row = pensieve_features(observation(throughputs=(1e-3,), delays=(1e6,), segments_left=999))[0]
    assert (row[7], row[15], row[23]) == (-3.0, 3.0, 1.0)


def test_many_sessions_are_shown_what_each_alone_is_shown() -> None:
    one, other = observation(), observation(buffer=3.0, last_index=4)
    both = policy_inputs(
        throughputs=[(0.0,) * 5 + seen.throughputs for seen in (one, other)],
        delays=[(0.0,) * 5 + seen.delays for seen in (one, other)],
        sizes=[SIZES, SIZES],
        buffer=[12.0, 3.0],
        segments_left=[40, 40],
        last_kbps=[750.0, 2850.0],
    )
    alone = np.concatenate([pensieve_features(one), pensieve_features(other)])
    assert np.array_equal(both, alone)


def test_another_ladder_is_refused_by_the_features() -> None:
    with pytest.raises(UsageError, match="2 rungs"):
        pensieve_features(observation(ladder_kbps=LADDER[:2], sizes=(SIZES[:2],)))


@pytest.mark.parametrize(
    "changes",
    [
        {"ladder_kbps": ()},
        {"ladder_kbps": (1.0,) * 6},
        {"ladder_kbps": (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)},
        {"ladder_kbps": tuple(float(kbps) for kbps in range(1, 66))},
        {"last_index": 6},
        {"last_index": -1},
        {"sizes": ()},
        {"sizes": (SIZES[:5],)},
        {"sizes": ((0,) * 6,)},
        {"segments_left": 0},
        {"delays": (1.0,)},
        {"throughputs": (1.0, 2.0, 0.0)},
        {"throughputs": (1.0, 2.0, math.nan)},
        {"delays": (1.0, 2.0, math.inf)},
        {"buffer": -0.1},
        {"buffer": math.nan},
        {"segment_seconds": 0.0},
    ],
)
def test_an_observation_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        observation(**changes)


def test_only_the_policys_own_choices_are_no_fallback() -> None:
    own = {reason for reason in Reason if not reason.is_fallback}
    assert own == {Reason.POLICY, Reason.GUARDED}


def transfer(**changes: object) -> Transfer:
    values: dict[str, object] = {"size": 200_000, "start": 1.0, "first_byte": 1.1, "end": 3.0}
    return Transfer(**(values | changes))  # type: ignore[arg-type]  # checked when it is made


def test_a_media_transfer_is_a_sample() -> None:
    samples = TransferFilter()
    assert samples.add(transfer())
    assert (samples.throughputs, samples.delays) == ((100_000.0,), (2.0,))
    assert samples.add(transfer(size=16_384)), "the smallest one that counts"


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 16_383},
        {"size": 0},
        {"is_cached": True},
        {"is_model": True},
        {"first_byte": 1.0, "end": 1.0},
    ],
)
def test_small_cached_model_and_instant_transfers_are_no_samples(
    changes: dict[str, object],
) -> None:
    samples = TransferFilter()
    assert not samples.add(transfer(**changes))
    assert samples.throughputs == ()


@pytest.mark.parametrize(
    ("busy", "is_sample"),
    [
        ([], True),
        ([(0.0, 9.0)], False),
        ([(1.5, 1.6)], False),
        ([(0.0, 1.1), (5.0, 6.0)], False),
        ([(2.9, 4.0)], False),
        ([(0.0, 1.0), (3.0, 4.0)], True),  # they only touch
    ],
)
def test_what_had_to_share_the_link_with_a_model_is_no_sample(
    busy: list[tuple[float, float]], is_sample: bool
) -> None:
    samples = TransferFilter()
    media = Transfer(size=1_000_000, start=1.0, first_byte=1.1, end=3.0)
    assert samples.add(media, busy=busy) is is_sample
    assert len(samples.throughputs) == is_sample


def test_only_the_newest_samples_are_kept_and_can_be_forgotten() -> None:
    samples = TransferFilter()
    for index in range(20):
        samples.add(transfer(size=20_000 + index))
    assert len(samples.delays) == 16
    assert samples.throughputs[-1] == (20_019) / 2.0
    samples.clear()
    assert samples.throughputs == ()


@pytest.mark.parametrize(
    "changes", [{"size": -1}, {"end": 1.05}, {"start": math.nan}, {"end": math.inf}]
)
def test_a_transfer_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        transfer(**changes)
