"""From arguments to a verb and an exit code. Knows nothing of what verbs do."""

import argparse
import os
import sys
from collections.abc import Sequence

from midstream.cli import (
    adapting,
    casting,
    doctor,
    files,
    inspecting,
    keys,
    network,
    providing,
    releasing,
    repository,
    upkeep,
)
from midstream.cli.output import Output
from midstream.errors import MidstreamError, StoreError
from midstream.version import __version__

__all__ = ["main"]

_EPILOG = """\
A first round trip:
  midstream keygen keys
  midstream publish model.tflite --repo repo --keys keys --name net
  midstream serve repo --port 8000
  midstream fetch http://127.0.0.1:8000 net --root repo/1.root.json -o copy.tflite

Exit codes: 0 good; 1 the data or the peer is at fault; 2 wrong use; 3 this machine cannot
(no runtime, disk full); 130 interrupted (Ctrl-C). Keys are sealed with a passphrase: typed, in
MIDSTREAM_PASSPHRASE, or in a --passphrase-file.
"""
_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their arguments."""
    parser = argparse.ArgumentParser(
        prog="midstream",
        description="Neural networks, compressed and signed, delivered and updated while they run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"midstream {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for module in (keys, repository, upkeep, providing, adapting, releasing):
        module.add_verbs(verbs)
    for module in (network, casting, files, inspecting, doctor):
        module.add_verbs(verbs)
    for verb in verbs.choices.values():
        verb.set_defaults(parser=verb)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: Words of the command line; those of the process where None.

    Returns:
        The exit code.
    """
    try:
        options, unknown = build_parser().parse_known_args(arguments)
        if unknown:  # the parser of all verbs would show their names alone
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return _run(options, Output(as_json=getattr(options, "json", False)))
    except KeyboardInterrupt:
        sys.stderr.write("midstream: interrupted\n")
        return _INTERRUPTED


def _run(options: argparse.Namespace, output: Output) -> int:
    try:
        options.run(options, output)
    except MidstreamError as error:
        output.fail(error)
        return error.exit_code
    except BrokenPipeError:
        # whoever read our output has seen enough; nothing more can be said to them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a path that nothing can be made of, a disk that is gone
        failed = StoreError.of(error, f"{error.filename or options.verb}"[:200])
        output.fail(failed)
        return failed.exit_code
    return 0
