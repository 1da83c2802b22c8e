"""A camera in Berlin takes the base from everybody and the adapter of its city, while it runs.

    python examples/providers/adapters.py REPO

The publisher signs what may be merged: "berlin whole and lagos by half, never lima beside lagos".
The camera names that policy; what it runs has the same bits as the publisher found. When a
provider is revoked, the camera leaves what that made at its next look.
"""

import argparse
import asyncio
from pathlib import Path

import midstream
from midstream import AdaptersMerged, AdaptersRefused, Event
from midstream.merging import MergePolicy, Rule
from midstream.publisher.adapters import Adapters
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders
from midstream.trust.adapters import SHARE_UNIT, AdapterPolicy, PolicyPart

POLICY = AdapterPolicy(
    network="traffic",
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
    cities = FakeProviders(repo)
    providers = Providers(repo, signer=cities.signer)
    learnt = [cities.parcel(city) for city in cities.names]
    providers.merge("traffic", learnt, policy=MergePolicy(rule=Rule.MEAN), ladder="exact")
    adapters = Adapters(repo, signer=cities.signer)
    adapters.offer("traffic", [cities.parcel(city) for city in cities.names])
    adapted = adapters.sign_policy("traffic", "berlin", POLICY)
    assert adapted is not None, "there are adapters on offer"
    plain, better = (cities.error(m, "berlin") for m in (cities.newest()[1], adapted.model))
    print(f"in berlin the release is off by {plain:.2f}, with adapters by {better:.2f}")
    async with midstream.connect(
        str(repo), "traffic", root=repo / "1.root.json", adapters="berlin",
        backend=cities.backend, on_event=tell, background=False,
    ) as camera:  # fmt: skip
        await camera.complete()
        print("running", camera.swap())
        providers.revoke("traffic", "berlin")
        await camera.check()
        await camera.complete()
        print("running", camera.swap())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path, help="a folder that is not there yet")
    asyncio.run(main(parser.parse_args().repo))
