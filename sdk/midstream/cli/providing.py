"""delegate, contribute, merge, revoke and revert: networks that several providers improve."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from midstream.cli.gating import program_gate
from midstream.cli.keys import add_keys, keys_of, publisher_keys
from midstream.cli.output import Output, human_size
from midstream.cli.refusing import putting_down
from midstream.cli.repository import LAYER_COLUMNS, add_ladder, backend_or_none, layer_rows
from midstream.encoder.contribution import DEFAULT_SHARE
from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.merging import MergePolicy, Rule
from midstream.publisher.adapters import listed
from midstream.publisher.contributing import Change, contribute, read_left_over, write_left_over
from midstream.publisher.providers import Providers
from midstream.store.files import read_given, write_file
from midstream.store.models import read_model
from midstream.store.refusals import FILE, RefusalLog
from midstream.trust.parcel import Evidence
from midstream.trust.providers import DEFAULT_QUOTA, public_key

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare delegate, contribute, merge, revoke and revert."""
    _add_delegate(verbs)
    _add_contribute(verbs)
    _add_merge(verbs)
    _add_revoke(verbs)
    _add_revert(verbs)


def _add_delegate(verbs: Any) -> None:
    parser = verbs.add_parser(
        "delegate",
        help="let a provider contribute to a network",
        description="Let a provider contribute to a network. Its keys stay with it; it tells "
        "their public halves, which keygen prints. Clients of the network never notice.",
    )
    _add_provider(parser)
    _add_repository(parser)
    parser.add_argument(
        "--key",
        metavar="HEX",
        action="append",
        required=True,
        help="public key of the provider, 64 hexadecimal digits; more than once for more keys",
    )
    parser.add_argument(
        "--threshold", type=int, default=1, help="how many must sign (default %(default)s)"
    )
    parser.add_argument(
        "--quota",
        type=int,
        default=DEFAULT_QUOTA,
        help="bytes of one contribution, at most (default %(default)s)",
    )
    add_keys(parser)
    parser.set_defaults(run=_delegate)


def _add_contribute(verbs: Any) -> None:
    parser = verbs.add_parser(
        "contribute",
        help="make a signed parcel of what a model is better by",
        description="Code what a model differs from a release by in few bytes, and sign it. What "
        "does not fit is kept in the --left-over file and comes with the next contribution. What "
        "is refused is put down beside the keys: `log --provider KEYS NETWORK` shows it.",
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="the better model file")
    parser.add_argument(
        "--parent", required=True, type=Path, help="the release's model file, as fetch writes it"
    )
    parser.add_argument("--network", required=True, help="the network's name")
    parser.add_argument("--release", required=True, type=int, help="the release's number")
    parser.add_argument("--provider", required=True, help="who contributes")
    add_keys(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, help="the parcel to write")
    parser.add_argument("--samples", type=int, default=1, help="size of the data learnt from")
    parser.add_argument(
        "--metric",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what was measured, such as accuracy=0.93",
    )
    parser.add_argument(
        "--share",
        type=float,
        default=DEFAULT_SHARE,
        help="bytes of the change at most, of what the floats take in single precision (default "
        "%(default)s); what is signed with it takes another 0.6 kB",
    )
    parser.add_argument(
        "--left-over", metavar="FILE", type=Path, help="what earlier contributions left over"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_contribute)


def _add_merge(verbs: Any) -> None:
    parser = verbs.add_parser(
        "merge",
        help="merge contributions, and publish what comes out",
        description="Check parcels, merge what they hold by a rule, and publish the result as the "
        "next release, with its provenance in the signed manifest. What is refused is in `log`.",
    )
    _add_repository(parser)
    parser.add_argument("parcels", metavar="PARCEL", nargs="+", type=Path, help="what came in")
    parser.add_argument(
        "--rule",
        choices=[rule.value for rule in Rule],
        default=MergePolicy().rule.value,
        help="how changes become one (default %(default)s)",
    )
    parser.add_argument(
        "--most-bad", type=int, default=1, help="providers that may lie (default %(default)s)"
    )
    parser.add_argument(
        "--never-together",
        metavar="A,B",
        action="append",
        default=[],
        help="providers of which one at most counts, the first by name",
    )
    parser.add_argument(
        "--gate",
        metavar="PROGRAM",
        type=Path,
        help="a program that is given a model file and prints how good it is, a number; the "
        "merged model must not be worse than the release before",
    )
    parser.add_argument(
        "--gate-each", action="store_true", help="let the gate judge each contribution first"
    )
    parser.add_argument("--release", type=int, help="the release that was changed (default: last)")
    add_ladder(parser)
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print the release as JSON")
    parser.set_defaults(run=_merge)


def _add_revoke(verbs: Any) -> None:
    parser = verbs.add_parser(
        "revoke",
        help="take a provider's right to contribute away",
        description="Take a provider's right away, for good, and name the releases that "
        "hold what it contributed.",
    )
    _add_provider(parser)
    _add_repository(parser)
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print the releases as JSON")
    parser.set_defaults(run=_revoke)


