"""log: releases of a network, what they were made of, and what was refused."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from midstream.cli.adapting import listed_as_json, say_listed
from midstream.cli.ancestry import COLUMNS, Ancestor, graph, row
from midstream.cli.output import Output
from midstream.cli.portrait import draw_history
from midstream.cli.refusing import say_refusals
from midstream.errors import ErrorCode, UsageError
from midstream.publisher import decibels, history
from midstream.publisher.adapters import listed
from midstream.store.refusals import RefusalLog, of_provider, of_store
from midstream.trust.provenance import Provenance, provenance_of

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare log."""
    parser = verbs.add_parser(
        "log",
        usage="midstream log [-h] [--store DIR] [--provider KEYS] [--graph] [--plot FILE] "
        "[--json] [REPO] NETWORK",
        help="list releases, their parents and providers, and what was refused",
        description="List the releases of a network that are in a repository's folder: what each "
        "was made of, by whom, how good and how large it is; what clients may merge by themselves; "
        "and what was refused. With --store, what clients refused on this machine too, or alone; "
        "with --provider, what `contribute` refused.",
    )
    parser.add_argument(
        "words", metavar="REPO NETWORK", nargs="+", help="the repository's folder, the network"
    )
    parser.add_argument(
        "--store", metavar="DIR", type=Path, help="a client's store: show what was refused there"
    )
    parser.add_argument(
        "--provider",
        metavar="KEYS",
        type=Path,
        help="the folder of a provider's keys: show what contribute refused with them",
    )
    parser.add_argument("--graph", action="store_true", help="draw who came of whom")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw the history, as .png, .svg or .pdf (needs the plot extra)",
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=_log)


def _log(options: argparse.Namespace, output: Output) -> None:
    *repos, network = options.words
    if len(repos) > 1 or not (repos or options.store or options.provider):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            "log: expected REPO NETWORK, --store DIR NETWORK, or --provider KEYS NETWORK",
        )
    result: dict[str, Any] = {"network": network}
    for repo in map(Path, repos):
        result |= _history(repo, network, options, output)
    if options.store is not None:
        who = f"clients of {options.store}"
        result["refused_by_clients"] = _refused(who, of_store(options.store), network, output)
    if options.provider is not None:
        who, log = f"contribute with {options.provider}", of_provider(options.provider)
        result["refused_by_contribute"] = _refused(who, log, network, output)
    output.result(result)


def _refused(who: str, log: RefusalLog, network: str, output: Output) -> list[dict[str, Any]]:
    kept = say_refusals(f"{network}, refused by {who}", log, output, network=network)
    if not kept:
        output.say(f"{network}: {who} refused nothing")
    return [asdict(refusal) for refusal in kept]


def _history(
    repo: Path, network: str, options: argparse.Namespace, output: Output
) -> dict[str, Any]:
    """What is in a repository's folder, said, and for scripts."""
    releases = history.releases(repo, network)
    found = [Ancestor(manifest=one, made=provenance_of(one)) for one in releases]
    offers = listed(repo, network)
    if options.plot is not None:
        draw_history(network, found, options.plot)
        output.say(f"{options.plot}: {network} as a picture")
    if options.graph:
        for line in graph(found):
            output.say(line)
    else:
        rows = [row(one) for one in reversed(found)]
        output.table(f"{network} in {repo}", COLUMNS, rows, lines=True)
        for part in found[-1].parts:
            if part.refused:
                output.say(f"left out of it: {part.provider}, {part.refused}")
    say_listed(offers, output)
    log = history.refusal_log(repo, network)
    refusals = say_refusals(f"{network}, refused by its publisher", log, output, network=network)
    return {
        "releases": [_as_json(one) for one in found],
        "refused": [asdict(refusal) for refusal in refusals],
    } | listed_as_json(offers)


def _as_json(one: Ancestor) -> dict[str, Any]:
    return {
        "release": one.number,
        "parent": one.parent,
        "model_sha256": one.manifest.model_sha256.hex(),
        "bytes": one.size,
        "layers": [
            {
                "layer": entry.layer,
                "kind": entry.kind.name.lower(),
                "bytes": entry.size,
                "weight_snr": decibels.as_json(entry.fidelity.weight_snr),
                "output_snr": decibels.as_json(entry.fidelity.output_snr),
            }
            for entry in one.manifest.units
        ],
        "updates": [
            {
                "from": update.parent,
                "rung": update.rung,
                "layer": update.unit.layer,
                "bytes": update.unit.size,
                "work": update.work,
            }
            for update in one.updates
        ],
        "provenance": None if one.made is None else _made_as_json(one.made),
    }


def _made_as_json(made: Provenance) -> dict[str, Any]:
    return {
        "parent": made.parent,
        "rule": made.rule,
        "gate": made.gate,
        "parts": [asdict(part) | {"unit": part.unit.hex()} for part in made.parts],
    }
