"""A small multi-layer perceptron and its training, in NumPy. Knows nothing of video."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adam", "Floats32", "Network"]

Floats32 = NDArray[np.float32]


class Network:
    """Fully connected layers; ReLU or tanh between them, nothing after the last.

    All parameters live in one flat array, so that an optimiser, an average and a copy are one
    operation each.
    """

    def __init__(
        self, widths: Sequence[int], *, activation: str = "relu", parameters: Floats32 | None = None
    ) -> None:
        """Make a network of zeros, or of given parameters.

        Args:
            widths: Of the input, of each hidden layer and of the output.
            activation: "relu" or "tanh".
            parameters: Flat; for each layer its weights (inputs, outputs), then its biases.
        """
        self.widths = tuple(widths)
        self._is_relu = activation == "relu"
        count = sum((i + 1) * o for i, o in itertools.pairwise(widths))
        self.parameters = np.zeros(count, np.float32) if parameters is None else parameters
        self.layers = _views(self.parameters, self.widths)

    def initialise(self, rng: np.random.Generator, *, output_scale: float) -> None:
        """Draw weights as He et al. (2015) do, the output's made smaller; biases stay zero.

        Args:
            rng: Random numbers.
            output_scale: Factor on the last layer's weights.
        """
        for index, (weights, _) in enumerate(self.layers):
            gain = 2.0 if self._is_relu else 1.0
            scale = np.sqrt(gain / weights.shape[0])
            if index == len(self.layers) - 1:
                scale *= output_scale
            weights[:] = rng.standard_normal(weights.shape) * scale

    def run(self, inputs: Floats32) -> Floats32:
        """Outputs, (batch, outputs), of inputs, (batch, inputs)."""
        return self.forward(inputs)[-1]

    def forward(self, inputs: Floats32) -> list[Floats32]:
        """The inputs and what each layer makes of them."""
        values = [inputs]
        for weights, biases in self.layers[:-1]:
            value = values[-1] @ weights
            value += biases
            values.append(np.maximum(value, 0.0, out=value) if self._is_relu else np.tanh(value))
        weights, biases = self.layers[-1]
        values.append(values[-1] @ weights + biases)
        return values

    def gradient(self, values: Sequence[Floats32], slope: Floats32) -> Floats32:
        """Gradient of a loss by all parameters, flat.

        Args:
            values: What `forward` returned.
            slope: The loss's gradient by the outputs, (batch, outputs).
        """
        flat = np.empty_like(self.parameters)
        for index in reversed(range(len(self.layers))):
            weights, biases = _views(flat, self.widths)[index]
            np.matmul(values[index].T, slope, out=weights)
            slope.sum(axis=0, out=biases)
            if index > 0:
                slope = slope @ self.layers[index][0].T
                hidden = values[index]
                slope *= hidden > 0.0 if self._is_relu else 1.0 - hidden * hidden
        return flat


def _views(flat: Floats32, widths: Sequence[int]) -> list[tuple[Floats32, Floats32]]:
    layers, start = [], 0
    for inputs, outputs in itertools.pairwise(widths):
        end = start + inputs * outputs
        weights = flat[start:end].reshape(inputs, outputs)
        layers.append((weights, flat[end : end + outputs]))
        start = end + outputs
    return layers


class Adam:
    """Adam (Kingma and Ba, 2015) on one flat array, with the gradient's norm clipped."""

    def __init__(self, parameters: Floats32, *, clip: float = 0.5) -> None:
        self._parameters = parameters
        self._clip = clip
        self._mean = np.zeros_like(parameters)
        self._square = np.zeros_like(parameters)
        self._steps = 0

    def step(self, gradient: Floats32, rate: float) -> None:
        """Move the parameters against a gradient.

        Args:
            gradient: Flat.
            rate: Learning rate.
        """
        norm = float(np.sqrt(np.dot(gradient, gradient)))
        gradient = gradient * np.float32(min(1.0, self._clip / max(norm, 1e-8)))
        self._steps += 1
        self._mean += np.float32(0.1) * (gradient - self._mean)
        self._square += np.float32(0.001) * (gradient * gradient - self._square)
        mean = self._mean / np.float32(1.0 - 0.9**self._steps)
        square = self._square / np.float32(1.0 - 0.999**self._steps)
        self._parameters -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))
