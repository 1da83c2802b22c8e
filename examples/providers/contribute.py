"""A provider trains each release further, and contributes what it learnt in few bytes.

    python examples/providers/contribute.py REPO

What does not fit into a contribution is left over, and added to the next one. The data never
leaves the provider, nor does its model.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cities import NAME, SAMPLES, Town, error, new_network, train
from midstream import KeyRing
from midstream.merging import MergePolicy, Rule
from midstream.publisher.contributing import Change, contribute
from midstream.trust.parcel import Evidence

ROUNDS, SHARE = 6, 0.1
POLICY = MergePolicy(rule=Rule.MEAN, most_bad=0)


def main(repo: Path) -> None:
    """Contribute to one release after the other."""
    town, start = Town(repo), datetime.now(UTC)
    keys = KeyRing(signers={"oslo": (town.keys["oslo"],)})
    print(f"release 1: off by {error(new_network(), 'oslo'):.3f} in oslo")
    left_over: Change | None = None
    for turn in range(ROUNDS):
        release, parent = town.newest()
        model = train(parent, "oslo")
        parcel, left_over = contribute(
            parent,
            model,
            network=NAME,
            release=release,
            provider="oslo",
            keys=keys,
            now=start + timedelta(seconds=turn),  # a parcel's version, which has to rise
            evidence=Evidence(samples=SAMPLES, metrics={"error": error(model, "oslo")}),
            share=SHARE,
            left_over=left_over,
        )
        made = town.providers.merge(NAME, [parcel], policy=POLICY, ladder="exact")
        off = error(made.merged.model, "oslo")
        print(
            f"release {made.release.number}: off by {off:.3f}, "
            f"from {len(parcel)} bytes signed of {left_over.nbytes} of weights"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
