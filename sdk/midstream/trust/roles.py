"""Signed metadata of single roles: made, signed, read, checked. Knows nothing of repositories.

This is the only place on the publisher's side that builds objects of the TUF library.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Targets,
)

from midstream.errors import ErrorCode, LimitError, TrustError
from midstream.limits import LIMITS, Limits
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.refusal import refusal

__all__ = [
    "TOP_LEVEL",
    "Lifetimes",
    "assign_keys",
    "check",
    "delegate",
    "describe",
    "keyids",
    "new_root",
    "parse",
    "sign",
]

TOP_LEVEL = ("root", "targets", "snapshot", "timestamp")
"""TUF's own roles."""

_S = TypeVar("_S", bound=Signed)
_SHA256 = ["sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long metadata is good for (spec/trust.md, "Lifetimes", says why so long)."""

    root: timedelta = timedelta(days=365)
    """Keys of all roles; its own key is kept offline."""
    targets: timedelta = timedelta(days=365)
    """Which networks there are and who signs for them; its key is kept offline too."""
    release: timedelta = timedelta(days=90)
    """Releases of one network."""
    snapshot: timedelta = timedelta(days=90)
    """Which versions belong together."""
    timestamp: timedelta = timedelta(days=14)
    """Which snapshot is the newest: how long a client can be kept from seeing news."""

    def of(self, role: str) -> timedelta:
        """For a role; a network is a `release`."""
        lifetimes: dict[str, timedelta] = {
            "root": self.root,
            "targets": self.targets,
            "snapshot": self.snapshot,
            "timestamp": self.timestamp,
        }
        return lifetimes.get(role, self.release)

    def expiry(self, role: str, now: datetime) -> datetime:
        """When metadata that is signed now runs out."""
        return now.astimezone(UTC).replace(microsecond=0) + self.of(role)


def new_root(keys: KeyRing, expires: datetime) -> Root:
    """The first root: who signs for the four roles."""
    root = Root(expires=expires, consistent_snapshot=True)
    for role in TOP_LEVEL:
        publics = [signer.public for signer in keys.of(role)]
        assign_keys(root, role, publics, keys.threshold(role))
    return root


def delegate(targets: Targets, name: str, publics: Iterable[Key], threshold: int) -> None:
    """Let a network's keys sign for what is below its name, and for nothing else.

    Raises:
        TrustError: BAD_KEY where there are fewer keys than have to sign.
    """
    if targets.delegations is None:
        targets.delegations = Delegations(keys={}, roles={})
    roles = targets.delegations.roles
    assert roles is not None, "this project makes no succinct roles, and reads none"
    roles[name] = DelegatedRole(name, [], 1, terminating=True, paths=[f"{name}/*"])
    assign_keys(targets, name, publics, threshold)


def assign_keys(
    delegator: Root | Targets, role: str, publics: Iterable[Key], threshold: int
) -> None:
    """Make these the only keys of a role.

    Raises:
        TrustError: BAD_KEY where there are fewer keys than have to sign.
    """
    entry = delegator.get_delegated_role(role)
    keys = {public.keyid: public for public in publics}
    if not 1 <= threshold <= len(keys):
        raise TrustError(
            ErrorCode.BAD_KEY, f"{role}: {len(keys)} keys at hand, {threshold} have to sign"
        )
    for keyid in list(entry.keyids):
        delegator.revoke_key(keyid, role)
    for public in keys.values():
        delegator.add_key(public, role)
    entry.threshold = threshold


def sign(signed: Signed, signers: Iterable[Signer]) -> bytes:
    """Metadata with the signatures of these, as it is published."""
    metadata: Metadata[Any] = Metadata(signed)  # Any: the library's type variable is closed
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def parse(kind: type[_S], files: Mapping[str, bytes], path: str, *, limits: Limits = LIMITS) -> _S:
    """Read one role's metadata; `check` its signatures before believing it.

    Raises:
        TrustError: NOT_FOUND where it is missing, BAD_METADATA where it is malformed.
        LimitError: It is too large.
    """
    signed = _metadata(files, path, limits).signed
    if not isinstance(signed, kind):
        raise TrustError(
            ErrorCode.BAD_METADATA, f"{path}: metadata of {signed.type}, not of {kind.type}"
        )
    return signed


def keyids(files: Mapping[str, bytes], path: str, *, limits: Limits = LIMITS) -> frozenset[str]:
    """Ids of the keys that one role's metadata says it is signed with; nothing is checked.

    Raises:
        TrustError: NOT_FOUND where it is missing, BAD_METADATA where it is malformed.
        LimitError: It is too large.
    """
    return frozenset(_metadata(files, path, limits).signatures)


def _metadata(files: Mapping[str, bytes], path: str, limits: Limits) -> Metadata[Any]:
    if (data := files.get(path)) is None:
        raise TrustError(ErrorCode.NOT_FOUND, f"{path}: missing from the repository")
    if len(data) > limits.metadata_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"{path}: {len(data)} bytes, at most {limits.metadata_size}"
        )
    try:
        return Metadata[Any].from_bytes(data)
    except RepositoryError as error:
        raise refusal(error, path) from error


def check(delegator: Root | Targets, role: str, data: bytes) -> None:
    """Make sure that enough of a role's keys signed its metadata.

    Raises:
        TrustError: BAD_SIGNATURE where they did not, BAD_METADATA where it says what has no
            canonical form, so that nobody can sign it.
    """
    try:
        metadata = Metadata[Any].from_bytes(data)
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise refusal(error, role) from error


def describe(signed: Signed, data: bytes) -> MetaFile:
    """What snapshot and timestamp say of a file: version, length and hash."""
    return MetaFile.from_data(signed.version, data, _SHA256)
