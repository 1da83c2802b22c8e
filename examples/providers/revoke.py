"""A provider turns out to be bad: its right is taken away, what it touched is found and reverted.

python examples/providers/revoke.py REPO
"""

import argparse
from pathlib import Path

from midstream.errors import UsageError
from midstream.merging import MergePolicy, Rule
from midstream.publisher.history import refusals
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders

POLICY = MergePolicy(rule=Rule.MEAN, largest_norm=100.0)


def main(repo: Path) -> None:
    """Merge, revoke, revert."""
    cities = FakeProviders(repo)
    providers = Providers(repo, signer=cities.signer)
    parcels = [cities.parcel(city, lies=city == "lima") for city in cities.names]
    made = providers.merge("traffic", parcels, policy=POLICY, ladder="exact")
    print(f"release {made.release.number} counts {', '.join(made.merged.shares)}")
    late = cities.parcel("lima")  # it is sent before and read after
    touched = providers.revoke("traffic", "lima")
    print(f"lima is revoked; what it contributed is in release {', '.join(map(str, touched))}")
    try:
        providers.merge("traffic", [late], policy=POLICY, ladder="exact")
    except UsageError as error:
        print(f"what it sent, refused: {error.message}")
    print(f"the log: {refusals(repo, 'traffic')[-1].message}")
    number = providers.revert("traffic", min(touched) - 1).number
    assert cities.newest() == (number, cities.first), "the bits of the release before"
    print(f"release {number} is release {min(touched) - 1} again")
    honest = [cities.parcel(city) for city in cities.names if city != "lima"]
    made = providers.merge("traffic", honest, policy=POLICY, ladder="exact")
    print(f"release {made.release.number} counts {', '.join(made.merged.shares)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path, help="a folder that is not there yet")
    main(parser.parse_args().repo)
