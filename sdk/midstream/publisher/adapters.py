"""Adapters on offer to clients, and the policies by which these merge them.

A publisher checks what a client will check, with the same code, before it signs: what is refused
here is in the log, and no client meets it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tuf.api.metadata import TargetFile, Targets

from midstream import formats
from midstream.codec import storage
from midstream.errors import DataError, ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.publisher import history
from midstream.publisher.checking import Checked, Checker
from midstream.publisher.folder import RepositoryFolder
from midstream.publisher.signing import SignedFolder
from midstream.session.adapting import Adapted, adapt, check_norm
from midstream.store.files import read_given
from midstream.trust import adapters, layout, parcel, providers
from midstream.trust.adapters import AdapterPolicy
from midstream.trust.keys import KeyRing, Signer
from midstream.trust.repository import Repository

__all__ = ["Adapters", "Listed", "default_norm", "listed"]


_SHARE_OF_NORM = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is signed for clients that merge adapters."""

    policies: dict[str, AdapterPolicy]
    """By name."""
    sizes: dict[int, dict[str, int]]
    """Bytes of the adapters to each release, by provider."""


def listed(folder: Path, network: str) -> Listed:
    """What is signed for clients that merge adapters; nothing is verified.

    Raises:
        DataError: It is malformed.
        StoreError: It cannot be read.
    """
    role = history.newest_role(folder, layout.providers_role(network))
    sizes: dict[int, dict[str, int]] = {}
    for described in history.releases(folder, network):
        found = providers.offered(role, network, described.release)
        if found:
            sizes[described.release] = {name: target.length for name, target in found.items()}
    return Listed(policies=_policies(folder, role, network), sizes=sizes)


def default_norm(folder: Path, network: str) -> float:
    """The largest norm of an adapter, where a policy names none: of the floats, a quarter.

    Raises:
        UsageError: There is no such network.
        DataError: Its newest release cannot be read, or its floats are not all finite.
    """
    newest = history.manifest_of(folder, network, None)
    model = history.exact_model(folder, newest)
    squares = 0.0
    for tensor in formats.open_model(model).tensors:
        if tensor.dtype.is_float:
            data = storage.load(model[tensor.offset : tensor.end], tensor.dtype, tensor.weights)
            squares += float(np.square(storage.to_float64(data, tensor.dtype)).sum())
    return _SHARE_OF_NORM * math.sqrt(squares)


