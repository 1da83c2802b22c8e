"""Repositories with one hostile file: refused by an error of ours, or opened as what was signed."""

from contextlib import suppress

from choices import Choices
from documents import signed_anew
from midstream.errors import MidstreamError
from midstream.trust import layout
from midstream.trust.opening import open_files
from mutations import damage
from scratch import folder
from trusting import World

WORLD = World(folder())
WORLD.publish()
WORLD.publish(number=2)
FILES = dict(WORLD.files)
PATHS = {
    "root": layout.metadata_path("root", 1),
    **{role: WORLD.latest_path(role) for role in ("timestamp", "snapshot", "targets", "abr")},
}
SIGNERS = {"abr": "release"}


def hostile(role: str, choices: Choices) -> bytes:
    """A role's metadata with damage, or signed by whoever has its key."""
    good = FILES[PATHS[role]]
    match choices.integer(0, 7):
        case 0:
            return choices.raw(1 << 10)
        case 1:
            return damage(good, choices)
    return signed_anew(good, WORLD.keys.of(SIGNERS.get(role, role))[0], choices)


def test_one(choices: Choices) -> None:
    """Most often what no other file has the hash of: the root and the timestamp."""
    chosen = choices.integer(0, 15)
    role = list(PATHS)[chosen % 2 if chosen < 12 else chosen % len(PATHS)]
    with suppress(MidstreamError):
        found = open_files({**FILES, PATHS[role]: hostile(role, choices)})
        assert found.snapshot.version == 2, "older ones are not what the timestamp lists"
        assert set(found.networks) == {"abr"}
