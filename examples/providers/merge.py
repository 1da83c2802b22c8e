"""A publisher merges what four cities learnt, one of which lies, by a rule that bears it.

    python examples/providers/merge.py REPO

A gate on data that no provider has seen has the last word: what it finds worse is not published.
"""

import sys
from pathlib import Path

from cities import CITIES, NAME, Town, error, new_network
from midstream.errors import UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher.history import manifest_of
from midstream.trust.provenance import provenance_of


def gate(model: bytes) -> float:
    """More is better: how little the network is off, over all cities."""
    return -sum(error(model, city) for city in CITIES) / len(CITIES)


def main(repo: Path) -> None:
    """Merge honest and other contributions."""
    town = Town(repo)
    print(f"release 1: the gate says {gate(new_network()):.3f}")
    parcels = [town.parcel(city, lies=city == "lima") for city in CITIES]
    careless = MergePolicy(rule=Rule.MEAN, largest_norm=100.0)
    try:
        town.providers.merge(NAME, parcels, policy=careless, gate=gate, ladder="exact")
    except UsageError as error:
        print(f"the mean, refused: {error.message}")
    robust = MergePolicy(rule=Rule.GEOMETRIC_MEDIAN, most_bad=1)
    made = town.providers.merge(NAME, parcels, policy=robust, gate=gate, ladder="exact")
    print(f"release {made.release.number}: the gate says {made.merged.after:.3f}")
    provenance = provenance_of(manifest_of(repo, NAME, made.release.number))
    assert provenance is not None, "what was merged says what it is of"
    for part in provenance.parts:
        print(f"  {part.provider}: {part.refused or f'counts {part.share:.2f}'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
