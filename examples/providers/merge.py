"""A publisher merges what four cities learnt, one of which lies, by a rule that bears it.

    python examples/providers/merge.py REPO

A gate on data that no provider has seen has the last word: what it finds worse is not published.
"""

import argparse
from pathlib import Path

from midstream.errors import UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher.history import manifest_of
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders
from midstream.trust.provenance import provenance_of


def main(repo: Path) -> None:
    """Merge honest and other contributions."""
    cities = FakeProviders(repo)
    providers = Providers(repo, signer=cities.signer)

    def gate(model: bytes) -> float:
        """More is better: how little the network is off, over all cities."""
        return -sum(cities.error(model, city) for city in cities.names) / len(cities.names)

    print(f"release 1: the gate says {gate(cities.first):.3f}")
    parcels = [cities.parcel(city, lies=city == "lima") for city in cities.names]
    careless = MergePolicy(rule=Rule.MEAN, largest_norm=100.0)
    try:
        providers.merge("traffic", parcels, policy=careless, gate=gate, ladder="exact")
    except UsageError as error:
        print(f"the mean, refused: {error.message}")
    robust = MergePolicy(rule=Rule.GEOMETRIC_MEDIAN, most_bad=1)
    made = providers.merge("traffic", parcels, policy=robust, gate=gate, ladder="exact")
    print(f"release {made.release.number}: the gate says {made.merged.after:.3f}")
    provenance = provenance_of(manifest_of(repo, "traffic", made.release.number))
    assert provenance is not None, "what was merged says what it is of"
    for part in provenance.parts:
        print(f"  {part.provider}: {part.refused or f'counts {part.share:.2f}'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path, help="a folder that is not there yet")
    main(parser.parse_args().repo)
