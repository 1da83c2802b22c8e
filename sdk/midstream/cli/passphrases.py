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

__all__ = [
    "NEW_VARIABLE",
    "VARIABLE",
    "add_new_passphrase",
    "add_passphrase",
    "changed_passphrase",
    "new_passphrase",
    "passphrase_for",
]

VARIABLE = "MIDSTREAM_PASSPHRASE"
"""The environment variable that it is taken from."""
NEW_VARIABLE = "MIDSTREAM_NEW_PASSPHRASE"
"""The one that another passphrase is taken from."""
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


def add_new_passphrase(parser: argparse.ArgumentParser) -> None:
    """Declare --new-passphrase-file and --plain, for a verb that changes keys."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--new-passphrase-file",
        metavar="FILE",
        type=Path,
        help=f"file whose first line is the passphrase from now on (default: {NEW_VARIABLE} of "
        "the environment, then a question at a terminal)",
    )
    group.add_argument(
        "--plain", action="store_true", help="no encryption from now on, readable by you alone"
    )


def new_passphrase(options: argparse.Namespace) -> str | None:
    """What new keys are sealed with; None where --plain asks for none.

    Raises:
        UsageError: There is none to be had, it is empty, or it was typed in two ways.
    """
    if options.plain:
        return None
    given = _given(options) or _typed_twice("Passphrase for the new keys: ")
    if not given:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"no passphrase for the new keys: set {VARIABLE}, name a --passphrase-file, or ask "
            "for keys without encryption by --plain",
        )
    return given


def changed_passphrase(options: argparse.Namespace, *, has_plain: bool) -> str | None:
    """What keys that are there are sealed with from now on; None where --plain asks for none.

    Where one of them is plain, the passphrase of the others is good enough.

    Raises:
        UsageError: There is none to be had, it is empty, or it was typed in two ways.
    """
    if options.plain:
        return None
    given = _read_first_line(options.new_passphrase_file) or os.environ.get(NEW_VARIABLE)
    if not given and has_plain:
        given = _given(options)
    given = given or _typed_twice("New passphrase of the keys: ")
    if not given:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"no new passphrase: set {NEW_VARIABLE}, name a --new-passphrase-file, or ask for "
            "keys without encryption by --plain",
        )
    return given


def passphrase_for(options: argparse.Namespace, *, is_sealed: bool) -> str | None:
    """What keys that are there were sealed with; asked for only if one of them is sealed."""
    given = _given(options)
    if given is None and is_sealed:
        given = _typed("Passphrase of the keys: ")
        if not given:
            raise UsageError(
                ErrorCode.BAD_KEY,
                f"the keys are sealed with a passphrase: set {VARIABLE}, or name a "
                "--passphrase-file",
            )
    return given or None


def _given(options: argparse.Namespace) -> str | None:
    """From the file or the environment; an empty variable is as none."""
    return _read_first_line(options.passphrase_file) or os.environ.get(VARIABLE) or None


def _read_first_line(path: Path | None) -> str | None:
    """What a file that was named says; None where none was."""
    if path is None:
        return None
    first = read_given(path, limit=_MAX_SIZE).split(b"\n", 1)[0].removesuffix(b"\r")
    if not first:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"{path}: its first line is empty")
    return os.fsdecode(first)  # any bytes, as from the environment


def _typed_twice(prompt: str) -> str | None:
    typed = _typed(prompt)
    if typed and _typed("Again: ") != typed:
        raise UsageError(ErrorCode.BAD_ARGUMENT, "the two passphrases differ; nothing was done")
    return typed


def _typed(prompt: str) -> str | None:
    """Typed at a terminal, unseen; None where there is none."""
    if not sys.stdin.isatty():
        return None
    return getpass.getpass(prompt)
