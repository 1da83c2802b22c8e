"""A provider trains each release further, and contributes what it learnt in few bytes.

    python examples/providers/contribute.py REPO

What does not fit into a contribution is left over, and added to the next one. The data never
leaves the provider, nor does its model.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from midstream import KeyRing
from midstream.merging import MergePolicy, Rule
from midstream.publisher.contributing import Change, contribute
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders
from midstream.trust.parcel import Evidence

ROUNDS, SHARE = 6, 0.1
POLICY = MergePolicy(rule=Rule.MEAN, most_bad=0)


def main(repo: Path) -> None:
    """Contribute to one release after the other."""
    cities, start = FakeProviders(repo), datetime.now(UTC)
    providers = Providers(repo, signer=cities.signer)
    keys = KeyRing(signers={"oslo": (cities.keys["oslo"],)})
    print(f"release 1: off by {cities.error(cities.first, 'oslo'):.3f} in oslo")
    left_over: Change | None = None
    for turn in range(ROUNDS):
        release, parent = cities.newest()
        model = cities.train(parent, "oslo")
        parcel, left_over = contribute(
            parent,
            model,
            network="traffic",
            release=release,
            provider="oslo",
            keys=keys,
            now=start + timedelta(seconds=turn),  # a parcel's version, which has to rise
            evidence=Evidence(
                samples=cities.samples, metrics={"error": cities.error(model, "oslo")}
            ),
            share=SHARE,
            left_over=left_over,
        )
        made = providers.merge("traffic", [parcel], policy=POLICY, ladder="exact")
        off = cities.error(made.merged.model, "oslo")
        print(
            f"release {made.release.number}: off by {off:.3f}, "
            f"from {len(parcel)} bytes signed of {left_over.nbytes} of weights"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path, help="a folder that is not there yet")
    main(parser.parse_args().repo)
