"""The example's training: gradients, planner, export, the committed releases."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import ppo
import score
import train
from expert import plan_values
from fleet import Fleet, Roads, play, transfer
from midstream import find_backend
from midstream.errors import FormatError
from network import Adam, Floats32, Network
from ppo import Ppo, softmax
from traces import generate_traces
from video import LADDER_KBPS, Video, generate_video

MODELS = Path(train.__file__).parent / "models"


def small_network(activation: str = "relu") -> Network:
    network = Network((5, 8, 7, 3), activation=activation)
    network.initialise(np.random.default_rng(1), output_scale=1.0)
    return network


def numbers(*shape: int, seed: int = 0) -> Floats32:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_are_those_of_finite_differences(activation: str) -> None:
    network = small_network(activation)
    exact = network.gradient(network.forward(numbers(16, 5)), numbers(16, 3, seed=2))
    inputs, slope = numbers(16, 5).astype(float), numbers(16, 3, seed=2)
    for index in range(len(exact)):
        losses = []
        for step in (1e-6, -1e-6):
            moved = network.parameters.astype(float)
            moved[index] += step
            precise = Network(network.widths, activation=activation, parameters=moved)  # type: ignore[arg-type]  # float64, for small steps
            losses.append(float((precise.run(inputs) * slope).sum()))  # type: ignore[arg-type]
        assert exact[index] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-3, rel=1e-3)


def test_adam_finds_a_minimum() -> None:
    parameters = np.full(4, 5.0, np.float32)
    adam = Adam(parameters)
    for _ in range(400):
        adam.step(parameters - np.float32(2.0), 0.05)
    assert np.allclose(parameters, 2.0, atol=0.05)


def surrogate(
    scores: Floats32, rungs: object, chances: Floats32, gains: Floats32, entropy: float
) -> float:
    odds = softmax(scores).astype(np.float64)
    ratio = np.exp(np.log(odds[np.arange(len(odds)), rungs]) - chances)  # type: ignore[index]
    clipped = np.clip(ratio, 0.8, 1.2)
    bonus = -entropy * (odds * np.log(odds)).sum(axis=1)
    return float((-np.minimum(ratio * gains, clipped * gains) - bonus).mean())


def test_the_policys_slope_is_that_of_the_clipped_surrogate() -> None:
    scores, gains = numbers(12, 6), numbers(12, seed=3)
    rungs = np.random.default_rng(4).integers(0, 6, 12)
    chances = np.log(softmax(numbers(12, 6, seed=5))[np.arange(12), rungs])
    exact = ppo._policy_slope(scores, rungs, chances, gains, 0.05)
    for row, column in itertools.product(range(12), range(6)):
        losses = []
        for step in (1e-3, -1e-3):
            moved = scores.astype(np.float64)
            moved[row, column] += step
            losses.append(surrogate(moved, rungs, chances, gains, 0.05))  # type: ignore[arg-type]
        assert exact[row, column] == pytest.approx((losses[0] - losses[1]) / 2e-3, abs=1e-4)


@pytest.fixture(scope="module")
def video() -> Video:
    return generate_video(seed=5)


def fleet_of(count: int, video: Video) -> tuple[Roads, Fleet]:
    roads = Roads(generate_traces(count, seed=8))
    return roads, Fleet(roads, video, traces=np.arange(count))


def exhaustive(roads: Roads, fleet: Fleet, session: int, horizon: int) -> list[float]:
    """The best value of each first rung, plan by plan."""
    best, rates = [-np.inf] * 6, np.array(LADDER_KBPS) / 1000
    trace = np.array([session])
    for plan in itertools.product(range(6), repeat=horizon):
        at, buffer = fleet.at[trace], fleet.buffer[trace]
        last, value = fleet.last[session], 0.0
        for step, rung in enumerate(plan):
            size = fleet.sizes[fleet.segment + step, [rung]]
            delay, at = transfer(roads, trace, at, size)
            stalled, buffer, idle = play(buffer, delay)
            at = at + idle
            value += rates[rung] - 4.3 * stalled[0] - abs(rates[rung] - rates[last])
            last = rung
        best[plan[0]] = max(best[plan[0]], value)
    return best


def test_two_segments_ahead_the_planner_is_exact(video: Video) -> None:
    roads, fleet = fleet_of(4, video)
    values = plan_values(roads, fleet, horizon=2)
    for session in range(4):
        assert values[session] == pytest.approx(exhaustive(roads, fleet, session, 2))


def test_four_segments_ahead_it_is_close_for_every_first_rung(video: Video) -> None:
    roads, fleet = fleet_of(2, video)
    fleet.step(np.array([2, 2]))
    values = plan_values(roads, fleet, horizon=4)
    for session in range(2):
        best = np.array(exhaustive(roads, fleet, session, 4))
        assert (values[session] <= best + 1e-9).all()
        assert values[session] == pytest.approx(best, abs=1.0)


def test_no_first_rung_is_lost_by_merging(video: Video) -> None:
    roads, fleet = fleet_of(20, video)
    assert np.isfinite(plan_values(roads, fleet)).all()


def test_the_planner_stops_where_the_video_ends(video: Video) -> None:
    roads, fleet = fleet_of(3, video)
    while fleet.segment < len(fleet.sizes) - 1:
        fleet.step(np.array([0, 0, 0]))
    values = plan_values(roads, fleet)
    after = Fleet(roads, video, traces=np.arange(3))
    while not after.is_over:
        last = after.step(np.array([0, 0, 0]))
    assert values[:, 0] == pytest.approx(last)


@pytest.mark.once
def test_playing_well_beats_not_having_learnt(
    video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_IMITATION_SESSIONS", 16)
    monkeypatch.setattr(train, "_GENERATED", 20)
    made = generate_traces(10, seed=3)
    drill = train.Drill(made, video, is_mixed=False)
    course = train.Course(
        imitation_rounds=2, iterations=0, rates=(5e-4, 5e-5), entropies=(0.02, 0.001)
    )
    network, record = train.train(drill, course, seed=1)
    untrained = Network(train.WIDTHS)
    untrained.initialise(np.random.default_rng(1), output_scale=0.1)
    assert drill.validate(network)["generated"] > drill.validate(untrained)["generated"]
    assert record["weights"] == 20_614


def test_iterations_repeat_and_move_the_policy(video: Video) -> None:
    results = []
    for _ in range(2):
        rng = np.random.default_rng(6)
        drill = train.Drill(generate_traces(5, seed=3), video, is_mixed=True)
        policy = Network(train.WIDTHS)
        policy.initialise(rng, output_scale=0.1)
        first = policy.parameters.copy()
        learner = Ppo(policy, lambda d=drill, r=rng: d.draw(16, r), rng=rng)
        for _ in range(7):
            learner.iterate(0.5)
        assert learner.decisions == 7 * 16 * 47
        assert not np.array_equal(policy.parameters, first)
        results.append(learner.average.copy())
    assert np.array_equal(*results)


@pytest.fixture
def litert() -> None:
    pytest.importorskip("ai_edge_litert", reason="the schema's Python code is LiteRT's")


@pytest.mark.usefixtures("litert")
def test_a_network_comes_back_from_its_file() -> None:
    from export import read_network, write_network

    network = small_network()
    data = write_network(network)
    assert data == write_network(network)
    back = read_network(data)
    assert back.widths == network.widths
    assert np.array_equal(back.parameters, network.parameters)


@pytest.mark.usefixtures("litert")
def test_what_is_no_model_is_not_read() -> None:
    from export import read_network

    with pytest.raises(FormatError):
        read_network(b"no model")


@pytest.mark.usefixtures("litert")
def test_training_writes_both_releases_and_their_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    course = train.Course(imitation_rounds=1, iterations=1, rates=(1e-4, 1e-4), entropies=(1, 1))
    monkeypatch.setattr(train, "COURSES", {1: course, 2: course})
    monkeypatch.setattr(train, "_IMITATION_SESSIONS", 4)
    monkeypatch.setattr(train, "_PPO_SESSIONS", 8)
    assert train.main(["--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    for name in ("abr-1", "abr-2"):
        model = (tmp_path / f"{name}.tflite").read_bytes()
        assert record[name]["sha256"] == hashlib.sha256(model).hexdigest()
    assert "held_out" in capsys.readouterr().out


def test_training_on_nothing_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(["--traces", str(tmp_path / "missing"), "--out", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["abr-1", "abr-2"])
def test_a_committed_release_is_the_recorded_one(name: str) -> None:
    record = json.loads((MODELS / "record.json").read_text())[name]
    model = (MODELS / f"{name}.tflite").read_bytes()
    assert record["sha256"] == hashlib.sha256(model).hexdigest()
    assert record["weights"] == 20_614


@pytest.mark.usefixtures("litert")
@pytest.mark.parametrize("name", ["abr-1", "abr-2"])
def test_a_runtime_and_numpy_agree_on_a_committed_release(name: str) -> None:
    from export import read_network

    data = (MODELS / f"{name}.tflite").read_bytes()
    inputs = numbers(50, 25)
    expected = read_network(data).run(inputs)
    running = find_backend().load(data)
    for row, scores in zip(inputs, expected, strict=True):
        assert running.run(row[None])[0][0] == pytest.approx(scores, rel=1e-4, abs=1e-4)
    running.close()


@pytest.mark.parametrize("name", ["abr-1", "abr-2"])
def test_a_committed_release_plays_well_where_it_was_not_trained(name: str, video: Video) -> None:
    running = find_backend().load((MODELS / f"{name}.tflite").read_bytes())
    fleet = Fleet(Roads(generate_traces(12, seed=77)), video, traces=np.arange(12))
    calm = Fleet(Roads(generate_traces(12, seed=77)), video, traces=np.arange(12))
    scores, lowest = [], []
    while not fleet.is_over:
        rungs = [int(running.run(row[None])[0].argmax()) for row in fleet.inputs()]
        scores.append(fleet.step(np.array(rungs)))
        lowest.append(calm.step(np.zeros(12, np.int64)))
    running.close()
    assert np.mean(scores) > np.mean(lowest) + 0.3


def test_scores_go_into_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "generate_traces", lambda _, seed: generate_traces(2, seed=seed))
    record = tmp_path / "record.json"
    record.write_text('{"abr-1": {}}')
    assert score.main(["--record", str(record)]) == 0
    scored = json.loads(record.read_text())["scored"]["generated"]
    assert scored["traces"] == 2
    assert set(scored["robust_mpc"]) == {"mean", "median", "worst_5_percent"}


def test_scoring_on_nothing_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert score.main(["--traces", "missing"]) == 2
    assert "no such file" in capsys.readouterr().err
