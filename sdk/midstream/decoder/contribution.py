"""A contribution to how far it moves each float. Knows nothing of who made it or why."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midstream.bitstream.contribution import read_contribution
from midstream.decoder.rebuild import rebuild_into
from midstream.decoder.stack import stack_of
from midstream.errors import BitstreamError, ErrorCode
from midstream.limits import LIMITS, Limits
from midstream.types import Tensor

__all__ = ["decode_contribution"]


def decode_contribution(
    data: bytes,
    tensors: Sequence[Tensor],
    parent_sha256: bytes,
    *,
    limits: Limits = LIMITS,
) -> NDArray[np.float32]:
    """Decode a contribution.

    Args:
        data: The unit.
        tensors: Those of the model file that it is applied to.
        parent_sha256: Hash of that file, 32 bytes.
        limits: Bounds on what the unit claims.

    Returns:
        (floats,), what is added to each float of the file, in its order; all finite.

    Raises:
        BitstreamError: It is malformed, WRONG_PARENT where it is for another model file,
            BAD_FIELD where a change is not finite.
        LimitError: A count or size is over its limit.
    """
    found = read_contribution(data, tensors, limits=limits)
    if found.parent_sha256 != parent_sha256:
        raise BitstreamError(
            ErrorCode.WRONG_PARENT,
            f"contribution: for the model {found.parent_sha256.hex()[:16]}..., "
            f"not for {parent_sha256.hex()[:16]}...",
        )
    stack = stack_of(found.head, [found.records], size=len(data), limits=limits)
    model = bytearray(stack.model_size)
    rebuild_into(stack, model)
    change = np.frombuffer(model, "<f4")
    if not np.isfinite(change).all():
        raise BitstreamError(
            ErrorCode.BAD_FIELD,
            f"contribution: {int((~np.isfinite(change)).sum())} changes are not finite",
        )
    return change
