"""serve and fetch: the two ends of a link."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from midstream.cli.output import Output, human_size
from midstream.client import Delivery, Marks, SharedLink, StoreFailed
from midstream.client.adapting import Adapting
from midstream.client.metering import Meter
from midstream.client.pinning import read_root
from midstream.errors import ErrorCode, StoreError, UsageError
from midstream.limits import LIMITS
from midstream.origin import Impairments, ServerLimits, serve
from midstream.session import Event, Policy, Purpose, UnitVerified
from midstream.store.files import write_file
from midstream.trust.manifest import Manifest
from midstream.types import UnitKind

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare serve and fetch."""
    _add_serve(verbs)
    _add_fetch(verbs)


def _add_serve(verbs: Any) -> None:
    parser = verbs.add_parser(
        "serve",
        help="serve a repository over HTTP, well or badly",
        description="Serve a repository's folder. Any web server does; this one can also be a "
        "bad link: cut bodies short, damage bytes, be slow. Prints one line with its URL. Says "
        "at /health that it is up, at /metrics what it did (Prometheus). Closes clients that "
        "stall. Told to end (Ctrl-C, SIGTERM), it lets answers under way end; told twice, not.",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("--host", default="127.0.0.1", help="address (default %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0 for any (default 8000)")
    parser.add_argument(
        "--connections", type=int, default=1024, help="at most at once (default %(default)s)"
    )
    parser.add_argument(
        "--grace", type=float, default=5.0, help="seconds to end answers in (default %(default)s)"
    )
    parser.add_argument("--rate", type=float, help="bytes per second, of all answers together")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--loss", type=float, default=0.0, help="share of answers cut short")
    parser.add_argument(
        "--corrupt",
        type=float,
        default=0.0,
        help="share of 16 KiB stretches with damaged bytes, the same at every request",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the damage (default 0)")
    parser.set_defaults(run=_serve)


def _add_fetch(verbs: Any) -> None:
    parser = verbs.add_parser(
        "fetch",
        help="fetch a network's newest release and rebuild the model file",
        description="Fetch, repair and verify a release, and write the model file. With --store "
        "an interrupted fetch goes on where it stopped; where the store's disk is full, the model "
        "is written all the same, and the exit code is 3.",
    )
    parser.add_argument("url", metavar="URL", help="the repository's address, or its folder")
    parser.add_argument("name", metavar="NAME", help="the network's name")
    parser.add_argument("--root", required=True, type=Path, help="1.root.json, given by hand")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the model file to write")
    parser.add_argument("--layer", type=int, help="the highest layer to fetch (default: all)")
    parser.add_argument(
        "--store", metavar="DIR", type=Path, help="folder that keeps what was fetched"
    )
    parser.add_argument(
        "--adapters", metavar="POLICY", help="merge providers' adapters as this signed policy says"
    )
    parser.add_argument(
        "--carousel", metavar="UDP", help="udp://ADDRESS:PORT, where `midstream cast` is heard"
    )
    parser.add_argument(
        "--no-marks",
        action="store_true",
        help="tell servers neither HTTP priority nor CMCD (default: both, without any id)",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.set_defaults(run=_fetch)


def _serve(options: argparse.Namespace, output: Output) -> None:
    for name in ("loss", "corrupt"):
        if not 0 <= getattr(options, name) <= 1:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT, f"--{name} {getattr(options, name)}: expected 0 to 1"
            )
    impairments = Impairments(
        loss=options.loss,
        corrupt=options.corrupt,
        delay=options.delay,
        rate=options.rate,
        seed=options.seed,
    )
    limits = ServerLimits(connections=options.connections, grace=options.grace)
    asyncio.run(_serve_forever(options, impairments, limits, output))


async def _serve_forever(
    options: argparse.Namespace, impairments: Impairments, limits: ServerLimits, output: Output
) -> None:
    async with serve(
        options.repo,
        host=options.host,
        port=options.port,
        impairments=impairments,
        limits=limits,
    ) as url:
        end = _end_when_told()
        output.line(f"serving {options.repo} at {url}")
        await end.wait()


def _end_when_told() -> asyncio.Event:
    """Set by Ctrl-C or a polite kill: either ends the server, and is no error."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def begin_to_end() -> None:
        end.set()
        for number in signals:  # the next one is not for us: it ends the process
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, begin_to_end)
    return end


def _fetch(options: argparse.Namespace, output: Output) -> None:
    asyncio.run(_fetch_model(options, output))


async def _fetch_model(options: argparse.Namespace, output: Output) -> None:
    _check(options)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        disable=not sys.stderr.isatty() or output.as_json,
    )
    task = bar.add_task(f"fetching {options.name}", total=None)
    full: list[StoreError] = []

    def show(event: Event) -> None:
        if isinstance(event, StoreFailed) and _is_full_disk(event.error):
            full.append(event.error)
        if isinstance(event, UnitVerified):
            bar.update(task, advance=event.entry.size)
        _note(event, output)

    with bar:
        async with Delivery.open(
            options.url,
            options.name,
            root=read_root(options.root),
            store=options.store,
            carousel=options.carousel,
            policy=Policy(max_layer=options.layer),
            marks=None if options.no_marks else Marks(),
            on_event=show,
        ) as delivery:
            await _complete(options, output, delivery)
    _tell(options, output, delivery)
    if full:
        why = f"the model is written, but not all of it is kept for the next run: {full[0].message}"
        raise StoreError(full[0].code, why)
    _report(output, delivery, layer=options.layer)


def _is_full_disk(error: StoreError) -> bool:
    """Whether the system said so; a store that is as large as it may be does as it is meant to."""
    return error.code is ErrorCode.STORE_FULL and isinstance(error.__cause__, OSError)


def _check(options: argparse.Namespace) -> None:
    """What is better said before anything is fetched."""
    if options.output.is_dir():
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{options.output}: it is a folder; name the file to write"
        )
    if options.adapters is not None and options.layer is not None:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, "--adapters are of the exact model: leave out --layer"
        )


def _note(event: Event, output: Output) -> None:
    """Progress, for people."""
    if isinstance(event, StoreFailed):
        output.warn(f"nothing is kept for the next run: {event.error}")
    if isinstance(event, UnitVerified):
        repaired = f", {event.repaired} packets repaired" if event.repaired else ""
        is_update = event.entry.kind in (UnitKind.UPDATE, UnitKind.LOSSY_UPDATE)
        what = "update" if is_update else f"layer {event.entry.layer}"
        output.note(f"{what}: {event.entry.size} B verified{repaired}")


async def _complete(options: argparse.Namespace, output: Output, delivery: Delivery) -> None:
    """Fetch all that is wanted, and write the model."""
    await delivery.check()  # [TRU-3] for newer roots, and a bundle that is stale
    _check_layer(options, delivery.manifest)
    if options.adapters is None:
        await delivery.complete()
        await delivery.write_model(options.output, layer=options.layer)
        return
    adapting = _adapting(options, delivery)
    await adapting.check()
    await delivery.complete()
    await _write_adapted(options, output, adapting)


def _adapting(options: argparse.Namespace, delivery: Delivery) -> Adapting:
    marks = None if options.no_marks else Marks()
    meter = Meter(SharedLink(), Policy(), weight=1.0, marks=marks, tell=lambda _: None)
    return Adapting(delivery, options.adapters, tell=lambda _: None, meter=meter, limits=LIMITS)


async def _write_adapted(options: argparse.Namespace, output: Output, adapting: Adapting) -> None:
    adapted = await adapting.adapted()
    await asyncio.to_thread(write_file, options.output, adapted.model)
    for provider, share in adapted.shares.items():
        output.note(f"adapter of {provider}: counts {share:g}")
    for error in adapted.left_out.values():
        output.note(f"left out: {error}")


def _check_layer(options: argparse.Namespace, manifest: Manifest) -> None:
    layers = [entry.layer for entry in manifest.units]
    if options.layer is not None and options.layer not in layers:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"--layer {options.layer}: {manifest.name} release {manifest.release} "
            f"has 0 to {layers[-1]}",
        )


def _tell(options: argparse.Namespace, output: Output, delivery: Delivery) -> None:
    manifest, layer = delivery.manifest, delivery.best_layer(options.layer)
    received = delivery.bytes_received
    output.say(
        f"{options.output}: {manifest.name} release {manifest.release}, layer {layer}, "
        f"{human_size(received)} received, "
        f"{delivery.counters.repaired_packets} packets repaired"
    )
    if options.layer is not None and layer > options.layer:
        output.warn(
            f"--layer {options.layer}: the exact model is here by an update, without the units of "
            f"lower layers, and was written whole: it is layer {layer}"
        )


def _report(output: Output, delivery: Delivery, *, layer: int | None) -> None:
    """The same for scripts, and more."""
    manifest = delivery.manifest
    output.result(
        {
            "name": manifest.name,
            "release": manifest.release,
            "layer": delivery.best_layer(layer),
            "model_size": manifest.model_size,
            "bytes_received": delivery.bytes_received,
            "requests": len(delivery.trace),
            "repaired_packets": delivery.counters.repaired_packets,
            "damaged_packets": delivery.counters.damaged_packets,
            "repair_bytes": delivery.counters.received[Purpose.REPAIR],
            "from_store": delivery.from_store,
        }
    )
