"""What makes a new release cheap, attacked: files that come together, and updates."""

from pathlib import Path

import numpy as np
import pytest

from hostile import hostile
from midstream import Publisher
from midstream.formats import open_model
from midstream.publisher import UpdatePolicy
from midstream.trust import bundle, layout
from midstream.trust.updates import updates_of
from test_security_attacks import (
    NAME,
    NEW,
    OLD,
    client,
    elsewhere,
    has,
    look,
    manifest_of,
    read,
    releases,
)
from trusting import ring


def tuned(model: bytes) -> bytes:
    """The same network with one weight changed a little."""
    found, data = open_model(model), bytearray(model)
    at = max(found.tensors, key=lambda tensor: tensor.end - tensor.offset).offset
    weight = np.frombuffer(data, "<f4", 1, at)[0]
    data[at : at + 4] = np.float32(weight * 1.001).tobytes()
    return bytes(data)


@pytest.mark.parametrize("how", ["stale", "truncated", "mixed", "elsewhere"])
async def test_news_that_are_not_what_they_should_be(how: str) -> None:
    """[TRU-2] Files that come together count as much as files that come alone."""
    old, new = releases()
    news = {path: data for path, data in new.items() if path.endswith((".json", ".manifest"))}
    whole = bundle.encode(news)
    lies = {
        "stale": bundle.encode({path: old[path] for path in news if path in old}),
        "truncated": whole[: len(whole) // 2],
        "mixed": bundle.encode({**news, **{p: old[p] for p in news if p in old}}),
        "elsewhere": bundle.encode({p: d for p, d in elsewhere().items() if p in news}),
    }
    async with hostile(dict(old)) as server, client(server) as delivery:
        await delivery.complete()
        server.files = {**new, layout.news_path(NAME): lies[how]}
        await look(delivery)
        assert await delivery.rebuild() == NEW
        await has(server, NEW)


@pytest.mark.parametrize("how", ["others", "cut", "gone"])
async def test_an_update_of_the_attacker_s_costs_the_fresh_units_alone(
    how: str, tmp_path: Path
) -> None:
    """[TRU-12] What leads from one release to the next is signed for like any unit."""
    publisher = Publisher(tmp_path, signer=ring())
    near = tuned(OLD)
    publisher.publish(OLD, name=NAME, ladder="4b,exact")
    old = read(tmp_path)
    publisher.publish(near, name=NAME, ladder="4b,exact", updates=UpdatePolicy(last=1))
    new = read(tmp_path)
    listed = updates_of(manifest_of(new, release=2)[1])
    (update,) = [update for update in listed if update.rung is None]
    mine = {"others": bytes(update.unit.size), "cut": new[update.unit.path][:-1]}
    async with hostile(dict(old)) as server, client(server) as delivery:
        await delivery.complete()
        server.files = {path: data for path, data in new.items() if path != update.unit.path}
        server.files |= {update.unit.path: mine[how]} if how in mine else {}
        await look(delivery)
        assert await delivery.rebuild() == near
        assert update.unit.path in server.asked
