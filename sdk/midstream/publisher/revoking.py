"""What releases hold of providers whose right was taken away. Knows nothing of signing.

Who was revoked may be a provider again, with other keys: the parcels in the folder say whose keys
signed what counted.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from tuf.api.metadata import Targets

from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.publisher import history
from midstream.store.files import read_given
from midstream.trust import layout, parcel, providers
from midstream.trust.provenance import Part, provenance_of

__all__ = ["check_revert", "revoked_in"]


def revoked_in(
    folder: Path, role: Targets | None, network: str, release: int
) -> dict[str, tuple[int, ...]]:
    """Who was revoked of those whose contributions a release holds.

    Args:
        folder: The repository's folder.
        role: Who may contribute now; None where nobody may.
        network: The network.
        release: The release's number.

    Returns:
        For each name the releases that its contributions counted in: this one, or those that it
        came of.

    Raises:
        UsageError: NOT_FOUND where there is no such network or release.
        DataError: A manifest is malformed, or a parcel that counted.
        StoreError: One cannot be read.
    """
    keys = _keys(role)
    found: dict[str, tuple[int, ...]] = {}
    for number, part in history.held(folder, network, release):
        if not _is_of(folder, network, part, keys):
            found[part.provider] = (*found.get(part.provider, ()), number)
    return found


def check_revert(
    folder: Path, role: Targets | None, network: str, release: int, despite: Collection[str]
) -> None:
    """Make sure that a revert brings back no contribution of a revoked provider [CON-19].

    Args:
        folder: The repository's folder.
        role: Who may contribute now; None where nobody may.
        network: The network.
        release: The release to go back to.
        despite: Revoked providers whose contributions may come back.

    Raises:
        UsageError: UNKNOWN_ROLE where it holds one of another, NOT_FOUND where there is no such
            network or release.
        DataError: A manifest is malformed, or a parcel that counted.
        StoreError: One cannot be read.
    """
    found = revoked_in(folder, role, network, release)
    others = {name: where for name, where in found.items() if name not in despite}
    if others:
        last = _last_without(folder, role, network, release)
        raise UsageError(
            ErrorCode.UNKNOWN_ROLE,
            f"{network} release {release} holds what {_listed(others)}, revoked since; "
            + (f"release {last} is the last before it without that; " if last else "")
            + "to publish it all the same, name them as `despite`",
        )


def _last_without(folder: Path, role: Targets | None, network: str, release: int) -> int | None:
    """The last release before one that holds nothing of anybody who was revoked."""
    keys, last = _keys(role), None
    holding: set[int] = set()
    for described in history.releases(folder, network):  # parents come first
        if described.release >= release:
            break
        made = provenance_of(described)
        parts = made.parts if made is not None else ()
        is_of_all = all(part.refused or _is_of(folder, network, part, keys) for part in parts)
        if not is_of_all or (made is not None and made.parent in holding):
            holding.add(described.release)
        else:
            last = described.release
    return last


def _keys(role: Targets | None) -> dict[str, frozenset[str]]:
    """Keys of each provider."""
    return {one.name: frozenset(one.keyids) for one in providers.providers(role)}


def _listed(found: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(
        f"{name} contributed to release {' and '.join(map(str, sorted(where)))}"
        for name, where in sorted(found.items())
    )


def _is_of(folder: Path, network: str, part: Part, keys: Mapping[str, frozenset[str]]) -> bool:
    """Whether what counted is of who has that name now; its parcel may be there no more."""
    keyids = keys.get(part.provider, frozenset())
    path = folder / layout.parcel_path(network, part.provider, part.version)
    if not keyids or not path.is_file():
        return bool(keyids)
    return bool(keyids & parcel.keyids_of(read_given(path, limit=LIMITS.bundle_size)))
