"""Who may contribute to a network. Knows nothing of what they contribute.

Providers are delegated by a role of the network's own, `NAME.providers`, which clients of the
network do not read unless they merge adapters: it may grow without costing the others a byte
(spec/contributions.md, "Providers").
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tuf.api.metadata import DelegatedRole, Delegations, Key, TargetFile, Targets

from midstream.errors import ErrorCode, TrustError, UsageError
from midstream.trust import layout, roles
from midstream.trust.keys import PublicKey

__all__ = [
    "DEFAULT_QUOTA",
    "Provider",
    "add",
    "offered",
    "provider",
    "providers",
    "public_key",
    "remove",
    "withdraw",
]

DEFAULT_QUOTA = 16 << 20
"""Bytes of one contribution."""
_QUOTA = "x-midstream-quota"
_REVOKED = "x-midstream-revoked"
_MAX_QUOTA = 1 << 30
_MAX_PROVIDERS = 1024
_KEY_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider of a network."""

    name: str
    """What it is called; names are those of networks."""
    keyids: tuple[str, ...]
    """Its keys."""
    threshold: int
    """How many of them have to sign."""
    quota: int
    """Bytes of one contribution, at most."""


def public_key(digits: str) -> PublicKey:
    """A key from 64 hexadecimal digits.

    Raises:
        UsageError: BAD_KEY where they are not.
    """
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_SIZE:
        raise UsageError(
            ErrorCode.BAD_KEY, f"key {digits[:80]!r}: expected the 64 hexadecimal digits of a key"
        )
    return PublicKey.of(raw)


def add(
    delegator: Targets,
    network: str,
    name: str,
    publics: Iterable[Key],
    *,
    threshold: int = 1,
    quota: int = DEFAULT_QUOTA,
) -> None:
    """Let a provider contribute.

    Raises:
        UsageError: BAD_NAME where the name is none or taken, BAD_ARGUMENT where the quota makes
            no sense or there are too many providers.
        TrustError: BAD_KEY where there are fewer keys than have to sign, or one is another
            provider's, or was that of one that was revoked.
    """
    known = providers(delegator)
    _check_new(name, known, quota)
    keys = list(publics)
    _check_keys(name, keys, known, _revoked(delegator))
    if delegator.delegations is None:
        delegator.delegations = Delegations(keys={}, roles={})
    delegated = delegator.delegations.roles
    assert delegated is not None, "this project makes no succinct roles, and reads none"
    delegated[name] = DelegatedRole(
        name,
        [],
        1,
        terminating=True,
        paths=[layout.contribution_pattern(network, name)],
        unrecognized_fields={_QUOTA: quota},
    )
    roles.assign_keys(delegator, name, keys, threshold)


def _check_keys(
    name: str, keys: list[Key], known: tuple[Provider, ...], revoked: list[str]
) -> None:
    taken = {keyid: one.name for one in known for keyid in one.keyids}
    for keyid in (key.keyid for key in keys):
        if keyid in taken:
            raise TrustError(
                ErrorCode.BAD_KEY, f"{name}: key {keyid[:16]} is that of {taken[keyid]}"
            )
        if keyid in revoked:
            raise TrustError(
                ErrorCode.BAD_KEY, f"{name}: key {keyid[:16]} was revoked; it takes another one"
            )


def _revoked(delegator: Targets) -> list[str]:
    """Keys of providers that were revoked."""
    found = delegator.unrecognized_fields.get(_REVOKED, [])
    if not isinstance(found, list) or not all(isinstance(keyid, str) for keyid in found):
        raise TrustError(ErrorCode.BAD_METADATA, "providers: revoked keys are no list of names")
    return found


def _check_new(name: str, known: tuple[Provider, ...], quota: int) -> None:
    if not layout.is_name(name):
        raise UsageError(
            ErrorCode.BAD_NAME,
            f"provider {name[:80]!r}: expected 1 to 64 of a-z, 0-9, '.', '_', '-', the first a "
            "letter or digit, and no name of a TUF role",
        )
    if name in {one.name for one in known}:
        raise UsageError(ErrorCode.BAD_NAME, f"provider {name}: there is one of that name")
    if not 1 <= quota <= _MAX_QUOTA:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"quota of {quota} bytes: expected 1 to {_MAX_QUOTA}"
        )
    if len(known) >= _MAX_PROVIDERS:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"providers: {len(known)} are there, no room")


def remove(delegator: Targets, name: str) -> None:
    """Take a provider's right away, for good: what it signed counts no more, nor do its keys.

    Raises:
        UsageError: UNKNOWN_ROLE where there is none of that name.
        TrustError: BAD_METADATA where what is signed of revoked keys makes no sense.
    """
    found = provider(delegator, name)
    revoked = {*_revoked(delegator), *found.keyids}
    delegator.unrecognized_fields[_REVOKED] = sorted(revoked)
    for keyid in found.keyids:
        delegator.revoke_key(keyid, name)
    assert delegator.delegations is not None, "it was found there"
    assert delegator.delegations.roles is not None, "it was found there"
    del delegator.delegations.roles[name]


def providers(delegator: Targets | None) -> tuple[Provider, ...]:
    """All providers, in the order in which they were added; none of None.

    Raises:
        TrustError: BAD_METADATA where a quota is none.
    """
    delegations = delegator.delegations if delegator is not None else None
    found = delegations.roles if delegations is not None else None
    return tuple(_described(role) for role in (found or {}).values())


def provider(delegator: Targets | None, name: str) -> Provider:
    """One provider.

    Raises:
        UsageError: UNKNOWN_ROLE where there is none of that name.
    """
    for one in providers(delegator):
        if one.name == name:
            return one
    any_more = " any more, or there never was" if delegator and _revoked(delegator) else ""
    raise UsageError(
        ErrorCode.UNKNOWN_ROLE, f"provider {name}: there is none of that name{any_more}"
    )


def offered(delegator: Targets | None, network: str, release: int) -> dict[str, TargetFile]:
    """Adapters to a release that are on offer to clients, by provider; none of None."""
    found: dict[str, TargetFile] = {}
    for target, described in (delegator.targets if delegator is not None else {}).items():
        if (name := layout.adapter_provider(target, network, release)) is not None:
            found[name] = described
    return found


def withdraw(delegator: Targets, network: str, name: str) -> bool:
    """Take all adapters of a provider off offer; say whether there were any."""
    gone = [t for t in delegator.targets if layout.adapter_provider(t, network) == name]
    for target in gone:
        del delegator.targets[target]
    return bool(gone)


def _described(role: DelegatedRole) -> Provider:
    quota = role.unrecognized_fields.get(_QUOTA)
    if not isinstance(quota, int) or not 1 <= quota <= _MAX_QUOTA:
        raise TrustError(ErrorCode.BAD_METADATA, f"provider {role.name}: its quota is no number")
    return Provider(
        name=role.name, keyids=tuple(role.keyids), threshold=role.threshold, quota=quota
    )
