import io
import math

import pytest
from rich.console import Console

from comparison.curves import Point, bytes_at, cheapest_at, decibels_at, envelope
from comparison.report import figures, print_report
from comparison.search import expected, search
from reach.figures import Figure, Verdict, geometric_mean

LINE = [Point(size=100, db=10), Point(size=1000, db=20), Point(size=10_000, db=30)]


def test_bytes_between_two_points_are_logarithmic_in_decibels():
    assert bytes_at(LINE, 15) == pytest.approx(math.sqrt(100 * 1000))
    assert bytes_at(LINE, 20) == pytest.approx(1000)


def test_decibels_are_the_inverse_of_bytes():
    for db in (10, 12.5, 20, 29):
        size = bytes_at(LINE, db)
        assert size is not None
        assert decibels_at(LINE, size) == pytest.approx(db)


def test_nothing_is_extrapolated():
    assert bytes_at(LINE, 9.9) is None
    assert bytes_at(LINE, 30.1) is None
    assert decibels_at(LINE, 99) is None
    assert bytes_at([], 20) is None


def test_a_point_that_another_beats_is_not_on_the_envelope():
    worse = [Point(size=1100, db=19), Point(size=500, db=9), Point(size=1000, db=12)]
    assert envelope([*worse, *LINE]) == LINE


def test_points_that_are_not_finite_are_left_out():
    broken = [Point(size=50, db=-math.inf), Point(size=20_000, db=math.inf)]
    assert envelope([*broken, *LINE]) == LINE


def test_a_better_point_makes_the_curve_cheaper():
    better = Point(size=300, db=20)
    assert bytes_at([*LINE, better], 20) == pytest.approx(300)


def test_the_best_of_two_curves_counts_where_it_reaches():
    other = [Point(size=50, db=10), Point(size=900, db=15)]
    assert cheapest_at([LINE, other], 10) == pytest.approx(50)
    assert cheapest_at([LINE, other], 25) == bytes_at(LINE, 25)
    assert cheapest_at([LINE, other], 40) is None


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert math.isnan(geometric_mean([]))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"a": 0.8, "b": 0.84}, Verdict.AIM),
        ({"a": 0.9, "b": 0.91}, Verdict.MUST),
        ({"a": 0.9, "b": 0.95}, Verdict.NOT),
        ({"a": 0.5, "b": 1.05}, Verdict.NOT),
        ({}, Verdict.NONE),
    ],
)
def test_a_verdict_takes_the_mean_and_the_limit_on_each_network(values, verdict):
    figure = Figure(name="bytes", must=0.92, aim=0.86, limit=1.04, is_mean=True, values=values)
    assert figure.verdict is verdict


def test_a_speed_is_met_from_below_and_its_worst_is_the_least():
    figure = Figure(
        name="speed",
        must=10,
        aim=25,
        more_is_better=True,
        is_mean=True,
        values={"a": 8.0, "b": 20.0},
    )
    assert figure.mean == pytest.approx(math.sqrt(160))
    assert figure.worst == ("a", 8.0)
    assert figure.verdict is Verdict.MUST


def test_a_single_value_may_be_below_zero():
    figure = Figure(name="memory", must=24, aim=8, is_mean=True, values={"minilm": -1.5})
    assert figure.mean == -1.5
    assert figure.verdict is Verdict.AIM


def test_all_figures_are_listed_though_nothing_was_measured():
    listed = figures({})
    assert len(listed) == 13
    assert {figure.verdict for figure in listed} == {Verdict.NONE}


def test_a_network_that_was_skipped_counts_nowhere():
    results = {"bytes": {"a": {"ratio": 0.9}, "b": {"skip": "its integers"}}}
    assert figures(results)[0].values == {"a": 0.9}


def test_lossless_bytes_are_held_to_the_smaller_of_xz_and_zstd():
    row = {"over_zipnn": 0.9, "over_xz": 1.01, "over_zstd": 0.95}
    general = figures({"lossless": {"a": row}})[6]
    assert general.values == {"a": 1.01}
    assert general.verdict is Verdict.NOT


def test_the_report_shows_each_network_and_each_verdict():
    console = Console(file=io.StringIO(), record=True, width=160)
    rows = {"a": {"ratio": 0.85, "alone": 0.8, "skeleton": 1234}, "b": {"skip": "integers"}}
    print_report({"bytes": rows}, console)
    text = console.export_text()
    assert "1,234" in text
    assert "aim met" in text
    assert "integers" in text


def test_what_to_ask_for_is_between_the_points_around_a_goal_or_off_the_nearest():
    points = [{"asked": 12, "output_db": 5}, {"asked": 20, "output_db": 15}]
    assert expected(points, 10) == pytest.approx(16)
    assert expected(points, 18) == pytest.approx(23)
    assert expected(points, 4) == pytest.approx(11)
    assert expected([{"asked": 12, "output_db": -math.inf}], 30) == 30


def test_a_search_brackets_each_target_where_what_comes_out_is_less_than_what_was_asked_for():
    def measure(ask):
        return {"asked": ask, "output_db": 0.8 * ask - 4}

    points = search(measure, (12.0, 20.0, 30.0))
    assert [point["asked"] for point in points[:3]] == [12, 20, 30]
    came = sorted(point["output_db"] for point in points)
    assert came[0] < 12
    assert came[-1] > 30
    for target in (12, 20, 30):
        assert min(abs(db - target) for db in came) < 1


def test_a_search_ends_where_nothing_that_is_asked_for_changes_anything():
    asked = []

    def measure(ask):
        asked.append(ask)
        return {"asked": ask, "output_db": 3.0}

    search(measure, (12.0, 20.0, 30.0))
    assert len(asked) <= 9
