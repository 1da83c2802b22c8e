"""publish and verify: what a publisher does with a repository's folder."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.keys import add_keys, keys_of
from midstream.cli.output import Output, human_size
from midstream.client.pinning import read_root
from midstream.errors import RuntimeMissingError
from midstream.publisher import FRESH, Publisher, Release, UpdatePolicy, Use, decibels
from midstream.publisher.audit import audit
from midstream.publisher.calibration import read_calibration
from midstream.publisher.publish import DEFAULT_LADDER
from midstream.runtime import Backend, Inputs, find_backend

__all__ = [
    "add_calibration",
    "add_ladder",
    "add_verbs",
    "backend_or_none",
    "calibration_of",
    "layer_rows",
]

LAYER_COLUMNS = ["layer", "rung", "bytes", "all so far", "weights dB", "outputs dB"]


def add_verbs(verbs: Any) -> None:
    """Declare publish and verify."""
    _add_publish(verbs)
    _add_verify(verbs)


def _add_publish(verbs: Any) -> None:
    parser = verbs.add_parser(
        "publish",
        help="publish a model as the next release of a network",
        description="Encode a model as a ladder of units, run every rung, sign, and write it into "
        "a folder that any web server can serve. A name that exists gets its next release. "
        "Clients need REPO/1.root.json, given to them by hand.",
    )
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help=".tflite, .onnx, .safetensors or .npz file"
    )
    parser.add_argument("--repo", required=True, type=Path, help="the repository's folder")
    add_keys(parser)
    parser.add_argument("--name", required=True, help="the network's name")
    add_ladder(parser)
    parser.add_argument(
        "--repair", type=float, help="repair symbols per packet, 0 to 2 (default 0.15)"
    )
    parser.add_argument(
        "--loss",
        type=float,
        help="share of packets that links lose, 0 to 0.5: chooses the repair for it",
    )
    parser.add_argument(
        "--use",
        choices=[use.value for use in Use],
        default=Use.HTTP.value,
        help="http, or carousel for packets of one datagram each (default http)",
    )
    add_calibration(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--from",
        dest="parent",
        metavar="RELEASE",
        type=int,
        help="make an update from this release (default: from the last two, where it pays)",
    )
    which.add_argument(
        "--fresh", action="store_true", help="make no update: all clients fetch the new units"
    )
    parser.add_argument("--json", action="store_true", help="print the release as JSON")
    parser.set_defaults(run=_publish)


def _add_verify(verbs: Any) -> None:
    parser = verbs.add_parser(
        "verify",
        help="check all of a repository against a root",
        description="Check signatures, versions and expiry of the metadata, and every packet, "
        "hash page and repair symbol of each network's newest release.",
    )
    parser.add_argument("repo", metavar="REPO", type=Path, help="the repository's folder")
    parser.add_argument("--root", required=True, type=Path, help="the root that clients pin")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_verify)


def add_ladder(parser: argparse.ArgumentParser) -> None:
    """Declare --ladder."""
    parser.add_argument(
        "--ladder",
        default=",".join(DEFAULT_LADDER),
        help="rungs: bits per weight (2.5b), output SNR (15dBo), weight SNR (20dB), size of all "
        "so far (45kB), exact (default %(default)s)",
    )


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """Declare --calibrate."""
    parser.add_argument(
        "--calibrate",
        metavar="PATH",
        type=Path,
        help="inputs like those that the network will get: a .npy file (first axis: inputs), a "
        ".npz file with such an array for each input by its name, or a folder of them",
    )


def calibration_of(options: argparse.Namespace) -> list[Inputs] | None:
    """The inputs that --calibrate names."""
    return None if options.calibrate is None else read_calibration(options.calibrate)


def backend_or_none(output: Output) -> Backend | None:
    """A runtime to run rungs on, or none and a word about it."""
    try:
        return find_backend()
    except RuntimeMissingError as error:
        output.note(f"no runtime, so rungs are judged by weights alone: {error.message}")
        return None


def layer_rows(release: Release) -> list[list[str]]:
    """A row for each layer of a release."""
    rows, total = [], 0
    for entry, rung in zip(release.manifest.units, release.rungs, strict=True):
        total += entry.size
        rows.append(
            [
                str(entry.layer),
                rung,
                human_size(entry.size),
                human_size(total),
                decibels.as_words(entry.fidelity.weight_snr),
                decibels.as_words(entry.fidelity.output_snr),
            ]
        )
    rows += [
        [
            "-" if update.rung is None else str(update.unit.layer),
            update.title(),
            human_size(update.unit.size),
            "-",
            decibels.as_words(update.unit.fidelity.weight_snr),
            decibels.as_words(update.unit.fidelity.output_snr),
        ]
        for update in release.updates
    ]
    return rows


def _publish(options: argparse.Namespace, output: Output) -> None:
    keys = keys_of(options)
    publisher = Publisher(options.repo, signer=keys, backend=backend_or_none(output))
    with output.working(f"publishing {options.model}") as report:
        release = publisher.publish(
            options.model,
            name=options.name,
            ladder=options.ladder,
            repair=options.repair,
            loss=options.loss,
            use=Use(options.use),
            calibration=calibration_of(options),
            updates=FRESH if options.fresh else UpdatePolicy(only=options.parent),
            progress=output.note,
            report=report,
        )
    title = f"{release.name} release {release.number} in {options.repo}"
    output.table(title, LAYER_COLUMNS, layer_rows(release))
    output.result(_as_json(release))


def _as_json(release: Release) -> dict[str, Any]:
    return {
        "name": release.name,
        "release": release.number,
        "model_size": release.manifest.model_size,
        "layers": [
            {
                "layer": entry.layer,
                "rung": rung,
                "bytes": entry.size,
                "weight_snr": decibels.as_json(entry.fidelity.weight_snr),
                "output_snr": decibels.as_json(entry.fidelity.output_snr),
            }
            for entry, rung in zip(release.manifest.units, release.rungs, strict=True)
        ],
        "updates": [
            {"from": update.parent, "layer": update.rung, "bytes": update.unit.size}
            for update in release.updates
        ],
        "remarks": release.remarks,
    }


def _verify(options: argparse.Namespace, output: Output) -> None:
    networks = audit(options.repo, read_root(options.root))
    for found in networks:
        output.say(
            f"{found.name} release {found.release}: {found.units} units, "
            f"{human_size(found.size)}, all as signed"
        )
    output.result(
        {
            "networks": [
                {"name": f.name, "release": f.release, "units": f.units, "bytes": f.size}
                for f in networks
            ]
        }
    )
