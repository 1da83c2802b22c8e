"""Stalls of a video that model bytes add, over the accepted test traces, in simulated time.

The player, the link and the deciding network are those of examples/abr_client; the session is the
client's own, with made-up units of real sizes. Every unit is chosen, fetched in parts, verified
and counted as ever, and its bytes, with a head for each request, are carried by the link in
between segments. One network decides in all runs, so that none is the better for what rides
along. All runs begin once the first base is there: that is start-up, no stall, and told apart.
"""

import itertools
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from delivery_parts.riding import Network, Rider, Rung
from midstream.abr import Controller, Observation, SafeRung
from midstream.runtime import find_backend
from reach.figures import Figure

_EXAMPLE = Path(__file__).parents[2] / "examples" / "abr_client"
sys.path.append(str(_EXAMPLE))  # as its own modules find each other

from live import LOW_WATER, SHARE  # noqa: E402 - found above
from player import Player  # noqa: E402
from traces import BENCHMARK, Trace, load_traces  # noqa: E402
from video import Video, load_video  # noqa: E402

__all__ = [
    "CASES",
    "ELSEWHERE",
    "STEPS",
    "Played",
    "measure_video",
    "play",
    "turn",
    "video_figures",
]

CASES = {
    "the example's network, 74 kB": (
        Rung(size=8_090, snr=24.4),
        Rung(size=4_710, snr=25.8),
        Rung(size=1_020, snr=32.8),
        Rung(size=60_010, snr=40.0),
    ),
    "one of 341 kB": (
        Rung(size=45_000, snr=24.0),
        Rung(size=22_000, snr=30.0),
        Rung(size=34_000, snr=36.0),
        Rung(size=240_000, snr=40.0),
    ),
}
"""What rides along: the rungs of a network that has two releases."""
ELSEWHERE = "begun elsewhere"
"""The first of them, over the same traces from other seconds on."""
_ELSEWHERE = (0.25, 0.5, 0.75)
"""Where else in the traces videos begin, since one outage decides much of what is reported."""
_NEWS_AT = 8
"""Segment after which the second release is there."""

STEPS = len(CASES) + 1
"""For the bar."""

