"""encode and decode: model files and units in folders, nothing signed or sent."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.output import Output, human_size
from midstream.cli.repository import (
    LAYER_COLUMNS,
    add_calibration,
    add_ladder,
    backend_or_none,
    calibration_of,
    layer_rows,
)
from midstream.publisher.local import decode_folder, encode_folder

__all__ = ["add_verbs"]


def add_verbs(verbs: Any) -> None:
    """Declare encode and decode."""
    _add_encode(verbs)
    _add_decode(verbs)


def _add_encode(verbs: Any) -> None:
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
    add_ladder(parser)
    add_calibration(parser)
    parser.add_argument("--json", action="store_true", help="print the layers as JSON")
    parser.set_defaults(run=_encode)


def _add_decode(verbs: Any) -> None:
    parser = verbs.add_parser(
        "decode",
        help="decode a folder of units into a model file",
        description="Decode what encode wrote, up to a layer.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that encode wrote")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the model file to write")
    parser.add_argument("--layer", type=int, help="the highest layer to use (default: all)")
    parser.set_defaults(run=_decode)


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
            "remarks": release.remarks,
        }
    )


def _decode(options: argparse.Namespace, output: Output) -> None:
    size, layer = decode_folder(options.folder, options.output, layer=options.layer)
    output.say(f"{options.output}: layer {layer}, {human_size(size)}")
