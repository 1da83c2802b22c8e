"""Train the example's policies from seeds and traces, in NumPy alone, on one core.

First a clairvoyant planner says what each rung is worth, and the network learns to say the same
(value regression on the states it meets itself, as in DAgger: Ross et al., 2011); then it learns
by playing (proximal policy optimisation). Release 1 meets mobile networks; release 2 goes on
from release 1 on a wider mix of them, with outages. About five minutes each::

    python train.py --traces pensieve_train127_hsdpa_fcc.tar.gz --video envivio/ --out models/
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy reads it: small products, one core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expert import plan_values
from export import read_network, write_network
from fleet import Fleet, Floats, Ints, Roads
from midstream.abr.features import FEATURES, RUNGS
from midstream.errors import MidstreamError
from network import Adam, Floats32, Network
from ppo import Ppo
from traces import Trace, generate_traces, load_traces
from video import Video, generate_video, load_video

__all__ = ["WIDTHS", "Course", "Drill", "main", "mean_qoe", "train"]

WIDTHS = (FEATURES, 128, 128, RUNGS)
"""Of the policy: 20,614 weights."""

_HELD_OUT = 5
_VALIDATION_STARTS = 8
_GENERATED = 150
_MIX_SEED = 11
_MIX_VALIDATION_SEED = 12
_SCALES = (-0.5, 0.7)
_IMITATION_SESSIONS = 64
_IMITATION_BATCH = 1024
_IMITATION_BATCHES = 60
_IMITATION_RATE = 1e-3
_WORST = -8.0
_TEMPERATURE = 0.5
_PPO_SESSIONS = 512
_VALIDATE_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How much training a release gets."""

    imitation_rounds: int
    """Rounds of learning from the planner; 0 where a network is taken further."""
    iterations: int
    """Rounds of learning by playing."""
    rates: tuple[float, float]
    """Learning rate of the latter, first and last."""
    entropies: tuple[float, float]
    """Weight of the entropy, first and last."""


COURSES = {
    1: Course(imitation_rounds=16, iterations=400, rates=(5e-4, 2e-5), entropies=(0.02, 0.001)),
    2: Course(imitation_rounds=0, iterations=500, rates=(5e-4, 2e-5), entropies=(0.01, 0.0005)),
}
"""By release."""


class Drill:
    """Where sessions for training and for validation come from."""

    def __init__(self, traces: Sequence[Trace], video: Video, *, is_mixed: bool) -> None:
        """Hold every fifth trace out.

        Args:
            traces: Sorted by name.
            video: What is played.
            is_mixed: Whether half of the draws are generated traces with outages, and traces
                with their rates scaled.
        """
        kept = [t for i, t in enumerate(traces) if i % _HELD_OUT != 2]
        held = [t for i, t in enumerate(traces) if i % _HELD_OUT == 2]
        self._video = video
        self._plain = len(kept)
        self._is_mixed = is_mixed
        extra = generate_traces(_GENERATED, seed=_MIX_SEED) if is_mixed else []
        self.roads = Roads([*kept, *extra])
        self._held = Roads(held)
        self._strange = Roads(generate_traces(_GENERATED, seed=_MIX_VALIDATION_SEED))

    def draw(self, count: int, rng: np.random.Generator) -> Fleet:
        """Sessions for training: random traces, random starts, noise.

        Args:
            count: How many.
            rng: Random numbers.
        """
        traces = rng.integers(0, self._plain, count)
        scales = np.ones(count)
        if self._is_mixed:
            kind = rng.random(count)
            generated = rng.integers(self._plain, self._plain + _GENERATED, count)
            traces = np.where(kind < 0.25, generated, traces)
            scales = np.where(kind > 0.75, np.exp(rng.uniform(*_SCALES, count)), 1.0)
        starts = rng.uniform(0.0, self.roads.lap_seconds[traces])
        return Fleet(self.roads, self._video, traces=traces, starts=starts, scales=scales, rng=rng)

    def validate(self, network: Network) -> dict[str, float]:
        """Mean QoE_lin on traces that training never sees.

        Args:
            network: The policy.

        Returns:
            `held_out`: on the traces held out, from eight starts each; `generated`: on
            generated ones with outages, from four starts each.
        """
        return {
            "held_out": mean_qoe(network, self._held, self._video, starts=_VALIDATION_STARTS),
            "generated": mean_qoe(network, self._strange, self._video, starts=4),
        }


def mean_qoe(network: Network, roads: Roads, video: Video, *, starts: int) -> float:
    """Mean QoE_lin of a policy that always takes its best rung, without noise.

    Args:
        network: The policy.
        roads: The traces.
        video: What is played.
        starts: Sessions on each trace, evenly spaced over it, the first as it begins.
    """
    traces: Ints = np.tile(np.arange(len(roads.starts)), starts)
    turn = np.repeat(np.arange(starts), len(roads.starts)) / starts
    at = np.where(turn == 0.0, roads.starts[traces], turn * roads.lap_seconds[traces])
    fleet = Fleet(roads, video, traces=traces, starts=at)
    rewards = []
    while not fleet.is_over:
        rewards.append(fleet.step(network.run(fleet.inputs()).argmax(axis=1)))
    return float(np.mean(rewards))


