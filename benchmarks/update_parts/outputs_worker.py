"""Outputs of the fine-tuned networks, and NNCodec's incremental mode; runs in its environment.

One JSON line in, one out; files of weights are safetensors. NNCodec codes the difference between
the new weights and those that its own base gives, in the context of that base
(`compress_differences`, `tca`).
"""

import copy
import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
import torch
import training
from safetensors.numpy import load_file, save_file

from comparison import peers_worker

nnc = importlib.import_module("nncodec.nnc")
"""After what it imports in vain was stood in for by `peers_worker`."""

_NETWORKS = {
    "pictures": (training.Pictures, training.pictures),
    "sequences": (training.Sequences, training.sequences),
}
_INPUTS, _SEED, _CLASSES = 512, 99, 10
_Arrays = dict[str, Any]


def outputs(request: dict[str, Any]) -> dict[str, Any]:
    """Logits of a network, on inputs that it was not trained on."""
    make, task = _NETWORKS[request["network"]]
    model = make(_CLASSES)
    model.load_state_dict({n: torch.from_numpy(a) for n, a in load_file(request["model"]).items()})
    inputs, _ = task(torch.Generator().manual_seed(_SEED), _INPUTS, 1.0, _CLASSES)
    with torch.no_grad():
        np.save(request["outputs"], model.eval()(inputs).numpy())
    return {}


def _compress(arrays: _Arrays, qp: int, nonweight_qp: int, **more: Any) -> bytes:
    return bytes(
        nnc.compress(
            {name: np.float32(array) for name, array in arrays.items()},
            bitstream_path=None,
            return_bitstream=True,
            verbose=False,
            use_dq=True,
            qp=qp,
            nonweight_qp=nonweight_qp,
            **more,
        )
    )


class _Held:
    """What a client holds of a release: the last base that was asked for."""

    arrays: _Arrays = {}  # noqa: RUF012 # one process, one base
    state: _Arrays = {}  # noqa: RUF012


def base(request: dict[str, Any]) -> dict[str, Any]:
    """Code weights as a base, and write what a client then holds."""
    arrays = load_file(request["model"])
    stream = _compress(arrays, request["qp"], request["nonweight_qp"])
    state: _Arrays = {"parameters": {}, "put_node_depth": {}, "device_id": 0, "parameter_id": {}}
    found = nnc.decompress(bytearray(stream), approx_param_base=state, update_base_param=True)
    _Held.arrays = {name: found[name].reshape(array.shape) for name, array in arrays.items()}
    _Held.state = state
    save_file(_Held.arrays, request["decoded"])
    return {"size": len(stream)}


def update(request: dict[str, Any]) -> dict[str, Any]:
    """Code weights as a differential update of the base, and write what a client then holds."""
    arrays = load_file(request["model"])
    moved = {name: array - _Held.arrays[name] for name, array in arrays.items()}
    stream = _compress(
        moved,
        request["qp"],
        request["nonweight_qp"],
        compress_differences=True,
        tca=request["tca"],
        approx_param_base=copy.deepcopy(_Held.state),
    )
    found = nnc.decompress(bytearray(stream), approx_param_base=copy.deepcopy(_Held.state))
    # tensors that do not move at all are left out
    made = {
        name: array + found[name].reshape(array.shape) if name in found else array
        for name, array in _Held.arrays.items()
    }
    save_file({name: np.float32(array) for name, array in made.items()}, request["decoded"])
    return {"size": len(stream)}


if __name__ == "__main__":
    peers_worker.main({"outputs": outputs, "base": base, "update": update})
