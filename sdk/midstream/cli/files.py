"""encode, decode and inspect: model files and units in folders, nothing signed or sent."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.output import Output, human_size
from midstream.cli.repository import (
    LAYER_COLUMNS,
    add_calibration,
    backend_or_none,
    calibration_of,
    layer_rows,
)
from midstream.publisher.local import decode_folder, encode_folder, inspect

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare encode, decode and inspect."""
    parser = verbs.add_parser(
        "encode",
        help="encode a model file into a folder of units",
        description="Encode a model as a ladder of units in a folder, with neither signatures "
        "nor repair symbols: what the codec does, by itself.",
    )
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help=".tflite, .onnx, .safetensors or .npz file"
    )
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder for the units")
    parser.add_argument("--ladder", required=True, help="rungs, such as 2.5b,15dBo,exact or 20dB")
    add_calibration(parser)
    parser.add_argument("--json", action="store_true", help="print the layers as JSON")
    parser.set_defaults(run=_encode)

    parser = verbs.add_parser(
        "decode",
        help="decode a folder of units into a model file",
        description="Decode what encode wrote, up to a layer.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that encode wrote")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the model file to write")
    parser.add_argument("--layer", type=int, help="the highest layer to use (default: all)")
    parser.set_defaults(run=_decode)

    parser = verbs.add_parser(
        "inspect",
        help="say what a file or folder of ours holds",
        description="Say what is in a model file, a unit, a manifest, a bundle, or in a folder "
        "that encode or publish wrote. Nothing is trusted or verified by it.",
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="file or folder")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=_inspect)


def _encode(options: argparse.Namespace, output: Output) -> None:
    with output.working(f"encoding {options.model}") as report:
        release = encode_folder(
            options.model,
            options.output,
            ladder=options.ladder,
            backend=backend_or_none(output),
            calibration=calibration_of(options),
            progress=output.note,
            report=report,
        )
    output.table(f"{options.model} in {options.output}", LAYER_COLUMNS, layer_rows(release))
    output.result(
        {
            "model_size": release.manifest.model_size,
            "layers": [{"layer": e.layer, "bytes": e.size} for e in release.manifest.units],
        }
    )


def _decode(options: argparse.Namespace, output: Output) -> None:
    size, layer = decode_folder(options.folder, options.output, layer=options.layer)
    output.say(f"{options.output}: layer {layer}, {human_size(size)}")


def _inspect(options: argparse.Namespace, output: Output) -> None:
    found = inspect(options.path)
    for key, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            columns = list(value[0])
            output.table(key, columns, [[str(row[c]) for c in columns] for row in value])
        else:
            output.say(f"{key}: {value}")
    output.result(found)
