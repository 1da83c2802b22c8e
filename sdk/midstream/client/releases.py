"""What of a network's releases is in this process, and the models that it makes.

Knows nothing of how it got here.
"""

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path

from midstream.client.decoding import Decoding
from midstream.client.holdings import Holdings
from midstream.client.workers import Step, in_worker
from midstream.limits import Limits
from midstream.session import Policy
from midstream.store.models import new_model
from midstream.trust.manifest import Manifest

__all__ = ["Releases"]


class Releases(ABC):
    """Verified units of releases; whoever inherits it brings them.

    Args:
        policy: Which layers are wanted.
        limits: Bounds on what units claim.
    """

    def __init__(self, *, policy: Policy, limits: Limits) -> None:
        self._held = Holdings()
        self._policy = policy
        self._limits = limits

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """The newest release."""

    def best_layer(self, layer: int | None = None, *, release: int | None = None) -> int:
        """The highest layer, up to `layer`, whose units are all here.

        Where the exact model came without units it stands for all of them: the last, whatever is
        asked, as `rebuild` gives it.

        Raises:
            UsageError: BAD_STATE where not even the base is, BAD_ARGUMENT where that release
                is not known.
        """
        number = self._number(release)
        asked = layer if self._held.model(number) is None else None
        return self._held.entries(number, asked)[-1].layer

    def units(self, layer: int | None = None, *, release: int | None = None) -> list[bytes]:
        """The base and the units on it up to `layer`, verified.

        Raises:
            UsageError: BAD_STATE where not even the base is here, BAD_ARGUMENT where that
                release is not known.
        """
        return self._held.units(self._number(release), layer)

    @property
    def releases(self) -> list[int]:
        """Releases that are known now, the newest first: the last two that run, and newer ones."""
        return self._held.releases

    def manifest_of(self, release: int) -> Manifest:
        """What was signed of a release that is known.

        Raises:
            UsageError: BAD_ARGUMENT where it is not.
        """
        return self._held.manifest(release)

    def layer_here(self, release: int) -> int | None:
        """The highest layer of a release whose units are all here; None without its base."""
        return self.best_layer(release=release) if self._held.has(release, 0) else None

    def is_last(self, release: int, layer: int) -> bool:
        """Whether no higher layer of that release is wanted."""
        highest = self._held.manifest(release).units[-1].layer
        wanted = self._policy.max_layer
        return layer >= (highest if wanted is None else min(highest, wanted))

    def has_exact(self, release: int) -> bool:
        """Whether the exact model of a release is here, or can be decoded from what is."""
        return release in self._held.exact_releases()

    def fidelity(self, release: int, layer: int) -> float:
        """What the manifest says of a layer: SNR of outputs if known, of weights if not, dB.

        With adapters, which count as a layer above the last, it is that of the last.
        """
        entry = [e for e in self._held.manifest(release).units if e.layer <= layer][-1]
        outputs = entry.fidelity.output_snr
        return entry.fidelity.weight_snr if outputs is None else outputs

    async def rebuild(self, layer: int | None = None, *, release: int | None = None) -> bytearray:
        """The model file up to a layer; the exact one where an update brought the release.

        Raises:
            UsageError: BAD_STATE where not even the base is here, BAD_ARGUMENT where that
                release is not known.
            BitstreamError: A unit is malformed, though signed.
            LimitError: A count or size in one is over its limit, or decoding takes more memory.
            TrustError: The exact layer does not give the model that was signed for.
        """
        number = self._number(release)
        if (model := self._held.model(number)) is not None:
            return bytearray(model.model)

        def decode() -> bytearray:
            return Decoding(self._held, number, layer, self._limits).bytes()

        return await in_worker(Step.DECODE, decode)

    async def write_model(
        self, path: Path, *, layer: int | None = None, release: int | None = None
    ) -> None:
        """Write the model file up to a layer, in place; a file that is there is replaced.

        Raises:
            StoreError: It cannot be written.
            MidstreamError: As `rebuild` does.
        """
        if (model := self._held.model(self._number(release))) is not None:
            await asyncio.to_thread(_write, path, model.model)
            return
        decoding = await self._decoding(layer, release)
        await asyncio.to_thread(decoding.write, path)

    async def _decoding(self, layer: int | None, release: int | None) -> Decoding:
        number = self._number(release)
        return await asyncio.to_thread(Decoding, self._held, number, layer, self._limits)

    def _number(self, release: int | None) -> int:
        return self.manifest.release if release is None else release


def _write(path: Path, model: bytes | bytearray | memoryview) -> None:
    with new_model(path, len(model)) as out:
        out[:] = model
