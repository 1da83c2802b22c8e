"""cast: a release round and round by datagrams."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

from midstream.cli.output import Output, human_size
from midstream.errors import ErrorCode, UsageError
from midstream.origin.casting import DATAGRAM_SIZE, Carousel, cast
from midstream.session.rotation import BUNDLE_SHARE
from midstream.transport.datagrams import Address

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare cast."""
    parser = verbs.add_parser(
        "cast",
        help="send a network round and round over UDP, to a group or to one receiver",
        description="Send the newest release of a network as datagrams with repair symbols, until "
        "told to end. Receivers may join at any time: midstream fetch --carousel. It answers "
        "nobody, and sends no faster than told.",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("name", metavar="NAME", help="the network's name")
    parser.add_argument("address", metavar="UDP", help="udp://ADDRESS:PORT, an IP address")
    parser.add_argument("--rate", type=float, default=1e6, help="bits per second (default 1000000)")
    parser.add_argument("--layer", type=int, help="the highest layer to send (default: all)")
    parser.add_argument(
        "--hops", type=int, default=1, help="routers a group is reached over, plus 1 (default 1)"
    )
    parser.add_argument(
        "--datagram",
        type=int,
        default=DATAGRAM_SIZE,
        help="bytes of a datagram at most (default %(default)s)",
    )
    parser.add_argument(
        "--bundle-share",
        type=float,
        default=BUNDLE_SHARE,
        help="part of the datagrams that are of the metadata (default %(default)s)",
    )
    parser.set_defaults(run=_cast)


def _cast(options: argparse.Namespace, output: Output) -> None:
    if not 1 <= options.hops <= 255:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"--hops {options.hops}: expected 1 to 255")
    asyncio.run(_cast_until_told(options, output))


async def _cast_until_told(options: argparse.Namespace, output: Output) -> None:
    address = Address.parse(options.address)

    def tell(carousel: Carousel) -> None:
        output.line(
            f"casting {options.name} to {address}: {carousel.objects} objects, "
            f"{human_size(carousel.size)}, {options.rate / 1e6:g} Mbit/s"
        )

    sending = asyncio.ensure_future(
        cast(
            options.repo,
            options.name,
            address,
            rate=options.rate,
            hops=options.hops,
            layer=options.layer,
            bundle_share=options.bundle_share,
            datagram_size=options.datagram,
            on_carousel=tell,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # either ends it, and is no error
        loop.add_signal_handler(number, sending.cancel)
    try:
        await sending
    except asyncio.CancelledError:
        return
