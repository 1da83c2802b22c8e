"""Metadata by whoever has a role's key: refused by one error of ours, and nothing trusted falls.

What is damaged is signed anew now and then, so that it is read; the library of TUF parses it.
"""

import json
import shutil

from tuf.api.exceptions import RepositoryError
from tuf.ngclient import UpdaterConfig
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet

from choices import Choices
from documents import change, signed_anew
from midstream.errors import MidstreamError
from midstream.trust import layout
from mutations import damage
from scratch import folder
from trusting import World

ROLES = ("timestamp", "snapshot", "targets", "abr")
SIGNERS = {"abr": "release"}


def world() -> World:
    """Two releases, and a client that trusts the first."""
    made = World(folder())
    made.publish()
    made.client().refresh("abr")
    made.publish(number=2)
    return made


WORLD = world()
GOOD = {role: WORLD.files[WORLD.latest_path(role)] for role in ROLES}
TRUSTED = {path.name: path.read_bytes() for path in WORLD.folder.rglob("*") if path.is_file()}
HOME = next(path for path in WORLD.folder.iterdir() if path.is_dir())


def restore() -> None:
    """What the client trusted before."""
    shutil.rmtree(HOME)
    HOME.mkdir()
    for name, data in TRUSTED.items():
        (HOME / name).write_bytes(data)


def hostile(choices: Choices) -> tuple[str, bytes]:
    """A role, and what its metadata is now."""
    role = ROLES[choices.integer(0, len(ROLES) - 1)]
    data = GOOD[role]
    match choices.integer(0, 7):
        case 0:
            return role, choices.raw(1 << 10)
        case 1:
            return role, damage(data, choices)
        case 2:
            document = change(json.loads(data), choices)
            return role, json.dumps(document).encode()
        case 3:
            return role, b"[" * choices.integer(0, 1 << 16) + data
    signer = WORLD.keys.of(SIGNERS.get(role, role))[0]
    return role, signed_anew(data, signer, choices)


def offer(role: str, data: bytes) -> None:
    """The library alone, which all metadata goes through: it raises no more than it says."""
    known = TrustedMetadataSet(WORLD.root, UpdaterConfig().envelope_type)
    try:
        known.update_timestamp(data if role == "timestamp" else GOOD["timestamp"])
        known.update_snapshot(data if role == "snapshot" else GOOD["snapshot"])
        known.update_targets(data if role == "targets" else GOOD["targets"])
        known.update_delegated_targets(data if role == "abr" else GOOD["abr"], "abr", "targets")
    except RepositoryError:
        return


def look(role: str, data: bytes) -> None:
    """A look for news by the client, on disk."""
    WORLD.served = {WORLD.latest_path(role): data}
    restore()
    client = WORLD.client()
    try:
        release = client.refresh("abr").release
    except MidstreamError:
        release = 1
    trusted = client.trusted("abr")
    assert trusted is not None, "what was trusted is trusted still"
    assert trusted.release >= release >= 1, "nothing goes back"
    assert layout.TIMESTAMP_PATH in client.requests


def test_one(choices: Choices) -> None:
    """One file is hostile; one in 16 is read by the whole client, which takes ten times longer."""
    is_looked_for = choices.integer(0, 15) == 0
    role, data = hostile(choices)
    (look if is_looked_for else offer)(role, data)
