"""inspect: what files and folders hold, and where the bytes went."""

import argparse
from pathlib import Path
from typing import Any

from midstream.cli.output import Output
from midstream.cli.plotting import draw
from midstream.publisher import decibels
from midstream.publisher.accounting import Account, TensorAccount
from midstream.publisher.inspection import inspect

__all__ = ["add_verbs"]

_SHOWN = 20
"""Tensors in a table, where not all are asked for."""
_LONGEST_NAME = 32


def add_verbs(verbs: Any) -> None:
    """Declare inspect."""
    parser = verbs.add_parser(
        "inspect",
        help="say what a file or folder of ours holds, and where its bytes went",
        description="Say what is in a model file, a unit, a manifest, a bundle, news, or in a "
        "folder that encode or publish wrote; of units also where their bytes went, tensor by "
        "tensor. Nothing is trusted or verified by it.",
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="file or folder")
    parser.add_argument("--name", help="the one network of a repository to look into")
    parser.add_argument(
        "--all", action="store_true", help=f"all tensors, not the {_SHOWN} largest alone"
    )
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw where the bytes went, as .png, .svg or .pdf (needs the plot extra)",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON, all of it")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace, output: Output) -> None:
    inspected = inspect(options.path, network=options.name)
    if options.plot is not None:
        draw(inspected.accounts, options.plot)
    for key, value in inspected.found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            columns = list(value[0])
            output.table(key, columns, [[_cell(c, row[c]) for c in columns] for row in value])
        else:
            output.say(f"{key}: {value}")
    for name, found in inspected.accounts.items():
        shown = len(found.tensors) if options.all else _SHOWN
        output.table(f"where the bytes of {name} went", _columns(found), _rows(found, shown))
    spent = {name: _as_json(found) for name, found in inspected.accounts.items()}
    output.result({**inspected.found, "spent": spent} if spent else inspected.found)


def _cell(column: str, value: Any) -> str:
    return decibels.as_words(value) if column.endswith("_db") else str(value)


def _columns(found: Account) -> list[str]:
    layers = [f"layer {layer}" for layer in found.layers] if len(found.layers) > 1 else []
    snr = ["weights dB"] if any(tensor.snr for tensor in found.tensors) else []
    return ["tensor", "shape", "dtype", "bytes", *layers, "bits/weight", *snr, "step", "uses"]


def _rows(found: Account, shown: int) -> list[list[str]]:
    """Largest tensors first, then the rest of them, what is no tensor, and all."""
    tensors = found.by_size
    rows = [_tensor_row(found, tensor) for tensor in tensors[:shown]]
    if rest := tensors[shown:]:
        sizes = tuple(map(sum, zip(*(tensor.layers for tensor in rest), strict=True)))
        rows.append(_sum_row(found, f"{len(rest)} more (--all)", sizes))
    rows += [_sum_row(found, name, sizes) for name, sizes in found.others.items()]
    return [*rows, _sum_row(found, "all", found.sizes)]


def _tensor_row(found: Account, tensor: TensorAccount) -> list[str]:
    snr = [" ".join(map(decibels.as_words, tensor.snr))] if tensor.snr else []
    return [
        _short(tensor),
        "x".join(map(str, tensor.tensor.shape)) or "scalar",
        tensor.tensor.dtype.name.lower(),
        *_sizes(found, tensor.layers),
        f"{tensor.bits_per_weight:.2f}",
        *snr,
        "-" if tensor.step is None else f"{tensor.step:.3g}",
        ", ".join(_uses(tensor)) or "-",
    ]


def _sum_row(found: Account, name: str, sizes: tuple[int, ...]) -> list[str]:
    columns = len(_columns(found))
    row = [name, "", "", *_sizes(found, sizes)]
    return row + [""] * (columns - len(row))


def _sizes(found: Account, sizes: tuple[int, ...]) -> list[str]:
    """Bytes in all, and in each layer where there is more than one."""
    return [str(sum(sizes)), *(map(str, sizes) if len(found.layers) > 1 else ())]


def _short(tensor: TensorAccount) -> str:
    name = tensor.name or str(tensor.index)
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _uses(tensor: TensorAccount) -> list[str]:
    """What its coding makes use of."""
    code = tensor.code
    if code.same_as is not None:
        return [f"same as {code.same_as}"]
    if tensor.step is None:
        return [operation.name.lower() for operation in tensor.operations[:1]]
    scales = zip(("row", "column", "tap"), code.axes, strict=True)
    steps = zip(("row", "column"), (code.row_steps, code.column_steps), strict=True)
    uses = ["repeats"] if tensor.is_folded else []
    uses += [f"{axis} scales" for axis, vector in scales if vector is not None]
    uses += [f"{axis} steps" for axis, vector in steps if vector is not None]
    uses += [f"predictor of {len(code.predictor)}"] if code.predictor else []
    return uses + (["lattice"] if code.lattice else [])


def _as_json(found: Account) -> dict[str, Any]:
    return {
        "layers": list(found.layers),
        "bytes": list(found.sizes),
        **{name: list(sizes) for name, sizes in found.others.items()},
        "tensors": [_tensor_json(tensor) for tensor in found.by_size],
    }


def _tensor_json(tensor: TensorAccount) -> dict[str, Any]:
    snr = tensor.snr and [decibels.as_json(value) for value in tensor.snr]
    return {
        "index": tensor.index,
        "name": tensor.name,
        "shape": list(tensor.tensor.shape),
        "dtype": tensor.tensor.dtype.name,
        "weights": tensor.tensor.weights,
        "bytes": list(tensor.layers),
        "bits_per_weight": tensor.bits_per_weight,
        "weight_snr": snr,
        "step": tensor.step,
        "operations": [operation.name for operation in tensor.operations],
        "uses": _uses(tensor),
    }
