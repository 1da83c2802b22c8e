"""A camera in Berlin takes the base from everybody and the adapter of its city, while it runs.

    python examples/providers/adapters.py REPO

The publisher signs what may be merged: "berlin whole and lagos by half, never lima beside lagos".
The camera names that policy; what it runs has the same bits as the publisher found. When a
provider is revoked, the camera leaves what that made at its next look.
"""

import asyncio
import sys
from pathlib import Path

import midstream
from cities import BACKEND, CITIES, NAME, Town, error
from midstream import AdaptersMerged, AdaptersRefused, Event
from midstream.merging import MergePolicy, Rule
from midstream.publisher.adapters import Adapters
from midstream.trust.adapters import SHARE_UNIT, AdapterPolicy, PolicyPart

POLICY = AdapterPolicy(
    network=NAME,
    parts=(
        PolicyPart(provider="berlin", is_required=True),
        PolicyPart(provider="lagos", share=SHARE_UNIT // 2),
        PolicyPart(provider="lima"),
    ),
    never_together=(frozenset({"lagos", "lima"}),),
    largest_norm=50.0,
)


def tell(event: Event) -> None:
    """What became of adapters."""
    if isinstance(event, AdaptersMerged):
        print(f"merged {dict(event.shares)}; left out: {', '.join(event.left_out)}")
    elif isinstance(event, AdaptersRefused):
        print(f"refused: {event.error.message}")


async def main(repo: Path) -> None:
    """Run a camera through an offer and a revocation."""
    town = Town(repo)
    learnt = [town.parcel(city) for city in CITIES]
    town.providers.merge(NAME, learnt, policy=MergePolicy(rule=Rule.MEAN), ladder="exact")
    adapters = Adapters(repo, signer=town.signer)
    adapters.offer(NAME, [town.parcel(city) for city in CITIES])
    adapted = adapters.sign_policy(NAME, "berlin", POLICY)
    assert adapted is not None, "there are adapters on offer"
    plain, better = error(town.newest()[1], "berlin"), error(adapted.model, "berlin")
    print(f"in berlin the release is off by {plain:.2f}, with adapters by {better:.2f}")
    async with midstream.connect(
        str(repo), NAME, root=repo / "1.root.json", adapters="berlin", backend=BACKEND,
        on_event=tell, background=False,
    ) as camera:  # fmt: skip
        await camera.complete()
        print("running", camera.swap())
        town.providers.revoke(NAME, "berlin")
        await camera.check()
        await camera.complete()
        print("running", camera.swap())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
