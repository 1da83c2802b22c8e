"""Where things are in a repository. Knows nothing of what is in them (spec/trust.md, "Layout")."""

import re

__all__ = [
    "CONTRIBUTIONS",
    "METADATA",
    "PINNED_ROOT",
    "TARGETS",
    "TIMESTAMP_PATH",
    "adapter_path",
    "adapter_provider",
    "bundle_path",
    "contributed_release",
    "contribution_path",
    "contribution_pattern",
    "is_name",
    "is_network",
    "is_path",
    "is_root",
    "manifest_path",
    "metadata_path",
    "news_path",
    "parcel_path",
    "policy_name",
    "policy_path",
    "providers_role",
    "release_of",
    "role_of",
    "stored_path",
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

CONTRIBUTIONS = "contributions/"
"""Folder of the parcels that were merged."""
_PROVIDERS = ".providers"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED = frozenset({"root", "targets", "snapshot", "timestamp"})
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_MAX_PATH = 255
_METADATA_FILE = re.compile(r"metadata/[1-9][0-9]{0,15}\.(?P<role>[^/]+)\.json")
_CONTRIBUTION = re.compile(
    r"(?P<role>[^/]+)/(?P<provider>[^/]+)/(?P<release>[1-9][0-9]{0,9})\.unit"
)
_ADAPTER = re.compile(r"(?P<role>[^/]+)/(?P<release>[1-9][0-9]{0,9})\.(?P<provider>[^/]+)\.parcel")
_POLICY = re.compile(r"(?P<role>[^/]+)/(?P<policy>[^/]+)\.policy")
_ROOT = re.compile(re.escape(METADATA) + r"[0-9]+\.root\.json")
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


def is_root(path: str) -> bool:
    """Whether it is that of a version of the root."""
    return _ROOT.fullmatch(path) is not None


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


def is_network(role: str) -> bool:
    """Whether a delegated role is a network; else it names a network's providers."""
    return not role.endswith(_PROVIDERS)


def providers_role(network: str) -> str:
    """The role that names a network's providers."""
    return network + _PROVIDERS


def contribution_pattern(network: str, provider: str) -> str:
    """What a provider may sign for."""
    return f"{providers_role(network)}/{provider}/*"


def contribution_path(network: str, provider: str, release: int) -> str:
    """What TUF calls a contribution to a release."""
    return f"{providers_role(network)}/{provider}/{release}.unit"


def contributed_release(target: str, network: str, provider: str) -> int | None:
    """The release in a contribution's path; None where it is not of these."""
    match = _CONTRIBUTION.fullmatch(target)
    if match is None or match["role"] != providers_role(network) or match["provider"] != provider:
        return None
    return int(match["release"])


def adapter_path(network: str, provider: str, release: int) -> str:
    """What TUF calls a provider's adapter to a release, as it is on offer to clients."""
    return f"{providers_role(network)}/{release}.{provider}.parcel"


def adapter_provider(target: str, network: str, release: int | None = None) -> str | None:
    """Whose adapter a target is; None where it is none to that release, or to any."""
    match = _ADAPTER.fullmatch(target)
    if match is None or match["role"] != providers_role(network):
        return None
    return match["provider"] if release in (None, int(match["release"])) else None


def policy_path(network: str, policy: str) -> str:
    """What TUF calls an adapter policy."""
    return f"{providers_role(network)}/{policy}.policy"


def policy_name(target: str, network: str) -> str | None:
    """The name of the adapter policy that a target is; None where it is none."""
    match = _POLICY.fullmatch(target)
    return match["policy"] if match and match["role"] == providers_role(network) else None


def stored_path(target: str, sha256: str) -> str:
    """Where a target is (TUF 6.2, consistent snapshots).

    Args:
        target: What TUF calls it.
        sha256: Hash of its bytes, hex.
    """
    folder, _, name = target.rpartition("/")
    return f"{TARGETS}{folder}/{sha256}.{name}"


def role_of(path: str) -> str | None:
    """The role in the path of one version of its metadata; None where it is no such path."""
    match = _METADATA_FILE.fullmatch(path)
    return match["role"] if match and is_name(match["role"]) else None


def parcel_path(network: str, provider: str, version: int) -> str:
    """Where a parcel is that was merged."""
    return f"{CONTRIBUTIONS}{network}/{version}.{provider}.parcel"


def news_path(name: str) -> str:
    """Where what a client reads of a network's next release is."""
    return f"bundles/{name}.news"
