"""The publisher's side of trust: metadata that grows by releases, renewals and rotations.

Knows nothing of folders: files come in as a mapping of paths and go out as one, in the
order in which they have to be written, so that a reader in between sees a whole repository
([TRU-13]).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Key, Snapshot, TargetFile, Targets, Timestamp

from midstream.errors import ErrorCode, TrustError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.trust import layout, manifest, roles
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.manifest import Manifest
from midstream.trust.opening import Opened, open_files
from midstream.trust.refusal import refusal
from midstream.trust.roles import Lifetimes

__all__ = ["KEPT_RELEASES", "Repository"]

KEPT_RELEASES = 2
"""Releases of a network that stay signed for: the newest, and the one clients may be reading."""


@dataclass(slots=True)
class _Changes:
    """What was changed since files were last given out."""

    signers: dict[str, tuple[Signer, ...]] = field(default_factory=dict)
    """For each changed role, who signs besides its own keys."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Targets to write before any metadata."""


class Repository:
    """Signed metadata of a repository; built by `create` or `open`.

    What a method returns is to be written in its order, each file whole; only then has the
    change happened. Where a method raises, open the repository again.
    """

    def __init__(
        self,
        state: Opened,
        keys: KeyRing,
        files: Mapping[str, bytes],
        lifetimes: Lifetimes,
    ) -> None:
        self._state = state
        self._keys = keys
        self._files = files
        self._lifetimes = lifetimes
        self._changes = _Changes()

    @classmethod
    def create(cls, keys: KeyRing, now: datetime, *, lifetimes: Lifetimes | None = None) -> Self:
        """An empty repository; its first files come with the first release or renewal.

        Args:
            keys: Signers for all four roles of TUF.
            now: The time, with its zone.
            lifetimes: How long metadata is good for.

        Raises:
            TrustError: BAD_KEY where a role has fewer signers than have to sign.
        """
        lifetimes = lifetimes or Lifetimes()
        state = Opened(
            root=roles.new_root(keys, lifetimes.expiry("root", now)),
            targets=Targets(expires=lifetimes.expiry("targets", now)),
            snapshot=Snapshot(expires=lifetimes.expiry("snapshot", now)),
            timestamp=Timestamp(expires=lifetimes.expiry("timestamp", now)),
        )
        repository = cls(state, keys, {}, lifetimes)
        repository._changes.signers.update(dict.fromkeys(roles.TOP_LEVEL, ()))
        return repository

    @classmethod
    def open(
        cls,
        files: Mapping[str, bytes],
        keys: KeyRing,
        now: datetime,
        *,
        limits: Limits = LIMITS,
        lifetimes: Lifetimes | None = None,
    ) -> Self:
        """A repository that was written before, checked from its first root on.

        Args:
            files: Its metadata and manifests, by path; others are not looked at.
            keys: The secret keys at hand; roles may be missing.
            now: The time, with its zone.
            limits: Bounds; `metadata_size` is the one used here.
            lifetimes: How long new metadata is good for.

        Raises:
            TrustError: A file is missing, malformed or not signed as it should be, or a
                role has run out and its key is not at hand (EXPIRED).
            LimitError: A file is too large.
        """
        state = open_files(files, limits=limits)
        repository = cls(state, keys, files, lifetimes or Lifetimes())
        for role in state.roles:
            repository._check_expiry(role, now)
        return repository

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks it has."""
        return tuple(filter(layout.is_network, self._state.networks))

    def releases(self, name: str) -> tuple[int, ...]:
        """Releases of a network that are signed for, the newest last."""
        network = self._state.networks.get(name)
        found = [layout.release_of(path, name) for path in network.targets] if network else []
        return tuple(sorted(release for release in found if release is not None))

    def latest(self, name: str) -> int:
        """Number of a network's newest release; 0 where there is none."""
        return max(self.releases(name), default=0)

    def expiries(self) -> dict[str, datetime]:
        """When each role's metadata runs out."""
        return {role: self._state.signed(role).expires for role in self._state.roles}

    def add_release(self, name: str, release: Manifest, now: datetime) -> Mapping[str, bytes]:
        """Sign a release.

        Args:
            name: The network; a new one gets a role of its own.
            release: Its manifest, of a release newer than the latest.
            now: The time, with its zone.

        Returns:
            The files to write, in this order.

        Raises:
            UsageError: The manifest is of another network, or not newer.
            TrustError: BAD_KEY where a key is not at hand, EXPIRED where a role has run out.
        """
        if release.name != name or release.release <= self.latest(name):
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"{name}: got release {release.release} of {release.name}, "
                f"expected one after {self.latest(name)}",
            )
        if name not in self._state.networks:
            self._add_network(name, now)
        data = manifest.encode(release)
        network = self._state.networks[name]
        network.targets[release.target] = TargetFile.from_data(release.target, data, ["sha256"])
        for old in self.releases(name)[:-KEPT_RELEASES]:
            del network.targets[layout.target_path(name, old)]
        self._change(name, now)
        sha256 = hashlib.sha256(data).hexdigest()
        self._changes.files[layout.manifest_path(name, release.release, sha256)] = data
        return self._publish(now)

    def check_keys(self, name: str) -> None:
        """Refuse keys that cannot sign a release of a network, or of a new one of that name.

        Raises:
            TrustError: BAD_KEY.
        """
        if name in self._state.networks:
            self._check_key(name)
        else:
            self._check_key("targets", what=f"{name}: a new network is signed for by targets")
        self._check_key("snapshot")
        self._check_key("timestamp")

    def resign(self, now: datetime) -> Mapping[str, bytes]:
        """Renew the timestamp, and what else has less than half its life left.

        Roles whose keys are not at hand stay as they are; `expiries` tells how long.

        Returns:
            The files to write, in this order.

        Raises:
            TrustError: BAD_KEY without the timestamp's key, EXPIRED where a role has run out.
        """
        return self._publish(now)

    def rotate(
        self, role: str, new: tuple[Signer, ...], now: datetime, *, threshold: int = 1
    ) -> Mapping[str, bytes]:
        """Give a role other keys; the old ones count no more.

        Args:
            role: One of TUF's roles, a network, or `release`: all networks that its keys
                sign for.
            new: All its keys from now on.
            now: The time, with its zone.
            threshold: How many of them have to sign.

        Returns:
            The files to write, in this order.

        Raises:
            UsageError: There is no such role.
            TrustError: BAD_KEY where a key is not at hand, EXPIRED where a role has run out.
        """
        given = [role] if role in self._state.roles else self._signed_by(role)
        if not given:
            raise UsageError(ErrorCode.UNKNOWN_ROLE, f"{role}: no such role or network")
        for one in given:
            self._give_keys(one, new, threshold, now)
        self._keys = self._keys.replaced(role, new, threshold)
        return self._publish(now)

    def providers_role(self, name: str) -> Targets | None:
        """What says who may contribute to a network; None where nobody ever might."""
        return self._state.networks.get(layout.providers_role(name))

    def change_providers(
        self, name: str, change: Callable[[Targets], None], now: datetime
    ) -> Mapping[str, bytes]:
        """Change who may contribute to a network.

        Args:
            name: The network.
            change: Changes the role that says who may, such as `providers.add`.
            now: The time, with its zone.

        Returns:
            The files to write, in this order.

        Raises:
            UsageError: There is no such network.
            TrustError: BAD_KEY where a key is not at hand, EXPIRED where a role has run out.
        """
        if name not in self.networks:
            raise UsageError(ErrorCode.NOT_FOUND, f"{name}: there is no such network")
        role = layout.providers_role(name)
        if role not in self._state.networks:
            self._add_network(role, now)
        change(self._state.networks[role])
        self._change(role, now)
        return self._publish(now)

    def _give_keys(self, role: str, new: tuple[Signer, ...], threshold: int, now: datetime) -> None:
        old = self._own(role)
        delegator = self._state.delegator(role)
        above = "targets" if delegator is self._state.targets else "root"
        self._check_key(above)
        roles.assign_keys(delegator, role, [signer.public for signer in new], threshold)
        # a reader that has the old root must still be able to follow: both sign this once
        self._change(role, now, old)
        if above != role:
            self._change(above, now)

    def _signed_by(self, role: str) -> list[str]:
        """The networks that all of a role's keys at hand sign for."""
        keyids = {signer.public.keyid for signer in self._keys.of(role)}
        if role != "release" or not keyids:
            return []
        return [name for name in self._state.networks if keyids & self._keyids(name)]

    def bundle_files(self, name: str) -> dict[str, bytes]:
        """What a client reads to get from the first root to a network's newest manifest.

        Returns:
            Files by path, in the order in which they are read: later roots, timestamp,
            snapshot, targets, the network's role, the manifest.

        Raises:
            UsageError: There is no such network.
            TrustError: The manifest is missing, or not the one that was signed for.
        """
        state = self._state
        if not self.releases(name):
            raise UsageError(ErrorCode.NOT_FOUND, f"{name}: there is no such network")
        files = {
            layout.metadata_path("root", version): data
            for version, data in enumerate(state.roots, start=1)
            if version > 1
        }
        files[layout.TIMESTAMP_PATH] = state.data["timestamp"]
        for role in ("snapshot", "targets", name):
            files[layout.metadata_path(role, state.signed(role).version)] = state.data[role]
        path, data = self._manifest(name, self.latest(name))
        files[path] = data
        return files

    def manifests(self, name: str) -> tuple[Manifest, ...]:
        """Manifests of the releases of a network that are signed for, the newest last.

        Raises:
            TrustError: One is missing, or not the one that was signed for.
        """
        found = [self._manifest(name, release)[1] for release in self.releases(name)]
        return tuple(map(manifest.decode, found))

    def _manifest(self, name: str, release: int) -> tuple[str, bytes]:
        target = self._state.networks[name].targets[layout.target_path(name, release)]
        path = layout.manifest_path(name, release, target.hashes["sha256"])
        if (data := self._files.get(path)) is None:
            raise TrustError(ErrorCode.NOT_FOUND, f"{path}: missing from the repository")
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise refusal(error, path) from error
        return path, data

    def _add_network(self, name: str, now: datetime) -> None:
        roles.delegate(self._state.targets, name, *self._keys_for_new(name))
        self._state.networks[name] = Targets(expires=self._lifetimes.expiry(name, now))
        self._change("targets", now)

    def _keys_for_new(self, name: str) -> tuple[list[Key], int]:
        """Keys and threshold of a new network: as of one that the same keys sign for already.

        Keys that were made or put aside by a rotation that was cut short do not get in so, and
        a threshold holds for networks to come.
        """
        signers, targets = self._keys.of(name), self._state.targets
        at_hand = {signer.public.keyid for signer in signers}
        for other in reversed(self._state.networks):
            if at_hand & self._keyids(other):
                keys = [targets.get_key(keyid) for keyid in sorted(self._keyids(other))]
                return keys, targets.get_delegated_role(other).threshold
        return [signer.public for signer in signers], self._keys.threshold(name)

    def _change(self, role: str, now: datetime, extra: tuple[Signer, ...] = ()) -> None:
        """The next version of a role's metadata begins."""
        extra += self._changes.signers.get(role, ())
        signed = self._state.signed(role)
        if role not in self._changes.signers and role in self._state.data:
            signed.version += 1
        signed.expires = self._lifetimes.expiry(role, now)
        self._changes.signers[role] = extra

    def _own(self, role: str) -> tuple[Signer, ...]:
        """Keys at hand that count for a role."""
        keyids = self._keyids(role)
        return tuple(one for one in self._keys.at_hand(role) if one.public.keyid in keyids)

    def _keyids(self, role: str) -> set[str]:
        return set(self._state.delegator(role).get_delegated_role(role).keyids)

    def _can_sign(self, role: str) -> bool:
        threshold = self._state.delegator(role).get_delegated_role(role).threshold
        return len(self._own(role)) >= threshold

    def _check_key(self, role: str, *, what: str | None = None) -> None:
        if not self._can_sign(role):
            at_hand = len(self._own(role))
            raise TrustError(
                ErrorCode.BAD_KEY,
                f"{what or role}: {at_hand} of its keys at hand, not enough to sign; "
                "are they the keys of this repository?",
            )

    def _publish(self, now: datetime) -> dict[str, bytes]:
        """Sign what was changed and give it out in the order to write it."""
        self._renew(now)
        files = self._changes.files
        if "root" in self._changes.signers and not self._state.roots:
            files |= self._sign_root() | {layout.PINNED_ROOT: self._state.roots[0]}
        for role in (*self._state.networks, "targets", "snapshot"):
            if role in self._changes.signers:
                files |= self._sign_versioned(role)
        files[layout.TIMESTAMP_PATH] = self._sign("timestamp")
        # after the timestamp, which old keys and new ones signed: see `rotate`
        files |= self._sign_root() if "root" in self._changes.signers else {}
        self._changes = _Changes()
        self._files = {**self._files, **files}
        return files

    def _renew(self, now: datetime) -> None:
        """Change what has less than half its life left, and what lists what is changed."""
        if self._can_sign("snapshot"):
            for role in self._state.roles:
                left = self._state.signed(role).expires - now
                if left < self._lifetimes.of(role) / 2 and self._can_sign(role):
                    self._change(role, now)
        if self._changes.signers.keys() - {"root", "timestamp"}:
            self._change("snapshot", now)
        self._change("timestamp", now)
        for role in self._state.roles:
            self._check_expiry(role, now)

    def _check_expiry(self, role: str, now: datetime) -> None:
        expires = self._state.signed(role).expires
        if expires <= now and not self._can_sign(role):
            raise TrustError(
                ErrorCode.EXPIRED,
                f"{role}: ran out at {expires:%Y-%m-%d %H:%M} and its key is not at hand",
            )

    def _sign_root(self) -> dict[str, bytes]:
        data = self._sign("root")
        self._state.roots.append(data)
        return {layout.metadata_path("root", self._state.root.version): data}

    def _sign_versioned(self, role: str) -> dict[str, bytes]:
        """Sign a role and put it down in the one that lists it."""
        data = self._sign(role)
        signed = self._state.signed(role)
        if role == "snapshot":
            self._state.timestamp.snapshot_meta = roles.describe(signed, data)
        else:
            self._state.snapshot.meta[f"{role}.json"] = roles.describe(signed, data)
        return {layout.metadata_path(role, signed.version): data}

    def _sign(self, role: str) -> bytes:
        self._check_key(role)
        own = self._own(role)
        extra = [one for one in self._changes.signers.pop(role, ()) if one not in own]
        data = roles.sign(self._state.signed(role), (*own, *extra))
        self._state.data[role] = data
        return data
