"""What adapter policies offer, and adapters that are fetched for them.

Knows nothing of how they are merged, nor of how trusted metadata is kept.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from midstream.client.bridging import Get
from midstream.client.bundled import BundledFiles
from midstream.client.keeping import Keeper
from midstream.client.metering import Meter
from midstream.client.reading import read_all
from midstream.errors import DataError, ErrorCode, TrustError
from midstream.limits import Limits
from midstream.transport import Transport
from midstream.transport.adapters import AdapterClient, Offer, Wanted
from midstream.trust import layout

__all__ = ["Offers", "Seen"]

_T = TypeVar("_T")
_GetAdapter = Callable[[Wanted, Transport], Coroutine[Any, Any, bytes]]
Seen = Callable[[Offer], Awaitable[None]]
"""Told of an offer before what is missing of it comes, which may take long."""
_DAMAGED = {ErrorCode.BAD_HASH, ErrorCode.BAD_METADATA, ErrorCode.BAD_SIGNATURE}
"""What damage on the way looks like, which parity may mend."""


class InTurn(Protocol):
    """Asks something of trusted metadata, while nobody else changes it."""

    async def __call__(self, get: Get, ask: Callable[[AdapterClient], _T]) -> _T:
        """Answer as `ask` does, over files that `get` brings."""


class Offers:
    """Offers to one network.

    Args:
        files: Where signed files come from.
        keeper: Keeps what came of adapters between runs.
        name: The network.
        transport: Moves the bytes of adapters.
        limits: Bounds on what is read.
        in_turn: Asks trusted metadata.
    """

    def __init__(
        self,
        files: BundledFiles,
        keeper: Keeper,
        name: str,
        *,
        transport: Transport,
        limits: Limits,
        in_turn: InTurn,
    ) -> None:
        self._files = files
        self._keeper = keeper
        self._name = name
        self._transport = transport
        self._limits = limits
        self._in_turn = in_turn

    async def check_policy(self, policy: str, at_hand: Mapping[str, bytes]) -> None:
        """Refuse a policy that is not there; raises as `offer` does.

        Args:
            policy: Its name.
            at_hand: Files that were verified already, by their paths.
        """

        async def ask(get: Get, at_hand: Mapping[str, bytes]) -> None:
            def check(client: AdapterClient) -> None:
                client.check_policy(self._name, policy, at_hand=at_hand)

            await self._in_turn(get, check)

        try:
            await ask(self._files.get, at_hand)
        except TrustError as error:
            if error.code not in _DAMAGED:
                raise
            await ask(self._files.get_corrected, {})

    async def offer(
        self,
        policy: str,
        release: int,
        meter: Meter,
        *,
        at_hand: Mapping[str, bytes],
        seen: Seen | None = None,
    ) -> Offer:
        """What a policy may merge into a release, and the adapters that it names.

        Args:
            policy: The policy's name.
            release: The release's number.
            meter: What adapters may take of the link; it may keep this waiting.
            at_hand: Files that were verified already, by their paths.
            seen: Told of what is signed for, where adapters are still to come.

        Raises:
            TrustError: There is no such policy, or something is not signed as it must be.
            BitstreamError: The policy is malformed.
            LimitError: Something is too large.
            TransportError: The origin does not answer.
            StoreError: Trusted metadata can be kept nowhere.
        """
        try:
            gets = self._files.get, self._get_adapter
            return await self._fetch_offer(*gets, policy, release, at_hand, meter, seen)
        except TrustError as error:
            if error.code not in _DAMAGED:
                raise
            gets = self._files.get_corrected, self._get_adapter_corrected
            return await self._fetch_offer(*gets, policy, release, {}, meter, seen)

    async def _fetch_offer(
        self,
        get: Get,
        get_adapter: _GetAdapter,
        policy: str,
        release: int,
        at_hand: Mapping[str, bytes],
        meter: Meter,
        seen: Seen | None,
    ) -> Offer:
        """What is signed for first; then adapters, while nobody waits for trusted metadata."""
        files = dict(at_hand)

        async def noted(path: str, limit: int) -> bytes:
            data = await get(path, limit)
            if path == layout.TIMESTAMP_PATH:
                files[path] = data  # what it leads to stays the same until the end
            return data

        offer = await self._ask_offer(noted, policy, release, files)
        if offer.missing and seen is not None:
            await seen(offer)
        for wanted in offer.missing:
            with meter.through(self._transport, wanted) as transport:
                files[wanted.path] = await get_adapter(wanted, transport)
        if not offer.missing:
            return offer
        try:
            found = await self._ask_offer(get, policy, release, files)
        except DataError:
            await self._keeper.forget(wanted.id for wanted in offer.missing)
            raise
        await self._keeper.forget(wanted.id for wanted in offer.missing)
        return found

    async def _get_adapter(self, wanted: Wanted, via: Transport) -> bytes:
        """An adapter; what an earlier run left of it is not asked for again [CON-20]."""
        part = await self._keeper.part(wanted.id, wanted.size)
        if len(part.received) == wanted.size:
            return part.received
        limits = self._limits
        return await read_all(via, wanted.path, limit=wanted.size, part=part, limits=limits)

    async def _get_adapter_corrected(self, wanted: Wanted, via: Transport) -> bytes:
        """The same with its parity applied, from its first byte on."""
        return await self._files.get_corrected(wanted.path, wanted.size, via)

    async def _ask_offer(
        self, get: Get, policy: str, release: int, at_hand: Mapping[str, bytes]
    ) -> Offer:
        def ask(client: AdapterClient) -> Offer:
            return client.offer(self._name, policy, release, at_hand=at_hand)

        return await self._in_turn(get, ask)
