"""offer and policy: adapters of providers that clients merge by themselves."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.keys import add_keys, publisher_keys
from midstream.cli.output import Output, human_size
from midstream.errors import ErrorCode, UsageError
from midstream.limits import LIMITS
from midstream.publisher.adapters import Adapters, Listed, default_norm
from midstream.store.files import read_given
from midstream.trust.adapters import SHARE_UNIT, AdapterPolicy, PolicyPart

__all__ = ["add_verbs", "listed_as_json", "say_listed"]


def add_verbs(verbs: Any) -> None:
    """Declare offer and policy."""
    _add_offer(verbs)
    _add_policy(verbs)


def _add_offer(verbs: Any) -> None:
    parser = verbs.add_parser(
        "offer",
        help="put contributions on offer to clients, as adapters",
        description="Check parcels and sign for them as adapters: clients that name a policy merge "
        "them into the release that they change. What is refused is in `log`.",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("network", metavar="NETWORK", help="the network's name")
    parser.add_argument("parcels", metavar="PARCEL", nargs="*", type=Path, help="what came in")
    parser.add_argument("--withdraw", metavar="PROVIDER", help="take what it made off offer")
    parser.add_argument("--release", type=int, help="the release that was changed (default: last)")
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_offer)


def _add_policy(verbs: Any) -> None:
    parser = verbs.add_parser(
        "policy",
        help="sign which adapters clients merge",
        description="Sign an adapter policy, which clients name to merge what providers have on "
        "offer. It is tried on what is on offer for the last release first.",
    )
    parser.add_argument("policy", metavar="NAME", help="what the policy is called")
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("network", metavar="NETWORK", help="the network's name")
    parser.add_argument(
        "--part",
        metavar="PROVIDER[=SHARE]",
        action="append",
        required=True,
        help="a provider, and how much its adapter counts, up to 16 (default 1)",
    )
    parser.add_argument(
        "--require",
        metavar="PROVIDER",
        action="append",
        default=[],
        help="nothing is merged without it",
    )
    parser.add_argument(
        "--never-together",
        metavar="A,B",
        action="append",
        default=[],
        help="providers of which one at most counts, a required one or the first part",
    )
    parser.add_argument(
        "--largest-norm",
        type=float,
        help="of an adapter (default: a quarter of the norm of the last release's floats)",
    )
    add_keys(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_policy)


def _offer(options: argparse.Namespace, output: Output) -> None:
    if bool(options.parcels) == bool(options.withdraw):
        raise UsageError(ErrorCode.BAD_ARGUMENT, "offer: expected parcels, or --withdraw PROVIDER")
    adapters = Adapters(options.repo, signer=publisher_keys(options))
    if options.withdraw:
        adapters.withdraw(options.network, options.withdraw)
        output.say(f"nothing of {options.withdraw} is on offer any more")
        output.result({"withdrawn": options.withdraw})
        return
    taken = adapters.offer(
        options.network,
        [read_given(path, limit=LIMITS.bundle_size) for path in options.parcels],
        release=options.release,
        progress=output.note,
    )
    output.say(f"on offer to clients of {options.network}: {', '.join(taken)}")
    output.result({"offered": list(taken)})


def _policy(options: argparse.Namespace, output: Output) -> None:
    made = AdapterPolicy(
        network=options.network,
        parts=tuple(_part(text, options.require) for text in options.part),
        never_together=tuple(frozenset(names.split(",")) for names in options.never_together),
        largest_norm=options.largest_norm or default_norm(options.repo, options.network),
    )
    _check_required(options.require, made)
    adapters = Adapters(options.repo, signer=publisher_keys(options))
    adapted = adapters.sign_policy(options.network, options.policy, made)
    if adapted is None:
        output.say(f"policy {options.policy} is signed; nothing is on offer to the last release")
    else:
        output.say(f"policy {options.policy} is signed; clients merge {_shares(adapted.shares)}")
        for error in adapted.left_out.values():
            output.say(f"left out: {error.message}")
    output.result(
        {
            "policy": options.policy,
            "shares": None if adapted is None else dict(adapted.shares),
            "left_out": {} if adapted is None else _messages(adapted.left_out),
        }
    )


def _part(text: str, required: list[str]) -> PolicyPart:
    provider, _, share = text.partition("=")
    try:
        parts = round(float(share or "1") * SHARE_UNIT)
    except (ValueError, OverflowError):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT, f"part {text[:80]!r}: expected a provider, or one, '=', a share"
        ) from None
    return PolicyPart(provider=provider, share=parts, is_required=provider in required)


def _check_required(required: list[str], policy: AdapterPolicy) -> None:
    strangers = sorted(set(required) - {part.provider for part in policy.parts})
    if strangers:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"--require {strangers[0][:80]}: it is no part")


def _messages(errors: Any) -> dict[str, str]:
    return {name: str(error) for name, error in errors.items()}


def _shares(shares: Any) -> str:
    return ", ".join(f"{name} {share:g}" for name, share in shares.items())


def say_listed(listed: Listed, output: Output) -> None:
    """Print what is signed for clients that merge adapters."""
    for release, sizes in sorted(listed.sizes.items()):
        words = ", ".join(f"{name} {human_size(size)}" for name, size in sorted(sizes.items()))
        output.say(f"adapters to release {release}: {words}")
    for name, policy in sorted(listed.policies.items()):
        parts = ", ".join(map(_as_words, policy.ordered))
        apart = "".join(f"; never {' with '.join(sorted(n))}" for n in policy.never_together)
        output.say(f"policy {name}: {parts}{apart}; norm at most {policy.largest_norm:.4g}")


def _as_words(part: PolicyPart) -> str:
    return f"{part.provider} {part.share / SHARE_UNIT:g}" + " required" * part.is_required


def listed_as_json(listed: Listed) -> dict[str, Any]:
    """The same for programs."""
    return {
        "adapters": {str(release): sizes for release, sizes in listed.sizes.items()},
        "policies": {name: _as_json(policy) for name, policy in listed.policies.items()},
    }


def _as_json(policy: AdapterPolicy) -> dict[str, Any]:
    parts = [
        {"provider": part.provider, "share": part.share / SHARE_UNIT, "required": part.is_required}
        for part in policy.parts
    ]
    return {
        "parts": parts,
        "never_together": [sorted(names) for names in policy.never_together],
        "largest_norm": policy.largest_norm,
    }
