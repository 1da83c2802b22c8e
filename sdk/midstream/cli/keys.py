"""keygen: new keys for a publisher."""

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Any

from midstream.cli.output import Output
from midstream.errors import ErrorCode, UsageError
from midstream.store.keys import generate_keys

__all__ = ["add_verbs", "passphrase"]

PASSPHRASE = "MIDSTREAM_PASSPHRASE"  # noqa: S105 - the variable's name


def add_verbs(verbs: Any) -> None:
    """Declare keygen."""
    parser = verbs.add_parser(
        "keygen",
        help="make keys for a publisher",
        description=f"Make a key for each role: root, targets, snapshot, timestamp and release. "
        f"They are encrypted with the passphrase in {PASSPHRASE}, or with one typed at a "
        "terminal; without either they are stored plain, readable by you alone.",
    )
    parser.add_argument("keys", metavar="KEYS", type=Path, help="folder for the new keys")
    parser.set_defaults(run=_keygen)


def passphrase(output: Output, *, is_new: bool) -> str | None:
    """The passphrase for keys: from the environment, typed, or none."""
    if (given := os.environ.get(PASSPHRASE)) is not None:
        return given or None
    if not (sys.stdin.isatty() and is_new):
        if is_new:
            output.warn(f"{PASSPHRASE} is not set: keys are stored plain, mode 0600")
        return None
    typed = getpass.getpass("Passphrase for the new keys (empty: stored plain): ")
    if typed and getpass.getpass("Again: ") != typed:
        raise UsageError(ErrorCode.BAD_ARGUMENT, "the two passphrases differ; no key was made")
    return typed or None


def _keygen(options: argparse.Namespace, output: Output) -> None:
    secret = passphrase(output, is_new=True)
    for path in generate_keys(options.keys, passphrase=secret):
        output.say(str(path))
