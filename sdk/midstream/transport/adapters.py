"""Adapter policies, and adapters of providers, by TUF's client workflow. Synchronous, as that is.

What is got here is what the network's keys sign for as on offer; whether it may be merged is
`session.adapting`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import TargetFile, Targets
from tuf.ngclient import Updater

from midstream.errors import ErrorCode, TrustError
from midstream.transport.fetching import Fetcher, translated
from midstream.transport.updater import TrustedClient, over
from midstream.trust import adapters, layout, providers
from midstream.trust.adapters import AdapterPolicy

__all__ = ["AdapterClient", "Offer", "Wanted"]

_ID_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An adapter that is not here yet."""

    provider: str
    """Whose it is."""
    release: int
    """Number of the release that it is to."""
    path: str
    """Below the repository's address."""
    size: int
    """Its bytes, as they are signed for."""
    sha256: str
    """Their hash, hex, as it is signed for."""

    @property
    def id(self) -> str:
        """What a store calls what has come of it."""
        return self.sha256[:_ID_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """What a policy may merge into a release, of the length and hash that were signed for."""

    release: int
    """The release's number."""
    policy: AdapterPolicy
    """The policy."""
    parcels: Mapping[str, bytes]
    """Adapters of the policy's providers, those that there are; not looked into."""
    role: Targets
    """Who the network's providers are now."""
    missing: tuple[Wanted, ...]
    """Adapters of the policy's providers that are not here, and so not among `parcels`."""

    @property
    def place(self) -> tuple[int, int]:
        """What identifies it: where this is the same, all is."""
        return self.release, self.role.version


class AdapterClient(TrustedClient):
    """A client that reads the role of a network's providers too."""

    def offer(self, name: str, policy: str, release: int, *, at_hand: Mapping[str, bytes]) -> Offer:
        """What a policy may merge into a release; adapters are fetched by whoever asks.

        Args:
            name: The network.
            policy: The policy's name.
            release: The release's number.
            at_hand: Files that need not be fetched, unverified.

        Raises:
            TrustError: NOT_FOUND where no such policy is signed for; something is not signed as
                it must be.
            BitstreamError: The policy is malformed.
            LimitError: Something is too large.
            TransportError: A file could not be fetched.
            StoreError: The folder cannot be written.
        """
        role = layout.providers_role(name)
        with translated(role):
            updater = self._refreshed(Fetcher(self.fetch, at_hand, newer_root=False))
            found = self._policy(updater, name, policy)
            signed: Any = self._read_verified(role)
            offered = providers.offered(signed, name, release)
            self._forget(role, {_file(target.path) for target in offered.values()})
            wanted = {
                part.provider: offered[part.provider]
                for part in found.parts
                if part.provider in offered
            }
            missing = tuple(
                Wanted(
                    provider=provider,
                    release=release,
                    path=_stored(target),
                    size=target.length,
                    sha256=target.hashes["sha256"],
                )
                for provider, target in wanted.items()
                if _stored(target) not in at_hand and not self._has(updater, target)
            )
            parcels = {
                provider: self._parcel(updater, target)
                for provider, target in wanted.items()
                if provider not in {one.provider for one in missing}
            }
        return Offer(release=release, policy=found, parcels=parcels, role=signed, missing=missing)

    def check_policy(self, name: str, policy: str, *, at_hand: Mapping[str, bytes]) -> None:
        """Refuse a policy that is not there; arguments and errors as for `offer`."""
        with translated(layout.providers_role(name)):
            updater = self._refreshed(Fetcher(self.fetch, at_hand, newer_root=False))
            self._policy(updater, name, policy)

    def check_offered(self, name: str) -> None:
        """Fetch all that a network's providers have on offer, and its policies.

        Raises:
            TrustError: Something is not signed as it must be, or not what was signed.
            BitstreamError: A policy is malformed.
            LimitError: Something is too large.
            TransportError: A file could not be fetched.
            StoreError: The folder cannot be written.
        """
        role = layout.providers_role(name)
        with translated(role):
            updater = self._refreshed(Fetcher(self.fetch, {}, newer_root=False))
            # no provider is called so: looking for it makes the library load and verify the role
            updater.get_targetinfo(layout.policy_path(name, "-"))
            signed: Any = self._read_verified(role)
            for path, target in signed.targets.items():
                if (policy := layout.policy_name(path, name)) is not None:
                    self._policy(updater, name, policy)
                else:
                    self._parcel(updater, target)

    def _has(self, updater: Updater, target: TargetFile) -> bool:
        """Whether a target is among trusted files already.

        Raises:
            LimitError: It is too large.
        """
        if target.length > self._limits.bundle_size:
            raise over(target, self._limits.bundle_size)
        path = str(self._folder / _file(target.path))
        return updater.find_cached_target(target, path) is not None

    def _parcel(self, updater: Updater, target: TargetFile) -> bytes:
        return self._target(updater, target, _file(target.path), self._limits.bundle_size)

    def _policy(self, updater: Updater, name: str, policy: str) -> AdapterPolicy:
        path = layout.policy_path(name, policy)
        if not layout.is_name(policy) or (target := updater.get_targetinfo(path)) is None:
            raise TrustError(
                ErrorCode.NOT_FOUND, f"{name}: no adapter policy {policy[:80]!r} is signed for"
            )
        data = self._target(updater, target, _file(path), self._limits.manifest_size)
        return adapters.decode(data, limits=self._limits)

    def _forget(self, role: str, used: set[str]) -> None:
        """Let go of adapters that are on offer no more; others may be of another policy's."""
        for file in self._folder.glob(f"{role}.*.parcel"):
            if file.name not in used:
                file.unlink(missing_ok=True)


def _stored(target: TargetFile) -> str:
    return layout.stored_path(target.path, target.hashes["sha256"])


def _file(target: str) -> str:
    """What a target is called among trusted files."""
    return target.replace("/", ".")