class _Imitation:
    """What the planner taught so far: states and what each rung is worth there."""

    def __init__(self, network: Network, drill: Drill, rng: np.random.Generator) -> None:
        self._network = network
        self._drill = drill
        self._rng = rng
        self._adam = Adam(network.parameters)
        self._inputs: list[Floats32] = []
        self._targets: list[Floats32] = []

    def round(self, expert_share: float) -> None:
        """Play a fleet, ask the planner at each decision, learn from all it ever said."""
        fleet = self._drill.draw(_IMITATION_SESSIONS, self._rng)
        while not fleet.is_over:
            inputs, values = fleet.inputs(), plan_values(self._drill.roads, fleet)
            self._inputs.append(inputs)
            self._targets.append(_targets(values))
            is_led = self._rng.random(len(values)) < expert_share
            own = self._network.run(inputs).argmax(axis=1)
            fleet.step(np.where(is_led, values.argmax(axis=1), own))
        self._learn()

    def _learn(self) -> None:
        inputs, targets = np.concatenate(self._inputs), np.concatenate(self._targets)
        for _ in range(_IMITATION_BATCHES):
            part = self._rng.integers(0, len(inputs), _IMITATION_BATCH)
            values = self._network.forward(inputs[part])
            error = values[-1] - targets[part]
            error -= error.mean(axis=1, keepdims=True)
            slope = error * np.float32(2.0 / error.size)
            self._adam.step(self._network.gradient(values, slope), _IMITATION_RATE)


def _targets(values: Floats) -> Floats32:
    lost = np.maximum(values - values.max(axis=1, keepdims=True), _WORST) / _TEMPERATURE
    centred: Floats32 = (lost - lost.mean(axis=1, keepdims=True)).astype(np.float32)
    return centred


def train(
    drill: Drill, course: Course, *, seed: int, start: Floats32 | None = None
) -> tuple[Network, dict[str, object]]:
    """Train one release.

    Args:
        drill: Where sessions come from.
        course: How much.
        seed: Of all random numbers.
        start: Parameters to go on from; a new network where not given.

    Returns:
        The network, with the average of its weights over the last iterations, and the record.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    network = Network(WIDTHS)
    if start is None:
        network.initialise(rng, output_scale=0.1)
    else:
        network.parameters[:] = start
    scores: list[dict[str, object]] = []

    def note(stage: str, number: int, learner: Network) -> None:
        scores.append({"stage": stage, "round": number, **_rounded(drill.validate(learner))})
        print(f"{time.perf_counter() - began:6.1f} s  {scores[-1]}", flush=True)

    imitation = _Imitation(network, drill, rng)
    for number in range(course.imitation_rounds):
        imitation.round(max(0.0, 1.0 - number / 3.0))
        if number % 5 == 4 or number == course.imitation_rounds - 1:
            note("imitation", number + 1, network)
    ppo = Ppo(
        network,
        lambda: drill.draw(_PPO_SESSIONS, rng),
        rng=rng,
        rates=course.rates,
        entropies=course.entropies,
    )
    average = Network(WIDTHS, parameters=ppo.average)
    for number in range(course.iterations):
        ppo.iterate(number / course.iterations)
        if number % _VALIDATE_EVERY == _VALIDATE_EVERY - 1:
            note("playing", number + 1, average)
    return average, {
        "seed": seed,
        "weights": len(network.parameters),
        "imitated_decisions": course.imitation_rounds * _IMITATION_SESSIONS * 47,
        "played_decisions": ppo.decisions,
        "seconds": round(time.perf_counter() - began, 1),
        "scores": scores,
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the releases that are asked for and write their files and the record."""
    options = _parser().parse_args(arguments)
    try:
        _train_releases(options)
    except MidstreamError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train the example's policies.")
    parser.add_argument("--traces", help="folder or .tar.gz of training traces; else generated")
    parser.add_argument("--video", help="folder with video_size_0 to 5; else generated")
    parser.add_argument("--release", type=int, choices=(1, 2), help="only this one; else both")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--out", type=Path, default=Path("models"), help="where files are written")
    return parser


def _train_releases(options: argparse.Namespace) -> None:
    traces = load_traces(options.traces) if options.traces else generate_traces(127, seed=1)
    video = load_video(options.video) if options.video else generate_video(seed=1)
    options.out.mkdir(parents=True, exist_ok=True)
    for release in (options.release,) if options.release else (1, 2):
        start = None
        if release > 1:
            start = read_network((options.out / f"abr-{release - 1}.tflite").read_bytes())
        drill = Drill(traces, video, is_mixed=release > 1)
        network, record = train(
            drill,
            COURSES[release],
            seed=options.seed + release,
            start=None if start is None else start.parameters,
        )
        model = write_network(network)
        (options.out / f"abr-{release}.tflite").write_bytes(model)
        data = {
            "command": _command(options),
            "traces": _hash_traces(traces),
            "video": _hash(repr(video.sizes).encode()),
        }
        _add_record(
            options.out / "record.json", release, {"sha256": _hash(model), **data, **record}
        )


def _add_record(path: Path, release: int, entry: dict[str, object]) -> None:
    known = json.loads(path.read_text()) if path.exists() else {}
    known[f"abr-{release}"] = entry
    path.write_text(json.dumps(known, indent=1) + "\n")


def _command(options: argparse.Namespace) -> str:
    """What was asked for, by the names of files alone: paths say nothing elsewhere."""
    words = ["train.py", "--seed", str(options.seed)]
    words += ["--traces", Path(options.traces).name] if options.traces else []
    words += ["--video", Path(options.video).name] if options.video else []
    return " ".join(words)


def _hash_traces(traces: Sequence[Trace]) -> str:
    rows = [(trace.name, trace.seconds, trace.mbps) for trace in traces]
    return _hash(repr(rows).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
