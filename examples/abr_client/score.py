"""Score the committed releases and the rules on traces, and put it into their record.

No model bytes are charged here: this says what the policies are worth, the demo what it costs to
have them. Nothing is chosen by these scores::

    python score.py --traces pensieve_test142_hsdpa.tar.gz --video envivio/ --name pensieve_test142
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midstream import MidstreamError, find_backend
from midstream.abr import BufferBased, Controller, Observation, RateBased, RobustMpc
from midstream.runtime import Network
from player import FIRST_RUNG, Player
from traces import Trace, generate_traces, load_traces
from video import Video, generate_video, load_video

__all__ = ["main", "score"]

Choose = Callable[[Observation], int]

_MODELS = Path(__file__).parent / "models"
_WORST_SHARE = 0.05


def score(choose: Choose, traces: Sequence[Trace], video: Video) -> dict[str, float]:
    """Mean, median and mean of the worst 5 % of QoE_lin over traces.

    Args:
        choose: From what the player knows to a rung.
        traces: One session each.
        video: What is played.
    """
    values = np.sort([_play(choose, trace, video) for trace in traces])
    worst = values[: max(1, round(_WORST_SHARE * len(values)))]
    return {
        "mean": round(float(values.mean()), 4),
        "median": round(float(np.median(values)), 4),
        "worst_5_percent": round(float(worst.mean()), 4),
    }


def _play(choose: Choose, trace: Trace, video: Video) -> float:
    player = Player(trace, video)
    player.download(FIRST_RUNG)
    while not player.is_over:
        player.download(choose(player.observe()))
    return player.qoe


def _by_network(network: Network) -> Choose:
    def run(features: NDArray[np.float32]) -> object:
        return network.run(features)[0]

    # a clock that stands still: the score shall not depend on the machine
    controller = Controller(run, clock=lambda: 0.0)
    return lambda observation: controller.decide(observation).index


def main(arguments: Sequence[str] | None = None) -> int:
    """Score everything on one set of traces and write it into a record."""
    parser = argparse.ArgumentParser(description="Score the example's policies and the rules.")
    parser.add_argument("--traces", help="folder or .tar.gz of traces; else generated")
    parser.add_argument("--video", help="folder with video_size_0 to 5; else generated")
    parser.add_argument("--name", default="generated", help="what the record calls these traces")
    parser.add_argument("--record", type=Path, default=_MODELS / "record.json")
    options = parser.parse_args(arguments)
    try:
        traces = load_traces(options.traces) if options.traces else generate_traces(20, seed=77)
        video = load_video(options.video) if options.video else generate_video(seed=77)
    except MidstreamError as error:
        print(f"score: {error}", file=sys.stderr)
        return error.exit_code
    scores = _score_all(traces, video)
    record = json.loads(options.record.read_text())
    record.setdefault("scored", {})[options.name] = {"traces": len(traces), **scores}
    options.record.write_text(json.dumps(record, indent=1) + "\n")
    return 0


def _score_all(traces: Sequence[Trace], video: Video) -> dict[str, dict[str, float]]:
    backend = find_backend()
    choices: dict[str, Choose] = {
        path.stem: _by_network(backend.load(path.read_bytes()))
        for path in sorted(_MODELS.glob("*.tflite"))
    }
    choices |= {
        "robust_mpc": RobustMpc(),
        "rate_based": RateBased(),
        "buffer_based": BufferBased(),
    }
    scores = {}
    for name, choose in choices.items():
        scores[name] = score(choose, traces, video)
        print(f"{name:14}{scores[name]}", flush=True)
    return scores


if __name__ == "__main__":
    sys.exit(main())
