"""keygen and seal: keys for a publisher, and what encrypts them."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.output import Output
from midstream.cli.passphrases import (
    VARIABLE,
    add_new_passphrase,
    add_passphrase,
    changed_passphrase,
    new_passphrase,
    passphrase_for,
)
from midstream.publisher import RepositoryFolder
from midstream.publisher.publish import check_name
from midstream.store.keyring import (
    generate_keys,
    has_plain_key,
    has_sealed_key,
    load_keys,
    seal_keys,
)
from midstream.store.keys import Signer
from midstream.trust.keys import KeyRing

__all__ = ["add_keys", "add_verbs", "keys_of", "publisher_keys"]


_PLAIN = "the keys are stored plain, mode 0600: who reads a file has the key"


def add_verbs(verbs: Any) -> None:
    """Declare keygen and seal."""
    _add_keygen(verbs)
    _add_seal(verbs)


def _add_keygen(verbs: Any) -> None:
    parser = verbs.add_parser(
        "keygen",
        help="make keys for a publisher",
        description="Make a key for each role: root, targets, snapshot, timestamp and release. "
        f"They are encrypted with a passphrase: of --passphrase-file, of {VARIABLE} in the "
        "environment, or typed at a terminal. With --plain they are not encrypted.",
    )
    parser.add_argument("keys", metavar="KEYS", type=Path, help="folder for the new keys")
    parser.add_argument(
        "--provider",
        metavar="NAME",
        help="one key for a provider of that name instead, and what to tell the publisher",
    )
    add_passphrase(parser, makes_keys=True)
    parser.set_defaults(run=_keygen)


def _add_seal(verbs: Any) -> None:
    parser = verbs.add_parser(
        "seal",
        help="encrypt keys that are there with a passphrase, or with another one",
        description="Encrypt the keys in a folder: plain ones, and those that have a passphrase "
        "with a new one. Each file is replaced as a whole; cut short, the same command does the "
        "rest. Keys that were put aside (KEYS/retired) stay as they are. Whoever has read a "
        "plain key has it still: `midstream rotate` is the answer to that.",
    )
    parser.add_argument("keys", metavar="KEYS", type=Path, help="folder with keys")
    add_passphrase(parser, makes_keys=False)
    add_new_passphrase(parser)
    parser.set_defaults(run=_seal)


def add_keys(parser: argparse.ArgumentParser, *, makes_keys: bool = False) -> None:
    """Declare --keys and where their passphrase comes from."""
    parser.add_argument("--keys", required=True, type=Path, help="folder made by keygen")
    add_passphrase(parser, makes_keys=makes_keys)


def keys_of(options: argparse.Namespace) -> KeyRing:
    """The keys that --keys names."""
    is_sealed = has_sealed_key(options.keys)
    return load_keys(options.keys, passphrase=passphrase_for(options, is_sealed=is_sealed))


def publisher_keys(options: argparse.Namespace) -> KeyRing:
    """The same for a repository that has to be there; nothing is asked for one that is not."""
    RepositoryFolder(options.repo).expect()
    return keys_of(options)


def _keygen(options: argparse.Namespace, output: Output) -> None:
    secret = new_passphrase(options)
    if secret is None:
        output.warn(_PLAIN)
    if options.provider is not None:
        _make_provider_key(options, output, secret)
        return
    for path in generate_keys(options.keys, passphrase=secret):
        output.say(str(path))


def _seal(options: argparse.Namespace, output: Output) -> None:
    is_sealed, has_plain = has_sealed_key(options.keys), has_plain_key(options.keys)
    old = passphrase_for(options, is_sealed=is_sealed)
    new = changed_passphrase(options, has_plain=has_plain)
    paths = seal_keys(options.keys, old=old, new=new)
    if new is None:
        output.warn(_PLAIN)
    for path in paths:
        output.say(f"{path}: {'plain' if new is None else 'sealed'}")


def _make_provider_key(options: argparse.Namespace, output: Output, secret: str | None) -> None:
    check_name(options.provider)
    options.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    made, path = Signer.generate(), options.keys / f"{options.provider}.key"
    made.save(path, passphrase=secret)
    output.say(str(path))
    output.say(
        f"for the publisher: midstream delegate {options.provider} REPO NETWORK "
        f"--key {made.public.raw.hex()} --keys KEYS"
    )
