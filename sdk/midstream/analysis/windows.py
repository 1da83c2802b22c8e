"""Which numbers a kernel meets at each place. Knows nothing of what is done with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "gather", "gather_transposed"]

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A kernel that slides along one axis."""

    size: int
    """Taps of the kernel."""
    stride: int
    """Places of the input from one output to the next."""
    dilation: int
    """Places of the input from one tap to the next."""
    before: int
    """Zeros before the input's first place."""
    inputs: int
    """Places of the input."""
    outputs: int
    """Places of the output."""

    @classmethod
    def make(
        cls, inputs: int, size: int, *, stride: int = 1, dilation: int = 1, is_same: bool
    ) -> "Window":
        """A window by the rules of TFLite: padded so that the size stays, or not padded."""
        reach = (size - 1) * dilation + 1
        outputs = -(-inputs // stride) if is_same else max(0, -(-(inputs - reach + 1) // stride))
        missing = max((outputs - 1) * stride + reach - inputs, 0) if is_same else 0
        return cls(
            size=size,
            stride=stride,
            dilation=dilation,
            before=missing // 2,
            inputs=inputs,
            outputs=outputs,
        )

    @property
    def after(self) -> int:
        """Zeros after the input's last place that some tap meets."""
        reach = (self.outputs - 1) * self.stride + (self.size - 1) * self.dilation + 1
        return max(0, reach - self.before - self.inputs)

    def first(self, tap: int) -> int:
        """Where, in the padded input, a tap meets its first place."""
        return tap * self.dilation

    def places(self, tap: int) -> slice:
        """The places of the padded input that a tap meets, one for each output."""
        start = tap * self.dilation
        return slice(start, start + (self.outputs - 1) * self.stride + 1, self.stride)

    def reads(self, outputs: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """(n, size) places of the input that outputs read, and whether they are inside."""
        taps = np.arange(self.size) * self.dilation
        places = outputs[:, None] * self.stride - self.before + taps
        inside = (places >= 0) & (places < self.inputs)
        return np.where(inside, places, 0), inside

    def writers(self, inputs: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """(n, size) outputs that read places of the input, and whether there is one."""
        ahead = inputs[:, None] + self.before - np.arange(self.size) * self.dilation
        places = ahead // self.stride
        inside = (ahead % self.stride == 0) & (places >= 0) & (places < self.outputs)
        return np.where(inside, places, 0), inside


Windows = tuple[Window, Window]
"""Of height and width."""


def gather(data: NDArray[np.float32], windows: Windows, chosen: Indices) -> NDArray[np.float32]:
    """Patches that a convolution reads for some outputs.

    Args:
        data: (n, height, width, channels).
        windows: Of height and width.
        chosen: (patches,) outputs, numbered through (n, height, width).

    Returns:
        (patches, kernel height, kernel width, channels), zero outside of the input.
    """
    high, wide = windows
    image, y, x = np.unravel_index(chosen, (data.shape[0], high.outputs, wide.outputs))
    return _pick(data, image, high.reads(y), wide.reads(x))


def gather_transposed(
    data: NDArray[np.float32], windows: Windows, chosen: Indices
) -> NDArray[np.float32]:
    """Patches that a transposed convolution reads for some outputs.

    Args:
        data: (n, height, width, channels).
        windows: Of the convolution that it transposes: its inputs are this one's outputs.
        chosen: (patches,) outputs, numbered through (n, height, width).

    Returns:
        (patches, kernel height, kernel width, channels), zero where nothing is read.
    """
    high, wide = windows
    image, y, x = np.unravel_index(chosen, (data.shape[0], high.inputs, wide.inputs))
    return _pick(data, image, high.writers(y), wide.writers(x))


def _pick(
    data: NDArray[np.float32],
    image: Indices,
    rows: tuple[Indices, NDArray[np.bool_]],
    columns: tuple[Indices, NDArray[np.bool_]],
) -> NDArray[np.float32]:
    inside = rows[1][:, :, None] & columns[1][:, None, :]
    found = data[image[:, None, None], rows[0][:, :, None], columns[0][:, None, :]]
    return np.asarray(found * inside[..., None])
