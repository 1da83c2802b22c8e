"""A small real network: 1,797 handwritten digits, 64 pixels each, one hidden layer, in an NPZ."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_digits

HIDDEN, HELD_OUT, BATCH, RATE = 256, 450, 32, 0.1
Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Digits:
    """Pictures, (pictures, 64) of 0 to 1, and what they show."""

    pictures: NDArray[np.float32]
    labels: NDArray[np.int64]

    def part(self, start: int, stop: int | None, step: int = 1) -> "Digits":
        """Some of them."""
        return Digits(self.pictures[start:stop:step], self.labels[start:stop:step])


def load() -> tuple[Digits, Digits]:
    """What is learnt from, and what nobody learns from."""
    pictures, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pictures))
    all_digits = Digits((pictures[order] / 16).astype(np.float32), labels[order])
    return all_digits.part(HELD_OUT, None), all_digits.part(0, HELD_OUT)


def save(arrays: Arrays) -> bytes:
    """Weights as a model file."""
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]  # the names of arrays are its arguments
    return out.getvalue()


def new_network(seed: int = 1) -> bytes:
    """A network that knows nothing."""
    rng = np.random.default_rng(seed)
    sizes = {"a": (64, HIDDEN), "b": (HIDDEN,), "c": (HIDDEN, 10), "d": (10,)}
    return save({n: (rng.standard_normal(s) / 8).astype(np.float32) for n, s in sizes.items()})


def scores(arrays: Arrays, pictures: NDArray[np.float32]) -> tuple[Arrays, NDArray[np.float32]]:
    """What is inside, and ten scores for each picture."""
    inside = np.maximum(pictures @ arrays["a"] + arrays["b"], 0)
    return {"inside": inside}, inside @ arrays["c"] + arrays["d"]


def accuracy(model: bytes, digits: Digits) -> float:
    """Percent of pictures that a network reads right."""
    found = scores(dict(np.load(io.BytesIO(model))), digits.pictures)[1].argmax(1)
    return 100 * float((found == digits.labels).mean())


def train(model: bytes, digits: Digits, *, epochs: int, seed: int) -> bytes:
    """A network that has seen some more pictures: stochastic gradient descent."""
    arrays = {name: array.copy() for name, array in np.load(io.BytesIO(model)).items()}
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(digits.pictures))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            _step(arrays, digits.pictures[chosen], digits.labels[chosen])
    return save(arrays)


def _step(arrays: Arrays, pictures: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    kept, found = scores(arrays, pictures)
    wrong = np.exp(found - found.max(1, keepdims=True))
    wrong /= wrong.sum(1, keepdims=True)
    wrong[np.arange(len(labels)), labels] -= 1
    wrong *= RATE / len(labels)
    back = (wrong @ arrays["c"].T) * (kept["inside"] > 0)
    arrays["c"] -= kept["inside"].T @ wrong
    arrays["d"] -= wrong.sum(0)
    arrays["a"] -= pictures.T @ back
    arrays["b"] -= back.sum(0)


def draw(curves: dict[str, list[float]], path: Path) -> None:
    """Accuracies by round, as a picture."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(range(len(values)), values, marker="o", markersize=3, label=name)
    axes.set(xlabel="round", ylabel="held-out digits read right, %", ylim=(0, 100))
    axes.set_title("Four providers and one that lies, merged by rule")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
