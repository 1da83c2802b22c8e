"""Where things are in a repository. Knows nothing of what is in them (spec/trust.md, "Layout")."""

import re

__all__ = [
    "METADATA",
    "PINNED_ROOT",
    "TARGETS",
    "TIMESTAMP_PATH",
    "bundle_path",
    "is_name",
    "is_path",
    "manifest_path",
    "metadata_path",
    "release_of",
    "target_path",
]

PINNED_ROOT = "1.root.json"
"""The copy of the first root that is handed out to clients."""
METADATA = "metadata/"
"""Folder of TUF's metadata."""
TARGETS = "targets/"
"""Folder of TUF's targets: the manifests."""
TIMESTAMP_PATH = METADATA + "timestamp.json"
"""The one file of the metadata that is replaced."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED = frozenset({"root", "targets", "snapshot", "timestamp"})
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_MAX_PATH = 255
_TARGET = re.compile(r"(?P<name>[^/]+)/(?P<release>[1-9][0-9]{0,9})\.manifest")


def is_name(name: str) -> bool:
    """Whether a network may be called so.

    1 to 64 of a-z, 0-9, dot, underscore, hyphen, the first a letter or digit; not the
    name of one of TUF's own roles, since a network is a role.
    """
    return _NAME.fullmatch(name) is not None and name not in _RESERVED


def is_path(path: str) -> bool:
    """Whether it stays below the repository: no empty, hidden or `..` segment, no root."""
    return len(path) <= _MAX_PATH and _PATH.fullmatch(path) is not None


def target_path(name: str, release: int) -> str:
    """What TUF calls the manifest of a release."""
    return f"{name}/{release}.manifest"


def release_of(target: str, name: str) -> int | None:
    """The number in a target's path, or None where it is not a manifest of this network."""
    match = _TARGET.fullmatch(target)
    return int(match["release"]) if match and match["name"] == name else None


def manifest_path(name: str, release: int, sha256: str) -> str:
    """Where the manifest of a release is (TUF 6.2, consistent snapshots).

    Args:
        name: The network.
        release: Number of the release.
        sha256: Hash of the manifest's bytes, hex.
    """
    return f"{TARGETS}{name}/{sha256}.{release}.manifest"


def metadata_path(role: str, version: int) -> str:
    """Where one version of a role's metadata is; of all roles but timestamp."""
    return f"{METADATA}{version}.{role}.json"


def bundle_path(name: str) -> str:
    """Where the bundle of a network is."""
    return f"bundles/{name}.bundle"
