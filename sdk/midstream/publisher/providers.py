"""Providers of a network: who they are, and what becomes of their contributions.

Each contribution is checked before it is decoded, decoded before it is merged, and the merged
model is published as any other, with its provenance in the signed manifest.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.metadata import Targets

from midstream import formats
from midstream.errors import DataError, ErrorCode, UsageError
from midstream.merging import Gate, Merged, MergePolicy, merge
from midstream.publisher import history
from midstream.publisher.checking import Checked, Checker
from midstream.publisher.folder import RepositoryFolder
from midstream.publisher.publish import DEFAULT_LADDER, Publisher
from midstream.publisher.release import Release
from midstream.publisher.revoking import check_revert, revoked_in
from midstream.publisher.signing import SignedFolder
from midstream.runtime import Backend
from midstream.trust import layout, provenance, providers
from midstream.trust.keys import KeyRing, PublicKey, Signer
from midstream.trust.manifest import Manifest
from midstream.trust.provenance import Part, Provenance
from midstream.trust.providers import DEFAULT_QUOTA, Provider

__all__ = ["MergedRelease", "Providers"]

_ID_SIZE = 16
_REVERT = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRelease:
    """A release that was merged."""

    release: Release
    """What was published."""
    merged: Merged
    """What it was made of."""


class Providers:
    """Those who may contribute to networks of a repository.

    Args:
        folder: The repository's folder.
        signer: One key for all roles, or a ring of keys.
        backend: The runtime that rungs of merged releases are run on; None to run none.
        clock: The time that metadata is dated with.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        signer: Signer | KeyRing,
        backend: Backend | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        keys = signer if isinstance(signer, KeyRing) else KeyRing.single(signer)
        self._folder = RepositoryFolder(folder)
        self._signed = SignedFolder(self._folder, keys, clock)
        self._publisher = Publisher(folder, signer=keys, backend=backend, clock=clock)
        self._clock = clock

    def add(
        self,
        network: str,
        provider: str,
        keys: Iterable[PublicKey],
        *,
        threshold: int = 1,
        quota: int = DEFAULT_QUOTA,
    ) -> None:
        """Let a provider contribute to a network; what is refused is put down in its log.

        Args:
            network: The network.
            provider: What it is called; each name and key once.
            keys: Its keys.
            threshold: How many of them have to sign.
            quota: Bytes of one contribution, at most.

        Raises:
            UsageError: There is no such network, or the name is none or taken.
            TrustError: A key that has to sign is not at hand, or one is another provider's.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        publics = list(keys)

        def change(role: Targets) -> None:
            providers.add(role, network, provider, publics, threshold=threshold, quota=quota)

        with history.putting_down(
            self._folder.path, network, self._clock, what="delegation", provider=provider
        ):
            self._change(network, change)

    def revoke(self, network: str, provider: str) -> tuple[int, ...]:
        """Take a provider's right away, for good, and its adapters off offer.

        Returns:
            The releases that hold what it contributed: those that it counted in, and those
            that were merged from one of these or revert to one.

        Raises:
            UsageError: There is no such network or provider.
            TrustError: A key that has to sign is not at hand.
            StoreError: The folder cannot be written, or another publisher is at work.
        """

        def change(role: Targets) -> None:
            providers.remove(role, provider)
            providers.withdraw(role, network, provider)

        self._change(network, change)
        return history.touched(self._folder.path, network, provider)

    def listed(self, network: str) -> tuple[Provider, ...]:
        """All providers of a network, in the order in which they were added.

        Raises:
            UsageError: There is no repository in the folder.
            TrustError: The repository's metadata is not that of these keys, or has run out.
        """
        return providers.providers(self._role(network))

    def merge(
        self,
        network: str,
        parcels: Sequence[bytes],
        *,
        policy: MergePolicy,
        gate: Gate | None = None,
        release: int | None = None,
        ladder: str | Sequence[str] = DEFAULT_LADDER,
        progress: Callable[[str], None] = lambda _: None,
    ) -> MergedRelease:
        """Merge contributions to a release, and publish what comes out as the next one.

        A parcel that is refused is put down in the repository's log and left out; the others
        are merged.

        Args:
            network: The network.
            parcels: What providers sent.
            policy: What is taken of them, and how.
            gate: Judges model files on inputs that no provider has.
            release: The release that was changed; the newest for None.
            ladder: Rungs of the merged release.
            progress: Told what is done, for people.

        Raises:
            UsageError: There is no such network or release, nothing is left to merge, too
                little for the rule, or the gate refuses what comes out.
            DataError: The release cannot be read, or a weight of what comes out is not finite.
            StoreError: The folder cannot be written, or another publisher or merge is at work.
        """
        folder = self._folder.path
        with self._folder.merging():
            with history.putting_down(folder, network, self._clock, what="merge"):
                parent = history.manifest_of(folder, network, release)
                model = history.exact_model(folder, parent)
                checker = self._checker(parent, model, progress)
            checked = checker.check(parcels)
            if parcels and not checked:
                said = f"merge: nothing is left, all parcels ({len(parcels)}) are refused"
                raise UsageError(ErrorCode.BAD_ARGUMENT, said)
            merged = _merged(model, checker, checked, policy, gate)
            self._keep(network, checked)
            made = _provenance(parent.release, policy, merged, checked)
            published = self._publisher.publish(
                merged.model,
                name=network,
                ladder=ladder,
                extensions=(provenance.encode(made),),
                progress=progress,
            )
        return MergedRelease(release=published, merged=merged)

    def revert(self, network: str, release: int, *, despite: Collection[str] = ()) -> Release:
        """Publish an earlier release again, as the next one; who still has it fetches no unit.

        What is refused is put down in the repository's log.

        Args:
            network: The network.
            release: The release's number.
            despite: Revoked providers whose contributions may come back with it.

        Raises:
            UsageError: There is no such release, it holds what a revoked provider contributed
                (UNKNOWN_ROLE), or a unit of it is not in the folder any more.
            BitstreamError: A unit is not what was signed.
            TrustError: The repository's metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        made = Provenance(parent=release, rule=_REVERT, parts=())
        extensions = (provenance.encode(made),)
        folder = self._folder.path
        with (
            self._folder.merging(),
            history.putting_down(folder, network, self._clock, what="revert", release=release),
        ):
            check_revert(folder, self._role(network), network, release, despite)
            return self._publisher.republish(network, release, extensions=extensions)

    def revoked_in(self, network: str, release: int) -> dict[str, tuple[int, ...]]:
        """Who was revoked of those whose contributions a release holds.

        Returns:
            For each name the releases that its contributions counted in: this one, or those that
            it came of.

        Raises:
            UsageError: There is no such network or release.
            DataError: A manifest is malformed, or a parcel that counted.
            TrustError: The repository's metadata is not that of these keys, or has run out.
            StoreError: The folder cannot be read, or another publisher is at work.
        """
        return revoked_in(self._folder.path, self._role(network), network, release)

    def _checker(self, parent: Manifest, model: bytes, progress: Callable[[str], None]) -> Checker:
        role = self._role(parent.name)
        return Checker(self._folder.path, parent, model, role, self._clock(), progress)

    def _role(self, network: str) -> Targets | None:
        """Who may contribute now; None where nobody may."""
        with self._signed.existing() as repository:
            return repository.providers_role(network)

    def _change(self, network: str, change: Callable[[Targets], None]) -> None:
        with self._folder.merging(), self._signed.existing() as repository:
            signed = repository.change_providers(network, change, self._clock())
            self._signed.write(signed, repository, repository.networks)

    def _keep(self, network: str, checked: Sequence[Checked]) -> None:
        """What is looked at stays in the folder, so that anyone can look again."""
        for one in checked:
            path = layout.parcel_path(network, one.provider, one.parcel.version)
            self._folder.write({path: one.data})


def _merged(
    model: bytes,
    checker: Checker,
    checked: Sequence[Checked],
    policy: MergePolicy,
    gate: Gate | None,
) -> Merged:
    """What offers make; where they are refused together, that is put down."""
    tensors = formats.open_model(model).tensors
    try:
        return merge(model, tensors, [one.offer for one in checked], policy, gate=gate)
    except (DataError, UsageError) as error:
        if checked:
            names = ", ".join(one.provider for one in checked)
            checker.put_down(names, error, what="merge")
        raise


def _provenance(
    parent: int, policy: MergePolicy, merged: Merged, checked: Sequence[Checked]
) -> Provenance:
    """What the manifest says of a merge."""
    gate = None
    if merged.before is not None and merged.after is not None:
        gate = merged.before, merged.after
    parts = tuple(
        Part(
            provider=one.provider,
            version=one.parcel.version,
            unit=hashlib.sha256(one.parcel.unit).digest()[:_ID_SIZE],
            share=merged.shares.get(one.provider) or 0.0,
            refused=merged.refused.get(one.provider, ""),
        )
        for one in sorted(checked, key=lambda one: one.provider)
    )
    return Provenance(parent=parent, rule=policy.rule.value, parts=parts, gate=gate)