class Adapters:
    """Adapters and policies of a repository's networks.

    Args:
        folder: The repository's folder.
        signer: One key for all roles, or a ring of keys.
        clock: The time that metadata is dated with.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        signer: Signer | KeyRing,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        keys = signer if isinstance(signer, KeyRing) else KeyRing.single(signer)
        self._folder = RepositoryFolder(folder)
        self._signed = SignedFolder(self._folder, keys, clock)
        self._clock = clock

    def offer(
        self,
        network: str,
        parcels: Sequence[bytes],
        *,
        release: int | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> tuple[str, ...]:
        """Put contributions on offer to clients, as adapters to the release that they change.

        One that is refused is put down in the repository's log. A provider's adapter takes the
        place of its last one to that release.

        Args:
            network: The network.
            parcels: What providers sent.
            release: The release that was changed; the newest for None.
            progress: Told what is refused, and that release is not the last one, for people.

        Returns:
            The providers whose adapters are on offer now.

        Raises:
            UsageError: There is no such network or release, or all are refused.
            DataError: The release cannot be read.
            TrustError: A key that has to sign is not at hand.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        with self._opened() as repository:
            role = repository.providers_role(network)
            checker = self._checker(role, network, release, progress)
            policies = list(_policies(self._folder.path, role, network).values())
            taken = [one for one in checker.check(parcels) if _is_borne(one, policies, checker)]
            if not taken:
                raise UsageError(ErrorCode.BAD_ARGUMENT, f"{network}: all adapters are refused")
            number = checker.parent.release
            files = {layout.adapter_path(network, t.provider, number): t.data for t in taken}
            self._sign(repository, network, files)
            if (last := repository.latest(network)) != number:
                progress(f"release {last} is the last one: who has it merges nothing of {number}")
        return tuple(sorted(one.provider for one in taken))

    def withdraw(self, network: str, provider: str) -> None:
        """Take all adapters of a provider off offer; it may contribute as before.

        Raises:
            UsageError: There is no such network, or nothing of that provider is on offer.
            TrustError: A key that has to sign is not at hand.
            StoreError: The folder cannot be written, or another publisher is at work.
        """

        def change(role: Targets) -> None:
            if not providers.withdraw(role, network, provider):
                raise UsageError(ErrorCode.NOT_FOUND, f"{provider}: nothing of it is on offer")

        with self._opened() as repository:
            signed = repository.change_providers(network, change, self._clock())
            self._signed.write(signed, repository, [network])

    def sign_policy(self, network: str, name: str, policy: AdapterPolicy) -> Adapted | None:
        """Sign a policy; one of that name is replaced.

        It is tried on what is on offer for the newest release first. One that is refused is put
        down in the repository's log.

        Returns:
            What clients will run; None where nothing of its providers is on offer yet.

        Raises:
            UsageError: There is no such network or provider, or the name makes no sense.
            DataError: What is on offer cannot be merged so: see `session.adapting.adapt`.
            StoreError: The folder cannot be written, or another publisher is at work.
        """
        if not layout.is_name(name):
            raise UsageError(ErrorCode.BAD_NAME, f"policy {name[:80]!r} is no name")
        with self._opened() as repository:
            role = repository.providers_role(network)
            with history.putting_down(
                self._folder.path, network, self._clock, what=f"policy {name}"
            ):
                for part in policy.parts:
                    providers.provider(role, part.provider)
                adapted = self._tried(role, network, policy)
            path = layout.policy_path(network, name)
            self._sign(repository, network, {path: adapters.encode(policy)})
        return adapted

    @contextmanager
    def _opened(self) -> Iterator[Repository]:
        with self._folder.merging(), self._signed.existing() as repository:
            yield repository

    def _checker(
        self,
        role: Targets | None,
        network: str,
        release: int | None,
        progress: Callable[[str], None],
    ) -> Checker:
        """Checks parcels; each has to be newer than what is on offer of its provider."""
        parent = history.manifest_of(self._folder.path, network, release)
        model = history.exact_model(self._folder.path, parent)
        offered = providers.offered(role, network, parent.release)
        taken = {
            name: parcel.version_of(_read(self._folder.path, target))
            for name, target in offered.items()
        }
        now = self._clock()
        return Checker(self._folder.path, parent, model, role, now, progress, taken=taken)

    def _tried(self, role: Targets | None, network: str, policy: AdapterPolicy) -> Adapted | None:
        """What clients at the newest release will run."""
        newest = history.manifest_of(self._folder.path, network, None)
        named = {part.provider for part in policy.parts}
        offered = providers.offered(role, network, newest.release)
        found = {name: self._read(target) for name, target in offered.items() if name in named}
        if not found:
            return None
        model = history.exact_model(self._folder.path, newest)
        return adapt(newest, model, policy, found, role, self._clock())

    def _read(self, target: TargetFile) -> bytes:
        return _read(self._folder.path, target)

    def _sign(self, repository: Repository, network: str, files: dict[str, bytes]) -> None:
        """Sign for files; adapters to releases that are signed for no more are let go."""
        described = {path: TargetFile.from_data(path, files[path], ["sha256"]) for path in files}
        kept = set(repository.releases(network))

        def change(role: Targets) -> None:
            role.targets |= described
            for path in list(role.targets):
                is_adapter = layout.adapter_provider(path, network) is not None
                if is_adapter and not any(
                    layout.adapter_provider(path, network, number) for number in kept
                ):
                    del role.targets[path]

        signed = repository.change_providers(network, change, self._clock())
        stored = {
            layout.stored_path(path, described[path].hashes["sha256"]): data
            for path, data in files.items()
        }
        self._signed.write(stored | dict(signed), repository, [network])


def _is_borne(checked: Checked, policies: Sequence[AdapterPolicy], checker: Checker) -> bool:
    """Whether each policy that names its provider bears an adapter."""
    try:
        for policy in policies:
            if checked.provider in {part.provider for part in policy.parts}:
                check_norm(checked.provider, checked.offer.change, policy)
    except DataError as error:
        checker.refuse(checked.provider, error, what="adapter")
        return False
    return True


def _policies(folder: Path, role: Targets | None, network: str) -> dict[str, AdapterPolicy]:
    found: dict[str, AdapterPolicy] = {}
    for path, target in (role.targets if role is not None else {}).items():
        if (name := layout.policy_name(path, network)) is not None:
            found[name] = adapters.decode(_read(folder, target))
    return found


def _read(folder: Path, target: TargetFile) -> bytes:
    path = layout.stored_path(target.path, target.hashes["sha256"])
    return read_given(folder / path, limit=LIMITS.bundle_size)
