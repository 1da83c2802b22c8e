"""The passphrase of a publisher's keys: where it comes from. It is never printed.

A file named on the command line comes before the environment, that before a question at a
terminal. Knows nothing of what is sealed with it.
"""

import argparse
import getpass
import os
import sys
from pathlib import Path

from midstream.errors import ErrorCode, UsageError
from midstream.store.files import read_given

__all__ = ["VARIABLE", "add_passphrase", "new_passphrase", "passphrase_for"]

VARIABLE = "MIDSTREAM_PASSPHRASE"
"""The environment variable that it is taken from."""
_MAX_SIZE = 4096


def add_passphrase(parser: argparse.ArgumentParser, *, makes_keys: bool) -> None:
    """Declare --passphrase-file and, for a verb that makes keys, --plain."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help=f"file whose first line is the keys' passphrase (default: {VARIABLE} of the "
        "environment, then a question at a terminal)",
    )
    if makes_keys:
        group.add_argument(
            "--plain",
            action="store_true",
            help="store new keys without encryption, readable by you alone",
        )


def new_passphrase(options: argparse.Namespace) -> str | None:
    """What new keys are sealed with; None where --plain asks for none.

    Raises:
        UsageError: There is none to be had, it is empty, or it was typed in two ways.
    """
    if options.plain:
        return None
    given = _given(options)
    if given is None:
        given = _typed("Passphrase for the new keys: ")
        if given and _typed("Again: ") != given:
            raise UsageError(ErrorCode.BAD_ARGUMENT, "the two passphrases differ; no key was made")
    if not given:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"no passphrase for the new keys: set {VARIABLE}, name a --passphrase-file, or ask "
            "for keys without encryption by --plain",
        )
    return given


def passphrase_for(options: argparse.Namespace, *, is_sealed: bool) -> str | None:
    """What keys that are there were sealed with; asked for only if one of them is sealed."""
    given = _given(options)
    if given is None and is_sealed:
        given = _typed("Passphrase of the keys: ")
    return given or None


def _given(options: argparse.Namespace) -> str | None:
    """From the file or the environment; an empty variable is as none."""
    if options.passphrase_file is None:
        return os.environ.get(VARIABLE) or None
    data = read_given(options.passphrase_file, limit=_MAX_SIZE)
    first = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not first:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"{options.passphrase_file}: its first line is empty"
        )
    return os.fsdecode(first)  # any bytes, as from the environment


def _typed(prompt: str) -> str | None:
    """Typed at a terminal, unseen; None where there is none."""
    if not sys.stdin.isatty():
        return None
    return getpass.getpass(prompt)
