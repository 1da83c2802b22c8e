"""Verified units of the last releases, and what they make. Knows nothing of how they came."""

import math

from midstream.decoder import Exact
from midstream.errors import ErrorCode, UsageError
from midstream.trust.manifest import Manifest, UnitEntry

__all__ = ["Holdings"]

_RELEASES = 2
"""Releases whose units are held, besides one whose base is not here yet."""


class Holdings:
    """Units in memory, by release."""

    def __init__(self) -> None:
        self._manifests: dict[int, Manifest] = {}
        self._units: dict[int, dict[int, bytes]] = {}
        self._models: dict[int, Exact] = {}

    @property
    def releases(self) -> list[int]:
        """Releases that are known now, the newest first."""
        return sorted(self._manifests, reverse=True)

    def open(self, manifest: Manifest, *, over: int) -> bool:
        """Take a release; say whether it is newer than `over`, which has been the newest so far.

        What is long past is let go: a run may see any number of releases.
        """
        if manifest.release <= over:
            return False
        self._manifests[manifest.release] = manifest
        self._units.setdefault(manifest.release, {})
        kept = {*self._based[:_RELEASES], over, manifest.release}
        for past in self._manifests.keys() - kept:
            for held in (self._manifests, self._units, self._models):
                held.pop(past, None)
        return True

    def put(self, release: int, unit: int, data: bytes) -> None:
        """Take a verified unit; with a base, those of releases long past are let go."""
        if release in self._manifests:
            self._units[release][unit] = data
            self._forget()

    def put_model(self, release: int, model: Exact) -> None:
        """Take the exact model of a release, which stands for all its units."""
        self._models[release] = model
        self._forget()

    def _forget(self) -> None:
        """Let go of what releases long past are made of."""
        for past in self._based[_RELEASES:]:
            self._units[past] = {}
            self._models.pop(past, None)

    @property
    def _based(self) -> list[int]:
        """Releases whose base is here, the newest first."""
        return [number for number in self.releases if self.has(number, 0)]

    def has(self, release: int, unit: int) -> bool:
        """Whether a unit is here, or the exact model that it leads to."""
        return release in self._models or unit in self._units.get(release, {})

    def images(self) -> list[Manifest]:
        """Releases whose exact model is here without their units."""
        return [self._manifests[number] for number in self._models]

    def model(self, release: int) -> Exact | None:
        """The exact model of a release that came without its units; None elsewhere."""
        return self._models.get(release)

    def exact_releases(self) -> frozenset[int]:
        """Releases whose exact model is here, or can be decoded from what is here."""
        return frozenset(number for number in self._manifests if self._is_exact(number))

    def rungs(self) -> list[tuple[int, int]]:
        """Releases, and each layer of them up to which all units are here."""
        return [
            (number, entry.layer)
            for number in self._manifests
            if number not in self._models and self.has(number, 0)
            for entry in self.entries(number, None)
        ]

    def _is_exact(self, release: int) -> bool:
        units = self._manifests[release].units
        is_exact = math.isinf(units[-1].fidelity.weight_snr)
        return is_exact and all(self.has(release, index) for index in range(len(units)))

    def find(self, unit_id: str) -> bytes | None:
        """A unit by its id, of whatever release."""
        for number, units in self._units.items():
            for index, data in units.items():
                if self._manifests[number].units[index].id == unit_id:
                    return data
        return None

    def all_entries(self) -> list[UnitEntry]:
        """What was signed of each unit that is here, of whatever release."""
        return [
            self._manifests[number].units[index]
            for number, units in self._units.items()
            for index in units
        ]

    def manifest(self, release: int) -> Manifest:
        """What was signed of a release.

        Raises:
            UsageError: BAD_ARGUMENT where it is not known.
        """
        if release not in self._manifests:
            raise UsageError(ErrorCode.BAD_ARGUMENT, f"release {release} is not known here")
        return self._manifests[release]

    def entries(self, release: int, layer: int | None) -> list[UnitEntry]:
        """The unbroken run of units from the base up to a layer.

        Raises:
            UsageError: BAD_STATE where not even the base is here.
        """
        entries: list[UnitEntry] = []
        for index, entry in enumerate(self.manifest(release).units):
            is_above = layer is not None and entries and entry.layer > layer
            if is_above or not self.has(release, index):
                break
            entries.append(entry)
        if not entries:
            raise UsageError(ErrorCode.BAD_STATE, f"release {release}: its base is not here yet")
        return entries

    def units(self, release: int, layer: int | None) -> list[bytes]:
        """The bytes of those units.

        Raises:
            UsageError: BAD_STATE where not even the base is here, or an update brought it.
        """
        held = self._units.get(release, {})
        if release in self._models:
            raise UsageError(
                ErrorCode.BAD_STATE, f"release {release}: it came by an update, without units"
            )
        return [held[index] for index in range(len(self.entries(release, layer)))]