Decide = Callable[[Observation], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One video."""

    rungs: tuple[int, ...]
    """Rung of each segment."""
    stalled: float
    """Seconds of stall after the first segment."""
    startup: float
    """Seconds of model bytes before it."""
    better: float | None = None
    """Second at which a better network than the first base was there."""
    best: float | None = None
    """Second at which nothing was missing."""


def measure_video(folder: Path | None, advance: Callable[[str], None]) -> dict[str, Any]:
    """What each case comes to; why it was skipped where there are no traces.

    Args:
        folder: Where the accepted traces and the video's sizes are.
        advance: Told of each case.
    """
    if folder is None or not (folder / BENCHMARK).is_file():
        why = f"MIDSTREAM_TRACES names no folder with {BENCHMARK}"
        advance(f"video: skipped, {why}")
        return {"skipped": why}
    traces, video = load_traces(folder), load_video(folder / "envivio")
    decide = _decider()
    results = {}
    for case, rungs in CASES.items():
        advance(f"video beside {case}")
        results[case] = _compare(traces, video, rungs, decide)
    advance("video begun elsewhere in the traces")
    turned = [turn(trace, share) for share in _ELSEWHERE for trace in traces]
    results[ELSEWHERE] = _compare(turned, video, next(iter(CASES.values())), decide)
    return results


def turn(trace: Trace, share: float) -> Trace:
    """The same trace, begun after a share of it."""
    steps = [after - before for before, after in itertools.pairwise(trace.seconds)]
    rates = list(trace.mbps[1:])
    at = int(share * len(steps))
    seconds = itertools.accumulate([*steps[at:], *steps[:at]], initial=0.0)
    return Trace(
        name=f"{trace.name} from {share:g}",
        seconds=tuple(seconds),
        mbps=(trace.mbps[0], *rates[at:], *rates[:at]),
    )


def play(
    trace: Trace,
    video: Video,
    releases: Sequence[Network],
    decide: Decide,
    *,
    rides: bool,
) -> Played:
    """One video; without `rides` nothing of the model comes but its first base.

    Args:
        trace: The link.
        video: The video.
        releases: Two releases of a network.
        decide: The rung of each segment but the first.
        rides: Whether more of it comes.
    """
    player = Player(trace, video)
    rider = Rider(player, low_water=LOW_WATER, share=SHARE)
    player.start(rider.begin(releases[0]))
    while not player.is_over:
        player.download(decide(player.observe()))
        if rides and not player.is_over:
            _ride(player, rider, releases[1])
    reached = [at for (_, layer), at in rider.reached.items() if layer]
    return Played(
        rungs=tuple(player.rungs),
        stalled=sum(player.stalls[1:]) + player.model_stall,
        startup=player.startup,
        better=min(reached, default=None),
        best=max(rider.reached.values()) if rider.is_complete else None,
    )


def video_figures(results: Mapping[str, Any]) -> list[Figure]:
    """Stalls over those of runs with no model traffic: of the example's network, and of more."""
    example, larger = CASES
    skipped = f"skipped: {results['skipped']}" if "skipped" in results else "142 test traces"
    judged = _figure("video stalls added by model traffic", results.get(example), skipped)
    return [
        replace(judged, must=0.5, aim=0.0),
        _figure("the same, begun elsewhere", results.get(ELSEWHERE), skipped),
        _figure(f"the same, {larger}", results.get(larger), skipped),
    ]


def _figure(name: str, row: Mapping[str, Any] | None, skipped: str) -> Figure:
    values = {} if row is None else {shown: row[key] for key, shown in _JUDGED.items()}
    return Figure(name=name, unit="%", values=values, note=skipped if row is None else _note(row))


_JUDGED = {
    "same_network": "one network decides in both",
    "same_decisions": "one run decides for both",
}


def _note(row: Mapping[str, Any]) -> str:
    return (
        f"over {row['stalled_s']:.1f} s in {row['traces']} videos without models; in one at most "
        f"{row['worst_s']:+.2f} s; {row['foreign_decisions']:+.1f} % where decisions of the run "
        f"without are imposed on that with models; first base {row['startup_s']:.2f} s of start-up "
        f"in the mean, {row['longest_startup_s']:.1f} at most; a better network in "
        f"{_reached(row, 'better')}, the best in {_reached(row, 'best')}"
    )


def _reached(row: Mapping[str, Any], what: str) -> str:
    return f"{row[what]}, after {row[f'{what}_s']:.0f} s" if row[what] else "none"


def _compare(
    traces: Sequence[Trace], video: Video, rungs: Sequence[Rung], decide: Decide
) -> dict[str, Any]:
    releases = [Network.of(rungs, number=number) for number in (1, 2)]
    with_, without, same, foreign = [], [], [], []
    for trace in traces:
        with_.append(play(trace, video, releases, decide, rides=True))
        without.append(play(trace, video, releases, decide, rides=False))
        same.append(play(trace, video, releases, _again(with_[-1].rungs), rides=False))
        foreign.append(play(trace, video, releases, _again(without[-1].rungs), rides=True))
    better = [played.better for played in with_ if played.better is not None]
    best = [played.best for played in with_ if played.best is not None]
    return {
        "traces": len(traces),
        "stalled_s": _total(without),
        "same_network": _more(with_, without),
        "same_decisions": _more(with_, same),
        "foreign_decisions": _more(foreign, without),
        "worst_s": max(a.stalled - b.stalled for a, b in zip(with_, same, strict=True)),
        "startup_s": statistics.mean(played.startup for played in with_),
        "longest_startup_s": max(played.startup for played in with_),
        "better": len(better),
        "better_s": statistics.median(better) if better else None,
        "best": len(best),
        "best_s": statistics.median(best) if best else None,
        "played": [asdict(played) for played in with_],
    }


def _total(played: Sequence[Played]) -> float:
    return sum(one.stalled for one in played)


def _more(one: Sequence[Played], other: Sequence[Played]) -> float:
    """Stall seconds over those of others, per cent more."""
    return 100 * (_total(one) / _total(other) - 1)


def _ride(player: Player, rider: Rider, news: Network) -> None:
    if player.segment >= _NEWS_AT and player.buffer > LOW_WATER and not rider.knows(news):
        rider.learn(news)
    rider.ride()


def _again(rungs: Sequence[int]) -> Decide:
    """Decide as was decided before; the first segment is nobody's decision."""
    rest = iter(rungs[1:])
    return lambda _: next(rest)


def _decider() -> Decide:
    """The example's second network, with its guard; it has all the time it wants."""
    network = find_backend().load((_EXAMPLE / "models" / "abr-2.tflite").read_bytes())
    controller = Controller(clock=lambda: 0.0, guard=SafeRung())
    return lambda seen: controller.decide(seen, policy=lambda inputs: network.run(inputs)[0]).index
