"""Stacks of units to model files, a few slices at a time.

Knows nothing of transport or trust: the units given were verified before.
"""

from collections.abc import Sequence
from mmap import mmap

from midstream import formats
from midstream.bitstream import Head
from midstream.decoder.at_once import rebuild_at_once
from midstream.decoder.stack import Stack, read_stack
from midstream.decoder.steps import rebuild_slices
from midstream.decoder.straight import Straight, open_straight
from midstream.errors import ErrorCode, UsageError
from midstream.kernels import blank
from midstream.limits import LIMITS, Limits

__all__ = ["rebuild", "rebuild_into"]


def rebuild(
    units: Sequence[bytes | bytearray | memoryview], *, limits: Limits = LIMITS
) -> bytearray:
    """Decode a base and the units on it into a model file.

    It gives the whole model or raises; what was there before is not touched.

    Args:
        units: The base, then each unit with the one before it as its parent.
        limits: Bounds on what they claim.

    Returns:
        The bytes of the model file; those of the original once the exact unit is among them.

    Raises:
        BitstreamError: A unit is malformed, or does not belong on the one before it.
        LimitError: A count or size is over its limit.
        UsageError: There is no unit.
    """
    straight = open_straight(units, limits)
    if straight is not None:
        model = blank(straight.model_size)
        if _goes_straight(straight, model):
            return model
    # object by object what is wrong is found out
    stack = read_stack(units, limits=limits)
    model = blank(stack.model_size)
    with memoryview(model) as view:
        _rebuild_slices(stack, view)
    return model


def rebuild_into(stack: Stack, model: bytearray | memoryview | mmap) -> None:
    """Decode a stack in place; besides, it takes `stack.working_memory` at most.

    Args:
        stack: As `read_stack` gives it.
        model: A writable buffer of `stack.model_size` bytes, such as a file mapped into memory;
            what it held does not matter. After an error it is no model.

    Raises:
        BitstreamError: A payload is malformed.
        UsageError: The buffer is of another size, or cannot be written.
    """
    with memoryview(model).cast("B") as view:
        if view.readonly or len(view) != stack.model_size:
            raise UsageError(
                ErrorCode.BAD_ARGUMENT,
                f"a buffer of {len(view)} bytes for a model of {stack.model_size}",
            )
        straight = open_straight(stack.units, LIMITS)
        if straight is None or not _goes_straight(straight, view):
            _rebuild_slices(stack, view)


def _goes_straight(straight: Straight, model: bytearray | memoryview) -> bool:
    """Whether a model was made by one call."""
    with memoryview(model) as view:
        done = straight.decode_into(view)
        if done:
            formats.settle(view)
    return done


def _rebuild_slices(stack: Stack, model: memoryview) -> None:
    """Slices from what is known of their stack."""
    stack.head.topology.fill(model)
    if not rebuild_at_once(stack, model):
        # step by step what is wrong is found out
        rebuild_slices(stack, model)
    _copy_tied(model, stack.head)
    formats.settle(model)


def _copy_tied(model: memoryview, head: Head) -> None:
    """Tensors that are the same as earlier ones, which are no copies themselves."""
    tensors = head.topology.tensors
    for tensor, code in zip(tensors, head.codes, strict=True):
        if code.same_as is not None:
            first = tensors[code.same_as]
            model[tensor.offset : tensor.end] = model[first.offset : first.end]
