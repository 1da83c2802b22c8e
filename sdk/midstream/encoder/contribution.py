"""What a provider changed, in few bytes. Knows nothing of providers, keys or merging.

The largest differences, as many as a budget of bytes allows, are coded as the base of a network
of their own, in which all others are zero. What that leaves over is the provider's to add to
its next contribution (error feedback: Seide et al. 2014; Karimireddy et al. 2019, 1901.09847).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from midstream import formats
from midstream.bitstream import Head, Topology, read_unit
from midstream.bitstream.contribution import differences, write_contribution
from midstream.codec import storage
from midstream.encoder.builder import Builder
from midstream.encoder.ladder import Rung, Target
from midstream.encoder.progress import Work
from midstream.encoder.steps import relative_steps
from midstream.encoder.weights import load, tie
from midstream.errors import ErrorCode, FormatError, UsageError
from midstream.types import Tensor

__all__ = ["DEFAULT_SHARE", "encode_contribution", "moved"]

DEFAULT_SHARE = 0.005
"""Of the bytes that the floats would take in single precision."""
_KEPT = Rung(target=Target.SNR, value=12.0)
"""How near what is kept is coded: most of it is little more than the least that is kept."""
_BITS = 12
"""That a change takes which is kept, about: where it is, and how large."""
_CLOSE = 0.05
"""Of a budget: what may be left unused."""
_TRIES = 8
_LEAST_SHARE = 1e-5

_Float = NDArray[np.float32]


def moved(parent: bytes, model: bytes) -> _Float:
    """How far each float of one model file is from that of another.

    Args:
        parent: The model file of a release.
        model: The same network with other weights.

    Returns:
        (floats,), in the order of the file.

    Raises:
        FormatError: They are not files of one network, or one cannot be read.
        UsageError: BAD_ARGUMENT where a weight is not finite.
    """
    before, after = formats.open_model(parent).tensors, formats.open_model(model).tensors
    if [_form(tensor) for tensor in before] != [_form(tensor) for tensor in after]:
        raise FormatError(
            ErrorCode.BAD_HEADER,
            f"contribution: {len(after)} tensors that differ in name, type or shape from the "
            f"{len(before)} of the release",
        )
    pairs = [pair for pair in zip(before, after, strict=True) if pair[0].dtype.is_float]
    parts = [_numbers(model, new) - _numbers(parent, old) for old, new in pairs]
    with np.errstate(over="ignore"):  # what is beyond the floats is refused below
        found = np.concatenate([np.zeros(0), *parts]).astype(np.float32)
    if not np.isfinite(found).all():
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"contribution: {int((~np.isfinite(found)).sum())} of its changes are not finite",
        )
    return found


def _form(tensor: Tensor) -> tuple[str, int, tuple[int, ...]]:
    return tensor.name, tensor.dtype, tensor.shape


def _numbers(model: bytes, tensor: Tensor) -> NDArray[np.float64]:
    data = memoryview(model)[tensor.offset : tensor.end]
    return storage.to_float64(storage.load(data, tensor.dtype, tensor.weights), tensor.dtype)


def encode_contribution(parent: bytes, change: _Float, *, share: float = DEFAULT_SHARE) -> bytes:
    """Code a change of all floats of a model file.

    Args:
        parent: The model file of the release that was changed.
        change: (floats,), as `moved` gives it, what earlier contributions left over added.
        share: Bytes at most, as a share of what the floats take in single precision; where
            that is less than parameters alone take, it is as few bytes as can be.

    Returns:
        The unit.

    Raises:
        FormatError: The model file cannot be read.
        UsageError: BAD_ARGUMENT where the change is of other floats, not finite or nothing,
            or the share is not between 0.00001 and 1.
    """
    if not _LEAST_SHARE <= share <= 1:
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"share {share}: expected {_LEAST_SHARE:g} to 1")
    topology = differences(formats.open_model(parent).tensors)
    _check_change(change, topology)
    sha256 = hashlib.sha256(parent).digest()
    return _fitting(sha256, topology, change, int(share * topology.model_size))


def _fitting(sha256: bytes, topology: Topology, change: _Float, budget: int) -> bytes:
    """As many of the largest changes as a budget allows, or the largest alone."""
    found = b""
    least, most = 0, int(np.count_nonzero(change))
    kept = min(max(budget * 8 // _BITS, 1), most)
    for _ in range(_TRIES):
        tried = _coded(sha256, topology, _largest(change, kept))
        if len(tried) <= budget:
            least, found = kept, tried
        else:
            most = kept - 1
        if len(found) >= budget * (1 - _CLOSE) or least >= most:
            break
        aim = round(kept * budget * (1 - _CLOSE / 2) / len(tried))
        kept = min(max(aim, least + 1), most)
    return found or _coded(sha256, topology, _largest(change, 1))


def _largest(change: _Float, kept: int) -> _Float:
    """So many of the changes, the others zero."""
    sizes = np.abs(change)
    places = np.argpartition(sizes, len(sizes) - kept)[len(sizes) - kept :]
    found = np.zeros_like(change)
    found[places] = change[places]
    return found


def _check_change(change: _Float, topology: Topology) -> None:
    floats = sum(tensor.weights for tensor in topology.tensors)
    if change.shape != (floats,):
        raise UsageError(
            ErrorCode.BAD_ARGUMENT,
            f"contribution: changes of shape {change.shape}, the release has {floats} floats",
        )
    if not np.isfinite(change).all() or not change.any():
        problem = "nothing has changed" if np.isfinite(change).all() else "not all is finite"
        raise UsageError(ErrorCode.BAD_ARGUMENT, f"contribution: {problem}")


def _coded(sha256: bytes, topology: Topology, change: _Float) -> bytes:
    model = change.astype("<f4").tobytes()
    weights = tie([load(model, tensor) for tensor in topology.tensors], vectors=True)
    builder = Builder(
        topology,
        weights,
        statistics=None,
        relative=relative_steps(weights),
        evaluate=None,
        inputs=(0, False),
        work=Work(1, lambda _: None),
    )
    (base,) = builder.build([_KEPT])
    unit = read_unit(base.data)
    head = Head(topology=topology, codes=Head.read(unit.head).codes)
    return write_contribution(sha256, head, unit.records)
