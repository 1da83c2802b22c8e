"""A repository's metadata, read and checked from its first root on. Knows nothing of keys at hand.

What a publisher is about to build on is checked as a client would, but for expiry: metadata
that has run out is there to be renewed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import MetaFile, Root, Snapshot, Targets, Timestamp

from midstream.errors import ErrorCode, TrustError
from midstream.limits import LIMITS, Limits
from midstream.trust import layout, roles
from midstream.trust.refusal import refusal

__all__ = ["Opened", "open_files"]


@dataclass(slots=True, kw_only=True)
class Opened:
    """All roles of a repository as they stand."""

    root: Root
    """The newest root."""
    targets: Targets
    """Which networks there are, and whose keys sign for them."""
    snapshot: Snapshot
    """Which versions belong together."""
    timestamp: Timestamp
    """Which snapshot is the newest."""
    networks: dict[str, Targets] = field(default_factory=dict)
    """The role of each network."""
    data: dict[str, bytes] = field(default_factory=dict)
    """Each role's metadata as signed, where it has been."""
    roots: list[bytes] = field(default_factory=list)
    """All versions of the root as signed, the first one first."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of all roles."""
        return (*roles.TOP_LEVEL, *self.networks)

    def signed(self, role: str) -> Root | Targets | Snapshot | Timestamp:
        """What a role says."""
        top_level: dict[str, Root | Targets | Snapshot | Timestamp] = {
            "root": self.root,
            "targets": self.targets,
            "snapshot": self.snapshot,
            "timestamp": self.timestamp,
        }
        return top_level[role] if role in top_level else self.networks[role]

    def delegator(self, role: str) -> Root | Targets:
        """Who says whose keys sign for a role."""
        return self.root if role in roles.TOP_LEVEL else self.targets


def open_files(files: Mapping[str, bytes], *, limits: Limits = LIMITS) -> Opened:
    """Read a repository's metadata.

    Args:
        files: Its files by path.
        limits: Bounds; `metadata_size` is the one used here.

    Raises:
        TrustError: A file is missing, malformed or not signed as it should be.
        LimitError: A file is too large.
    """
    root, roots = _open_roots(files, limits)
    timestamp = roles.parse(Timestamp, files, layout.TIMESTAMP_PATH, limits=limits)
    data = {"root": roots[-1], "timestamp": files[layout.TIMESTAMP_PATH]}
    roles.check(root, "timestamp", data["timestamp"])
    path = _listed(files, data, "snapshot", timestamp.snapshot_meta)
    snapshot = roles.parse(Snapshot, files, path, limits=limits)
    roles.check(root, "snapshot", data["snapshot"])
    targets = _open_targets(files, data, "targets", snapshot, root, limits)
    delegated = targets.delegations.roles if targets.delegations else None
    networks = {
        name: _open_targets(files, data, name, snapshot, targets, limits)
        for name in delegated or ()
    }
    return Opened(
        root=root,
        targets=targets,
        snapshot=snapshot,
        timestamp=timestamp,
        networks=networks,
        data=data,
        roots=roots,
    )


def _open_roots(files: Mapping[str, bytes], limits: Limits) -> tuple[Root, list[bytes]]:
    """Each root is signed by itself and by the one before it (TUF 5.3.4)."""
    path = layout.metadata_path("root", 1)
    root = roles.parse(Root, files, path, limits=limits)
    roles.check(root, "root", files[path])
    roots = [files[path]]
    while (path := layout.metadata_path("root", len(roots) + 1)) in files:
        newer = roles.parse(Root, files, path, limits=limits)
        roles.check(root, "root", files[path])
        roles.check(newer, "root", files[path])
        if newer.version != len(roots) + 1:
            raise TrustError(ErrorCode.ROLLBACK, f"{path}: version {newer.version} is in it")
        root = newer
        roots.append(files[path])
    return root, roots


def _open_targets(
    files: Mapping[str, bytes],
    data: dict[str, bytes],
    role: str,
    snapshot: Snapshot,
    delegator: Root | Targets,
    limits: Limits,
) -> Targets:
    if (listed := snapshot.meta.get(f"{role}.json")) is None:
        raise TrustError(ErrorCode.BAD_METADATA, f"{role}: delegated to, but not in the snapshot")
    path = _listed(files, data, role, listed)
    targets = roles.parse(Targets, files, path, limits=limits)
    roles.check(delegator, role, data[role])
    return targets


def _listed(files: Mapping[str, bytes], data: dict[str, bytes], role: str, listed: MetaFile) -> str:
    """Where the version of a role is that another role lists, once it is known to be that."""
    path = layout.metadata_path(role, listed.version)
    if (found := files.get(path)) is None:
        raise TrustError(ErrorCode.NOT_FOUND, f"{path}: missing from the repository")
    try:
        listed.verify_length_and_hashes(found)
    except LengthOrHashMismatchError as error:
        raise refusal(error, path) from error
    data[role] = found
    return path
