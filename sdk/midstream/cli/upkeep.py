"""refresh and rotate: what keeps a repository's metadata good, and its keys."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from midstream.cli.keys import add_keys, publisher_keys
from midstream.cli.output import Output
from midstream.cli.passphrases import new_passphrase, passphrase_for
from midstream.errors import ErrorCode, UsageError
from midstream.publisher import Publisher, RepositoryFolder
from midstream.store import keyring
from midstream.store.keys import Signer

__all__ = ["add_verbs"]

_MAX_COUNT = 16
_DAY = 86_400


def add_verbs(verbs: Any) -> None:
    """Declare refresh and rotate."""
    _add_refresh(verbs)
    _add_rotate(verbs)


def _add_refresh(verbs: Any) -> None:
    parser = verbs.add_parser(
        "refresh",
        aliases=["renew"],
        help="sign a repository's metadata again before it runs out",
        description="Sign the timestamp again, and what else has less than half its life left. "
        "Run it daily: clients refuse news that is older than two weeks.",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print when roles run out as JSON")
    parser.set_defaults(run=_refresh)


def _add_rotate(verbs: Any) -> None:
    parser = verbs.add_parser(
        "rotate",
        help="give a role new keys",
        description="Make new keys for a role and sign with old keys and new ones what clients "
        "need to follow; the old ones count no more. A stolen or lost key is answered so. "
        "Needs the key of who names the role's keys: targets' for a network, root's for all "
        "others. New keys are sealed with the passphrase of those that are there, or of the "
        "environment; plain ones only by --plain. Old ones go into KEYS/retired.",
    )
    parser.add_argument(
        "role",
        metavar="ROLE",
        help="root, targets, snapshot, timestamp, a network, or release: all networks that its "
        "key signs for",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    add_keys(parser, makes_keys=True)
    parser.add_argument("--count", type=int, default=1, help="new keys (default %(default)s)")
    parser.add_argument(
        "--threshold", type=int, default=1, help="how many must sign (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the new keys as JSON")
    parser.set_defaults(run=_rotate)


def _refresh(options: argparse.Namespace, output: Output) -> None:
    publisher = Publisher(options.repo, signer=publisher_keys(options))
    for name in publisher.renew():
        output.say(f"{name}: signed again in {options.repo}")
    now, expiries = datetime.now(UTC), publisher.expiries()
    rows = [[role, f"{at:%Y-%m-%d}", f"{_days(at, now)}"] for role, at in expiries.items()]
    output.table("Good until", ["role", "date", "days"], rows)
    output.result({"expires": {role: at.isoformat() for role, at in expiries.items()}})


def _days(at: datetime, now: datetime) -> int:
    return int((at - now).total_seconds() // _DAY)


def _rotate(options: argparse.Namespace, output: Output) -> None:
    if not 1 <= options.threshold <= options.count <= _MAX_COUNT:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"--count {options.count}, --threshold {options.threshold}: expected a threshold of "
            f"at least 1, and at most the count, which is at most {_MAX_COUNT}",
        )
    folder, role = options.keys, options.role
    RepositoryFolder(options.repo).expect()  # before a passphrase is asked for
    secret = passphrase_for(options, is_sealed=keyring.has_sealed_key(folder))
    publisher = Publisher(options.repo, signer=keyring.load_keys(folder, passphrase=secret))
    if options.plain or secret is None:
        secret = new_passphrase(options)
    old = keyring.key_files(folder, role)
    new = [Signer.generate() for _ in range(options.count)]
    made: list[Path] = []
    publisher.rotate(
        role,
        new,
        threshold=options.threshold,
        save=lambda: made.extend(keyring.add_keys(folder, role, new, passphrase=secret)),
    )
    retired = keyring.retire_keys(old)
    for path in made:
        output.say(f"{role}: {path} signs from now on")
    if retired is not None:
        output.say(f"{role}: the old keys are in {retired}; no client takes them any more")
    output.result({"role": role, "keys": [str(path) for path in made]})