def _add_revert(verbs: Any) -> None:
    parser = verbs.add_parser(
        "revert",
        help="publish an earlier release again",
        description="Publish an earlier release as the next one, of the units that are there. "
        "One that holds what a revoked provider contributed is refused.",
    )
    _add_repository(parser)
    parser.add_argument("--to", required=True, type=int, help="the release's number")
    parser.add_argument(
        "--despite",
        metavar="PROVIDER",
        action="append",
        default=[],
        help="a revoked provider whose contributions may come back with it",
    )
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print the release as JSON")
    parser.set_defaults(run=_revert)


def _add_provider(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("provider", metavar="PROVIDER", help="what the provider is called")


def _add_repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("network", metavar="NETWORK", help="the network's name")


def _delegate(options: argparse.Namespace, output: Output) -> None:
    publics = [public_key(digits) for digits in options.key]
    Providers(options.repo, signer=publisher_keys(options)).add(
        options.network,
        options.provider,
        publics,
        threshold=options.threshold,
        quota=options.quota,
    )
    output.say(f"{options.provider} may contribute to {options.network}")


def _contribute(options: argparse.Namespace, output: Output) -> None:
    about = {"what": "contribution", "provider": options.provider, "release": options.release}
    log = RefusalLog(options.keys / FILE)
    with putting_down(log, output, network=options.network, **about):
        data, left = _contribution(options)
    write_file(options.output, data)
    if options.left_over is not None:
        write_left_over(options.left_over, left)
    part = len(data) / (4 * len(left))
    output.say(f"{options.output}: {human_size(len(data))}, {part:.2%} of the weights as float32")
    output.result({"parcel": str(options.output), "size": len(data), "share": part})


def _contribution(options: argparse.Namespace) -> tuple[bytes, Change]:
    left_over = None if options.left_over is None else read_left_over(options.left_over)
    metrics = dict(_metric(text) for text in options.metric)
    return contribute(
        read_model(options.parent),
        read_model(options.model),
        network=options.network,
        release=options.release,
        provider=options.provider,
        keys=keys_of(options),
        now=datetime.now(UTC),
        evidence=Evidence(samples=options.samples, metrics=metrics),
        share=options.share,
        left_over=left_over,
    )


def _metric(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"metric {text[:80]!r}: expected a name, '=' and a number"
        ) from None


def _merge(options: argparse.Namespace, output: Output) -> None:
    policy = MergePolicy(
        rule=Rule(options.rule),
        most_bad=options.most_bad,
        never_together=tuple(frozenset(names.split(",")) for names in options.never_together),
        gates_each=options.gate_each,
    )
    providers = Providers(
        options.repo, signer=publisher_keys(options), backend=backend_or_none(output)
    )
    found = providers.merge(
        options.network,
        [read_given(path, limit=LIMITS.bundle_size) for path in options.parcels],
        policy=policy,
        gate=None if options.gate is None else program_gate(options.gate, options.repo),
        release=options.release,
        ladder=options.ladder,
        progress=output.note,
    )
    release, merged = found.release, found.merged
    output.table(f"{release.name} release {release.number}", LAYER_COLUMNS, layer_rows(release))
    output.table("Merged", ["provider", "share"], _share_rows(merged.shares))
    if merged.before is not None and merged.after is not None:
        output.say(f"the gate says {merged.after:g}, {merged.before:g} of the release before")
    revoked = _warn_of_revoked(providers, options.network, release.number, output)
    output.result(
        {
            "release": release.number,
            "shares": merged.shares,
            "refused": merged.refused,
            "revoked": revoked,
            "gate": None if merged.after is None else [merged.before, merged.after],
        }
    )


def _warn_of_revoked(providers: Providers, network: str, release: int, output: Output) -> list[str]:
    """Say who was revoked of those that a release came of; their names."""
    held = sorted(providers.revoked_in(network, release))
    for name in held:
        output.warn(f"{name} is revoked, and what it contributed is in release {release}")
    return held


def _share_rows(shares: dict[str, float | None]) -> list[list[str]]:
    return [
        [name, "by weight" if share is None else f"{share:.3f}"] for name, share in shares.items()
    ]


def _revoke(options: argparse.Namespace, output: Output) -> None:
    touched = Providers(options.repo, signer=publisher_keys(options)).revoke(
        options.network, options.provider
    )
    output.say(f"{options.provider} contributes to {options.network} no more")
    if touched:
        numbers = ", ".join(map(str, touched))
        output.say(
            f"what it contributed is in release {numbers}; `midstream revert {options.repo} "
            f"{options.network} --to RELEASE --keys KEYS` publishes one from before"
        )
    wanting = _policies_that_require(options.provider, options.repo, options.network)
    if wanting:
        output.say(f"clients merge nothing by policies that require it: {', '.join(wanting)}")
    output.result(
        {"provider": options.provider, "releases": list(touched), "policies": list(wanting)}
    )


def _policies_that_require(provider: str, repo: Path, network: str) -> list[str]:
    return [
        name
        for name, policy in sorted(listed(repo, network).policies.items())
        if any(part.provider == provider and part.is_required for part in policy.parts)
    ]


def _revert(options: argparse.Namespace, output: Output) -> None:
    providers = Providers(
        options.repo, signer=publisher_keys(options), backend=backend_or_none(output)
    )
    release = providers.revert(options.network, options.to, despite=options.despite)
    revoked = _warn_of_revoked(providers, options.network, release.number, output)
    output.say(f"{release.name} release {release.number} is release {options.to} again")
    output.result({"release": release.number, "of": options.to, "revoked": revoked})
