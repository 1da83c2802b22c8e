"""Five providers improve one network, one of them lies, and nobody shows its data or its weights.

    python examples/federated/federated.py REPO --picture FILE --beside mean

Each round each provider trains the newest release on digits of its own, and contributes what it
learnt in a fiftieth of the weights' bytes, signed; the liar turns its change around. The publisher
merges by a rule that bears one liar; beside it, one that trusts all is drawn. `midstream log REPO
digits` then shows who counted in what.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import digits
from midstream import KeyRing, Publisher, Signer
from midstream.encoder import moved
from midstream.formats import open_model
from midstream.merging import MergePolicy, Rule, apply_change
from midstream.publisher.contributing import Change, contribute
from midstream.publisher.history import exact_model, manifest_of
from midstream.publisher.providers import Providers

NAMES = ("ada", "ben", "cleo", "dan", "liar")
SHARE = 0.02


def lie(parent: bytes, model: bytes) -> bytes:
    """As far away from the release, in the opposite direction."""
    return apply_change(parent, open_model(parent).tensors, -moved(parent, model))


def main(repo: Path, rounds: int, rule: Rule) -> list[float]:
    """The accuracy after each round, percent of digits that nobody learnt from."""
    learnt, held_out = digits.load()
    parts = {name: learnt.part(at, None, len(NAMES)) for at, name in enumerate(NAMES)}
    keys = {name: Signer.generate() for name in NAMES}
    signer, start, left_over = Signer.generate(), datetime.now(UTC), dict[str, Change]()
    Publisher(repo, signer=signer).publish(digits.new_network(), name="digits", ladder="exact")
    providers = Providers(repo, signer=signer)
    for name, key in keys.items():
        providers.add("digits", name, [key.public])
    found = [digits.accuracy(digits.new_network(), held_out)]
    print(f"{rule.value}: release 1 has learnt nothing, {found[0]:.1f} % right")
    for turn in range(rounds):
        parent = exact_model(repo, manifest_of(repo, "digits", None))
        parcels = []
        for name in NAMES:
            model = digits.train(parent, parts[name], epochs=5, seed=turn)
            parcel, left_over[name] = contribute(
                parent, lie(parent, model) if name == "liar" else model, network="digits",
                release=turn + 1, provider=name, keys=KeyRing(signers={name: (keys[name],)}),
                now=start + timedelta(seconds=turn), share=SHARE, left_over=left_over.get(name),
            )  # fmt: skip
            parcels.append(parcel)
        made = providers.merge("digits", parcels, policy=MergePolicy(rule=rule), ladder="exact")
        found.append(digits.accuracy(made.merged.model, held_out))
        counted, out = ", ".join(made.merged.shares), ", ".join(made.merged.refused) or "nobody"
        size, weights = max(map(len, parcels)), 4 * len(left_over["liar"])
        print(f"release {turn + 2}: {found[-1]:.1f} % right; counted {counted}; left out {out}; "
              f"{size} B each, of {weights} of weights")  # fmt: skip
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repo", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rule", type=Rule, default=Rule.MULTI_KRUM)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--beside", type=Rule, help="another rule, whose releases are not kept")
    options = parser.parse_args()
    curves = {options.rule.value: main(options.repo, options.rounds, options.rule)}
    if options.beside:
        with TemporaryDirectory() as folder:
            curves[options.beside.value] = main(Path(folder), options.rounds, options.beside)
    if options.picture:
        digits.draw(curves, options.picture)
