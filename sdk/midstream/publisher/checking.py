"""Parcels to offers: each checked, decoded, and kept; what is refused is put down.

Knows nothing of how offers are merged.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Targets

from midstream import decoder, formats
from midstream.errors import DataError, ErrorCode, MidstreamError, TrustError, UsageError
from midstream.merging import Offer
from midstream.publisher import history
from midstream.trust import parcel
from midstream.trust.manifest import Manifest
from midstream.trust.parcel import Parcel

__all__ = ["Checked", "Checker"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """A parcel that may be merged."""

    data: bytes
    """Its bytes."""
    parcel: Parcel
    """What is in it."""
    offer: Offer
    """What it changes."""

    @property
    def provider(self) -> str:
        """Whose it is."""
        return self.parcel.provider


class Checker:
    """Checks parcels for one merge.

    Args:
        folder: The repository's folder.
        parent: The release that was changed.
        model: Its model file.
        role: Who may contribute; None where nobody may.
        now: The time, with its zone.
        progress: Told of each parcel that is refused.
        taken: The last version of each provider's metadata that was taken; what counted in
            releases where None.
    """

    def __init__(
        self,
        folder: Path,
        parent: Manifest,
        model: bytes,
        role: Targets | None,
        now: datetime,
        progress: Callable[[str], None],
        *,
        taken: Mapping[str, int] | None = None,
    ) -> None:
        self.parent = parent
        """The release that was changed."""
        self._folder = folder
        self._role = role
        self._now = now
        self._progress = progress
        self._tensors = formats.open_model(model).tensors
        self._sha256 = hashlib.sha256(model).digest()
        self._taken = history.taken(folder, parent.name) if taken is None else taken

    def check(self, parcels: Sequence[bytes]) -> list[Checked]:
        """Those that may be merged."""
        found: dict[str, Checked] = {}
        for data in parcels:
            try:
                made = self._checked(data)
                if made.provider in found:
                    raise UsageError(
                        ErrorCode.BAD_ARGUMENT, f"contribution of {made.provider}: a second one"
                    )
                found[made.provider] = made
            except (DataError, UsageError) as error:
                self.refuse(parcel.provider_of(data), error)
        return list(found.values())

    def refuse(self, provider: str, error: MidstreamError, *, what: str = "contribution") -> None:
        """Put down that something was refused, and say it."""
        self.put_down(provider, error, what=what)
        self._progress(f"refused: {error}")

    def put_down(self, provider: str, error: MidstreamError, *, what: str) -> None:
        """Put down that something was refused, which its caller is told by the error."""
        name, now = self.parent.name, self._now
        history.add_refusal(self._folder, name, error, now, what=what, provider=provider)

    def _checked(self, data: bytes) -> Checked:
        opened = parcel.open_parcel(data, self.parent.name, self._role, self._now)
        taken = self._taken.get(opened.provider, 0)
        if opened.version <= taken:
            raise TrustError(
                ErrorCode.ROLLBACK,
                f"contribution of {opened.provider}: version {opened.version}, "
                f"{taken} was taken already",
            )
        if opened.release != self.parent.release:
            raise TrustError(
                ErrorCode.WRONG_PARENT,
                f"contribution of {opened.provider}: to release {opened.release}, "
                f"not to {self.parent.release}",
            )
        change = decoder.decode_contribution(opened.unit, self._tensors, self._sha256)
        offer = Offer(provider=opened.provider, change=change, samples=opened.evidence.samples)
        return Checked(data=data, parcel=opened, offer=offer)
