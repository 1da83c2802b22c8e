"""Speak the client protocol of TUF's public conformance suite, with what midstream fetches by.

    tuf-conformance "python examples/tuf_client.py"

`init` takes a repository's first root, `refresh` follows its metadata, `download` takes a target.
The exit code is 0, or 1 with a line that says why. See spec/security.md.
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tuf.ngclient import Updater

from midstream.client.reading import read_all
from midstream.errors import ErrorCode, MidstreamError, UsageError
from midstream.transport import open_transport
from midstream.transport.fetching import Fetch, Fetcher, translated


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, as the suite has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata-dir", type=Path, required=True)
    for name in ("--metadata-url", "--target-name", "--target-base-url", "--target-dir"):
        parser.add_argument(name, default="")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("init").add_argument("root", type=Path)
    verbs.add_parser("refresh")
    verbs.add_parser("download")
    return parser.parse_args(arguments)


def follow(options: argparse.Namespace, fetch: Fetch) -> None:
    """TUF's client workflow, and a target where one is named; in a thread, for it waits."""
    folder, target_folder = str(options.metadata_dir), options.target_dir
    metadata = urlsplit(options.metadata_url).path.strip("/")
    targets = urlsplit(options.target_base_url).path.strip("/")
    with translated(options.target_name or "metadata"):
        updater = Updater(
            folder, metadata, target_folder, targets, fetcher=Fetcher(fetch), bootstrap=None
        )
        updater.refresh()
        if options.verb == "download":
            found = updater.get_targetinfo(options.target_name)
            if found is None:
                raise UsageError(ErrorCode.NOT_FOUND, f"{options.target_name}: nobody signs for it")
            if updater.find_cached_target(found) is None:
                updater.download_target(found)


async def run(options: argparse.Namespace) -> None:
    """Everything over one connection."""
    address = urlsplit(options.metadata_url)
    loop = asyncio.get_running_loop()
    async with open_transport(f"{address.scheme}://{address.netloc}") as transport:

        def fetch(path: str, limit: int) -> bytes:
            reading = read_all(transport, path, limit=limit)
            return asyncio.run_coroutine_threadsafe(reading, loop).result()

        await asyncio.to_thread(follow, options, fetch)


def main(arguments: list[str] | None = None) -> str | None:
    """Do what the suite asks; gives what went wrong."""
    if (options := parse(arguments)).verb == "init":
        shutil.copyfile(options.root, options.metadata_dir / "root.json")
        return None
    try:
        return asyncio.run(run(options))
    except MidstreamError as error:
        return f"tuf_client: {error}"


if __name__ == "__main__":
    sys.exit(main())
