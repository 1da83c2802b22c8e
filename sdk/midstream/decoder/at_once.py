"""All slices of a stack by one call of a kernel. Knows nothing of what is wrong with a payload."""

from midstream.bitstream import Operation
from midstream.codec import digits, grid, levels, refined_points, values
from midstream.codec.tables import codeword_frequencies
from midstream.decoder.layout import network_of, work_of
from midstream.decoder.memory import most_together
from midstream.decoder.stack import Stack
from midstream.decoder.steps import rebuild_slice
from midstream.kernels import decode_stacked

__all__ = ["rebuild_at_once"]


def rebuild_at_once(stack: Stack, model: memoryview) -> bool:
    """Write the weights of all slices into a model.

    Returns:
        False where that cannot be done, or a payload is malformed.

    Raises:
        BitstreamError: A payload of a raw slice is malformed.
    """
    if decode_stacked is None:
        return False
    done = decode_stacked(
        network_of(stack.head),
        work_of(stack),
        levels=levels.slots(),
        digits=digits.starts(),
        refined=(refined_points.starts(), codeword_frequencies()),
        values=values.frequencies(),
        sizes=grid.float_sizes(0),
        weights=most_together(stack.head, stack.records),
        out=model,
    )
    for index, records in enumerate(stack.records):
        if done and records[-1].operation is Operation.RAW:
            rebuild_slice(stack, index, model)
    return done
