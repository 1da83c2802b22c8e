"""The whole of it at work: publish, serve badly, play, repair, verify, swap, compare.

    python examples/abr_client/demo.py [--traces FOLDER] [--loss .05] [--corrupt .02]
    python examples/abr_client/demo.py --carousel [--loss .1] [--players 12]

Publishes two releases of the example's network, then plays one video a trace with each strategy.
In the live ones every unit is fetched over loopback HTTP from an origin that cuts and damages
bodies, and its bytes share the simulated link with the media. With --carousel, players hear the
releases over UDP, in real time, from random moments on. Writes results.json and demo.png.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from audience import play_carousel
from audience_results import draw_audience, line_of, summarise_audience
from midstream import MidstreamError, find_backend
from midstream.abr import BufferBased, RateBased, RobustMpc
from midstream.origin import Impairments
from plot import draw
from publishing import MODELS, Repositories, publish_releases
from results import gain_line, summarise, table_rows
from strategies import Played, play_float, play_live, play_rule
from traces import Trace, generate_traces, load_traces
from video import Video, generate_video, load_video
from view import View, print_table

_SEED = 2026


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=Path, help="folder or archive of real throughput traces")
    parser.add_argument("--video", type=Path, help="folder with video_size_0 to video_size_5")
    parser.add_argument("--limit", type=int, help="play so many traces only")
    parser.add_argument("--generated", type=int, default=40, help="traces to make up (default 40)")
    parser.add_argument(
        "--loss", type=float, default=0.05, help="share of bodies cut short, or datagrams lost"
    )
    parser.add_argument("--corrupt", type=float, default=0.02, help="share of stretches damaged")
    parser.add_argument("--max-layer", type=int, help="fetch no layer above it (default all)")
    parser.add_argument("--seed", type=int, default=_SEED, help="of traces, loss and damage")
    parser.add_argument("--carousel", action="store_true", help="over UDP, no origin, no video")
    parser.add_argument("--players", type=int, default=12, help="that hear it (default 12)")
    parser.add_argument("--rate", type=float, default=3e5, help="its bits per second (default 3e5)")
    parser.add_argument("--out", type=Path, default=Path("demo-results"), help="folder to write")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code is that of the command line's errors."""
    options = parse(arguments)
    try:
        return run_carousel(options) if options.carousel else run(options)
    except MidstreamError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code


def run(options: argparse.Namespace) -> int:
    """Publish, play all traces with all strategies, show and write what came of it."""
    began = time.perf_counter()
    traces, video = _inputs(options)
    with tempfile.TemporaryDirectory() as folder:
        repositories = publish_releases(Path(folder), progress=lambda _: None)
        for release in repositories.releases:
            print(release)
        runs = _play_all(options, traces, video, repositories)
    summary = summarise(runs)
    summary["loss"], summary["corrupt"] = options.loss, options.corrupt
    print_table(f"QoE over {len(traces)} traces", table_rows(summary))
    print(gain_line(summary))
    print(
        f"{summary['repairs']} packets repaired, {summary['swaps']} swaps, "
        f"{summary['unverified_decisions']} of {summary['decisions']} decisions by unverified "
        f"weights, {summary['stalls_by_model_bytes_below_low_water']} stalls by model bytes "
        "below the low-water mark"
    )
    written = _write(options.out, runs, summary)
    print(_where(written, began))
    return 0


def run_carousel(options: argparse.Namespace) -> int:
    """Publish, cast both releases to players that join at random, show and write what came."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        repositories = publish_releases(Path(folder), progress=lambda _: None)
        for release in repositories.releases:
            print(release)
        playing = play_carousel(
            repositories,
            players=options.players,
            loss=options.loss,
            rate=options.rate,
            seed=options.seed,
            show=lambda player: print(line_of(player)),
        )
        players = asyncio.run(playing)
    summary = summarise_audience(players)
    summary["loss"], summary["rate"] = options.loss, options.rate
    for what, over in summary["bytes_over_bound"].items():
        seconds = summary["seconds"][what]
        print(
            f"{what}: {seconds['median']:.2f} s in the middle, {seconds['max']:.2f} s at most, "
            f"{over['mean']:.2f} of the bytes that had to be sent"
        )
    print(
        f"{summary['swaps']} swaps, {summary['unverified_decisions']} of "
        f"{summary['decisions']} decisions by unverified weights"
    )
    options.out.mkdir(parents=True, exist_ok=True)
    written = _save(options.out, summary, lambda path: draw_audience(path, players, options.loss))
    print(_where(written, began))
    return 0


def _inputs(options: argparse.Namespace) -> tuple[list[Trace], Video]:
    """Real traces and sizes where they are named, generated ones elsewhere."""
    if options.traces:
        traces = load_traces(options.traces)
    else:
        traces = generate_traces(options.generated, seed=options.seed)
    video = load_video(options.video) if options.video else generate_video(seed=options.seed)
    return traces[: options.limit], video


def _play_all(
    options: argparse.Namespace, traces: list[Trace], video: Video, repositories: Repositories
) -> dict[str, list[Played]]:
    """Every strategy on every trace."""
    model = (MODELS / "abr-1.tflite").read_bytes()
    network = find_backend().load(model)
    runs: dict[str, list[Played]] = {
        "no_model": [play_rule(trace, video, RobustMpc()) for trace in traces],
        "base_only": [],
        "mid_stream": [],
        "full_float": [play_float(trace, video, network, len(model)) for trace in traces],
        "buffer_based": [play_rule(trace, video, BufferBased()) for trace in traces],
        "rate_based": [play_rule(trace, video, RateBased()) for trace in traces],
    }
    runs["robust_mpc"] = runs["no_model"]
    with View(len(traces)) as view:
        for number, trace in enumerate(traces):
            link = Impairments(
                loss=options.loss, corrupt=options.corrupt, seed=options.seed + number
            )
            runs["base_only"].append(play_live(trace, video, repositories, link, upgrades=False))
            view.begin(trace.name)
            played = play_live(
                trace,
                video,
                repositories,
                link,
                upgrades=True,
                max_layer=options.max_layer,
                show=view.show,
            )
            runs["mid_stream"].append(played)
            assert played.live is not None, "a live session tells what happened"
            view.end(played.qoe, played.live.moments[-1])
    return runs


def _write(folder: Path, runs: dict[str, list[Played]], summary: dict[str, object]) -> list[Path]:
    """The results and the picture of the session with the most repairs."""
    folder.mkdir(parents=True, exist_ok=True)
    live = [played for played in runs["mid_stream"] if played.live is not None]
    shown = max(live, key=lambda played: played.live.repaired if played.live else 0)
    assert shown.live is not None, "chosen among live sessions"
    moments = shown.live.moments
    return _save(folder, summary, lambda path: draw(path, shown.trace, moments, summary))


def _save(folder: Path, summary: dict[str, object], draw_to: Callable[[Path], None]) -> list[Path]:
    """The results and, where there is matplotlib, a picture; the files that were written."""
    results, picture = folder / "results.json", folder / "demo.png"
    results.write_text(json.dumps(summary, indent=2) + os.linesep)
    try:
        draw_to(picture)
    except ImportError:
        print("no picture: matplotlib is not installed (pip install midstream[plot])")
        return [results]
    return [results, picture]


def _where(written: Sequence[Path], began: float) -> str:
    return f"{', '.join(map(str, written))}; {time.perf_counter() - began:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
