"""What became of a network: a table, a graph and JSON of its releases, and who was refused.

    python examples/providers/log.py REPO

It makes a history first; `midstream log REPO NETWORK` then needs no key, only the folder.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from midstream.merging import MergePolicy, Rule
from midstream.publisher.providers import Providers
from midstream.testing import FakeProviders


def midstream_log(repo: Path, *options: str) -> str:
    """What the command prints."""
    words = [sys.executable, "-m", "midstream", "log", str(repo), "traffic", *options]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout  # noqa: S603


def make_history(repo: Path) -> None:
    """Two merges with somebody who lies, one of them after it was revoked, and a way back."""
    cities = FakeProviders(repo)
    providers = Providers(repo, signer=cities.signer)
    policy = MergePolicy(rule=Rule.MEAN)
    for turn in range(2):
        parcels = [cities.parcel(city, lies=city == "lima") for city in cities.names]
        if turn == 1:
            providers.revoke("traffic", "lima")
        providers.merge("traffic", parcels, policy=policy, ladder="exact")
    providers.revert("traffic", 2)


def main(repo: Path) -> None:
    """Show a history in three ways."""
    make_history(repo)
    print(midstream_log(repo))
    print(midstream_log(repo, "--graph"))
    found: dict[str, Any] = json.loads(midstream_log(repo, "--json"))
    for release in found["releases"]:
        made = release["provenance"] or {"rule": "published", "parts": []}
        counted = [part["provider"] for part in made["parts"] if not part["refused"]]
        print(release["release"], made["rule"], *counted)
    for refused in found["refused"]:
        print("refused", refused["provider"], refused["error"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path, help="a folder that is not there yet")
    main(parser.parse_args().repo)
