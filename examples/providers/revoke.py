"""A provider turns out to be bad: its right is taken away, what it touched is found and reverted.

python examples/providers/revoke.py REPO
"""

import sys
from pathlib import Path

from cities import CITIES, NAME, Town, new_network
from midstream.errors import UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher.history import refusals

POLICY = MergePolicy(rule=Rule.MEAN, largest_norm=100.0)


def main(repo: Path) -> None:
    """Merge, revoke, revert."""
    town = Town(repo)
    parcels = [town.parcel(city, lies=city == "lima") for city in CITIES]
    made = town.providers.merge(NAME, parcels, policy=POLICY, ladder="exact")
    print(f"release {made.release.number} counts {', '.join(made.merged.shares)}")
    late = town.parcel("lima")  # it is sent before and read after
    touched = town.providers.revoke(NAME, "lima")
    print(f"lima is revoked; it counted in release {', '.join(map(str, touched))}")
    try:
        town.providers.merge(NAME, [late], policy=POLICY, ladder="exact")
    except UsageError as error:
        print(f"what it sent, refused: {error.message}")
    print(f"the log: {refusals(repo, NAME)[-1].message}")
    number = town.providers.revert(NAME, min(touched) - 1).number
    assert town.newest() == (number, new_network()), "the bits of the release before"
    print(f"release {number} is release {min(touched) - 1} again")
    honest = [town.parcel(city) for city in CITIES if city != "lima"]
    made = town.providers.merge(NAME, honest, policy=POLICY, ladder="exact")
    print(f"release {made.release.number} counts {', '.join(made.merged.shares)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
