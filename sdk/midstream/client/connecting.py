"""From an address to a live model, and its end. Knows nothing of what happens in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from midstream.client.adapting import Adapting
from midstream.client.delivery import Delivery
from midstream.client.marking import ANONYMOUS, Marks
from midstream.client.metering import Meter
from midstream.client.model import Model, SwapMode
from midstream.client.pinning import read_root
from midstream.client.sharing import SharedLink
from midstream.client.watching import Pace
from midstream.limits import LIMITS, Limits
from midstream.runtime import Backend, Slots, find_backend
from midstream.session import Event, Policy

__all__ = ["connect"]


@asynccontextmanager
async def connect(
    url: str,
    name: str,
    *,
    root: bytes | str | Path,
    store: str | Path | None = None,
    carousel: str | None = None,
    backend: Backend | None = None,
    policy: Policy | None = None,
    swap: SwapMode = SwapMode.MANUAL,
    poll: float | None = None,
    push: bool = True,
    background: bool = True,
    link: SharedLink | None = None,
    weight: float = 1.0,
    marks: Marks | None = ANONYMOUS,
    adapters: str | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    limits: Limits = LIMITS,
) -> AsyncIterator[Model]:
    """Follow a network: fetch, repair and verify it, and run the best of what has arrived.

    Args:
        url: The repository's address, or its folder.
        name: The network.
        root: The pinned root, given out of band: its bytes, or the path of its file.
        store: Folder that keeps verified units between runs; None keeps them in memory.
        carousel: Where a carousel of the repository is heard, `udp://ADDRESS:PORT`: it is joined
            at once, and what it does not complete is fetched from `url`.
        backend: The runtime; the one that is installed where None.
        policy: What the player allows model bytes to do.
        swap: When a staged generation becomes the active one.
        poll: Seconds between looks for a newer release, more or less; None looks once, after
            the start. While the origin's channel for news is open and looks go well, they are ten
            times rarer.
        push: Whether to listen on that channel, where there is one and `poll` is given.
        background: Whether tasks of its own fetch and stage; without them the player does,
            with `delivery.advance` and `stage`.
        link: The link, where other models share it: they take turns, and one report is for all.
        weight: Share of its bytes, against those of the others.
        marks: What requests for units say of themselves to servers; None for nothing.
        adapters: Name of the signed policy by which adapters of providers are merged into each
            release; None for none. They come after the exact layer.
        on_event: Called for each event, on the loop or where `swap` is called; it must not
            block.
        limits: Bounds on what is read from outside.

    Raises:
        UsageError: An address or `poll` makes no sense, or the root's file is not there.
        UnavailableError: This machine cannot listen where the carousel is.
        TrustError: The root's file is no root, or metadata is not signed as it must be.
        TransportError: The origin does not answer.
        StoreError: The store cannot be written.
        RuntimeMissingError: No runtime is installed.
    """
    pinned = root if isinstance(root, bytes) else await _root_of(Path(root), limits)
    if poll is not None:
        Pace(poll)  # refuses what makes no sense before anything is done
    link, policy = link or SharedLink(), policy or Policy()
    model = Model(Slots(backend or find_backend()), mode=swap, on_event=on_event)
    try:
        async with Delivery.open(
            url,
            name,
            root=pinned,
            store=store,
            carousel=carousel,
            policy=policy,
            link=link,
            weight=weight,
            marks=marks,
            on_event=model.heard,
            limits=limits,
        ) as delivery:
            adapting = None
            if adapters is not None:
                meter = Meter(link, policy, weight=weight, marks=marks, tell=on_event)
                adapting = Adapting(delivery, adapters, tell=on_event, meter=meter, limits=limits)
            model.start(delivery, adapting=adapting, poll=poll, push=push, background=background)
            try:
                yield model
            finally:
                await model.aclose()
    finally:
        await model.aclose()


async def _root_of(path: Path, limits: Limits) -> bytes:
    return await asyncio.to_thread(read_root, path, limits=limits)
