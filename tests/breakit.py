"""Runs what tries to break delivery and trust, with its full counts, and says how long it took.

python tests/breakit.py [PART ...]

Parts: links, namespaces, flips, faults, attacks, soak, fuzz; all of them, without any. The last
two run side by side, since a soak mostly waits.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
PYTEST = ("-m", "pytest", "-s", "-rs", "-p", "no:cacheprovider")
CAMPAIGN = ("tests/fuzz/campaign.py", "--inputs", "1000000", "--sanitize", "--jobs")

PARTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "links": (
        {"MIDSTREAM_SEEDS": "200"},
        (*PYTEST, "tests/test_testing_proxies.py", "tests/test_adversity_links.py"),
    ),
    "namespaces": ({"MIDSTREAM_NETEM": "1"}, (*PYTEST, "tests/test_netem.py")),
    "flips": ({"MIDSTREAM_FLIPS": "10000"}, (*PYTEST, "tests/test_flipped_bits.py")),
    "faults": (
        {"MIDSTREAM_FAULTS": "all", "MIDSTREAM_KILLS": "20"},
        (
            *PYTEST,
            "tests/test_store_faults.py",
            "tests/test_client_faults.py",
            "tests/test_kill.py",
            "tests/test_kill_moments.py",
        ),
    ),
    "attacks": (
        {},
        (
            *PYTEST,
            "tests/test_hostile_origin.py",
            "tests/test_security_attacks.py",
            "tests/test_security_news.py",
            "tests/test_trust_attacks.py",
            "tests/test_trust_rotation.py",
            "tests/test_adversity.py",
        ),
    ),
    "soak": ({"MIDSTREAM_SOAK_SECONDS": "1800"}, (*PYTEST, "tests/test_soak.py")),
    "fuzz": ({}, (*CAMPAIGN, str(os.cpu_count() or 1))),
}
"""What is set, and what Python runs, by part; what is set outside already stays."""
_TOGETHER = ("soak", "fuzz")
"""Side by side, after the others."""


def run(part: str) -> bool:
    """One part; says whether nothing broke."""
    began = time.monotonic()
    variables, words = PARTS[part]
    sys.stdout.write(f"== {part}\n")
    sys.stdout.flush()
    done = subprocess.run(
        [sys.executable, *words], cwd=HERE.parent, env={**variables, **os.environ}, check=False
    )
    verdict = "held" if done.returncode == 0 else "BROKE"
    sys.stdout.write(f"== {part}: {verdict} after {time.monotonic() - began:.0f} s\n")
    sys.stdout.flush()
    return done.returncode == 0


def main(parts: list[str]) -> int:
    """All that was asked for, whatever became of the others."""
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    asked = parts or list(PARTS)
    held = [run(part) for part in asked if part not in _TOGETHER]
    with ThreadPoolExecutor(len(_TOGETHER)) as jobs:
        held += jobs.map(run, [part for part in asked if part in _TOGETHER])
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
