"""Trains small networks and fine-tunes them in every way; runs where PyTorch is.

    python training.py FOLDER [--seed N]

Two networks, a convolutional one for pictures and a transformer for sequences, are trained on
made-up tasks until they solve them, and then fine-tuned on tasks that moved a little. Each pair
is written as `NETWORK-KIND.old.safetensors` and `NETWORK-KIND.new.safetensors`; and what some
fine-tunes are after every few steps, `chains/NETWORK-KIND.NUMBER.safetensors`. The same seed
gives the same files on one machine.
"""

import argparse
import copy
import functools
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_CLASSES, _ADDED = 10, 3
_SIDE, _LENGTH, _WORDS = 16, 24, 256
_RANK = 4
_LINKS, _STEPS_OF_LINK = 20, 3
Task = Callable[[torch.Generator, int, float, int], tuple[torch.Tensor, torch.Tensor]]


class Pictures(nn.Module):
    """A small convolutional classifier."""

    def __init__(self, classes: int = _CLASSES) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.middle = nn.Conv2d(32, 64, 3, padding=1, stride=2)
        self.deep = nn.Conv2d(64, 128, 3, padding=1, stride=2)
        self.hidden = nn.Linear(128 * 16, 128)
        self.head = nn.Linear(128, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of pictures."""
        x = functional.relu(self.stem(x))
        x = functional.relu(self.middle(x))
        x = functional.relu(self.deep(x))
        return self.head(functional.relu(self.hidden(x.flatten(1))))


class Block(nn.Module):
    """One layer of a transformer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """States of words to states of words."""
        y = self.first(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.down(functional.gelu(self.up(self.second(x))))


class Sequences(nn.Module):
    """A small transformer that classifies sequences of words."""

    def __init__(self, classes: int = _CLASSES, width: int = 96) -> None:
        super().__init__()
        self.words = nn.Embedding(_WORDS, width)
        self.places = nn.Parameter(torch.randn(_LENGTH, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width), Block(width)])
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of sequences."""
        y = self.words(x) + self.places
        for block in self.blocks:
            y = block(y)
        return self.head(y.mean(1))


def pictures(
    rng: torch.Generator, count: int, moved: float, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy gratings; each class has its direction and colour, which move with the task."""
    label = torch.randint(classes, (count,), generator=rng)
    angle = (label / (_CLASSES + _ADDED) + 0.03 * moved) * torch.pi
    place = torch.linspace(-1, 1, _SIDE)
    wave = (
        torch.cos(angle)[:, None, None] * place + torch.sin(angle)[:, None, None] * place[:, None]
    )
    colour = torch.stack([torch.cos(2 * angle), torch.sin(2 * angle), torch.cos(3 * angle)], 1)
    grating = torch.sin(6 * wave + 6.28 * torch.rand(count, 1, 1, generator=rng))
    clean = grating[:, None] * (1 + 0.5 * colour[:, :, None, None])
    return clean + (1.6 + 0.2 * moved) * torch.randn(clean.shape, generator=rng), label


def sequences(
    rng: torch.Generator, count: int, moved: float, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Words of which some are of their class; which ones moves with the task."""
    label = torch.randint(classes, (count,), generator=rng)
    words = torch.randint(_WORDS, (count, _LENGTH), generator=rng)
    own = (label[:, None] * 17 + words % 5 + int(4 * moved)) % _WORDS
    chosen = torch.rand(count, _LENGTH, generator=rng) < 0.35
    return torch.where(chosen, own, words), label


def train(
    model: nn.Module,
    task: Task,
    rng: torch.Generator,
    *,
    steps: int,
    rate: float,
    moved: float = 0.0,
    classes: int = _CLASSES,
    after: Callable[[], None] = lambda: None,
) -> float:
    """Train what requires gradients; the share of the last batches that was right."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    right = 0.0
    for step in range(steps):
        x, label = task(rng, 64, moved, classes)
        logits = model(x)
        optimiser.zero_grad()
        functional.cross_entropy(logits, label).backward()
        optimiser.step()
        after()
        if step >= steps - 10:
            right += float((logits.argmax(1) == label).float().mean()) / 10
    return right


def fine_tunes(
    model: nn.Module, task: Task, make: Callable[[int], nn.Module], seed: int
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], float]]:
    """Kind, tensors before, tensors after, and how often it is right after."""
    old = arrays(model)
    for kind, tune in _TUNES.items():
        rng = torch.Generator().manual_seed(seed + 1)
        torch.manual_seed(seed + 1)
        yield kind, old, *tune(copy.deepcopy(model), task, rng, make)
    rng = torch.Generator().manual_seed(seed + 1)
    tuned = copy.deepcopy(model)
    right = train(tuned, task, rng, steps=60, rate=1e-4, moved=1.0)
    yield "quantised again", quantised(old), quantised(arrays(tuned)), right


def chains(model: nn.Module, task: Task, seed: int) -> Iterator[tuple[str, list[Any]]]:
    """Kind, and the tensors of each release on the way of a fine-tune, the first one included."""
    for kind, rate in (("all weights", 1e-5), ("last operators", 1e-4)):
        tuned = copy.deepcopy(model)
        tuned.requires_grad_(kind == "all weights")
        tuned.head.requires_grad_(True)  # type: ignore[union-attr] # both networks have one
        steps: list[Any] = []
        _keep(tuned, steps)
        train(
            tuned,
            task,
            torch.Generator().manual_seed(seed + 1),
            steps=_LINKS * _STEPS_OF_LINK,
            rate=rate,
            moved=1.0,
            after=functools.partial(_keep, tuned, steps),
        )
        yield kind, steps[::_STEPS_OF_LINK]


def _keep(model: nn.Module, steps: list[Any]) -> None:
    steps.append({name: tensor.clone() for name, tensor in arrays(model).items()})


def arrays(model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a network."""
    return {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}


_Tuned = tuple[dict[str, torch.Tensor], float]
_Make = Callable[[int], nn.Module]


def _all(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    right = train(model, task, rng, steps=60, rate=1e-5, moved=1.0)
    return arrays(model), right


def _last(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    model.requires_grad_(False)
    model.head.requires_grad_(True)  # type: ignore[union-attr] # both networks have one
    right = train(model, task, rng, steps=60, rate=1e-4, moved=1.0)
    return arrays(model), right


class _Adapted(nn.Module):
    """A weight and two small factors whose product is added."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.zeros(rows, _RANK))
        self.right = nn.Parameter(torch.randn(_RANK, columns) / columns**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with its adapter."""
        return weight + (self.left @ self.right).reshape(weight.shape)


def _low_rank(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    model.requires_grad_(False)
    adapted = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    adapted = [m for m in adapted if m.weight.numel() > 4096]
    for module in adapted:
        adapter = _Adapted(module.weight.shape[0], module.weight[0].numel())
        nn.utils.parametrize.register_parametrization(module, "weight", adapter)
        module.parametrizations.weight.original.requires_grad_(False)
    right = train(model, task, rng, steps=100, rate=1e-3, moved=1.0)
    for module in adapted:
        nn.utils.parametrize.remove_parametrizations(module, "weight")
    return arrays(model), right


def _pruned(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    weights = [p for p in model.parameters() if p.numel() > 4096]
    masks = [p.abs() >= p.abs().flatten().median() for p in weights]

    def prune() -> None:
        with torch.no_grad():
            for weight, mask in zip(weights, masks, strict=True):
                weight *= mask

    prune()
    x, label = task(rng, 640, 0.0, _CLASSES)
    return arrays(model), float((model(x).argmax(1) == label).float().mean())


def _pruned_and_trained(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    weights = [p for p in model.parameters() if p.numel() > 4096]
    masks = [p.abs() >= p.abs().flatten().median() for p in weights]

    def prune() -> None:
        with torch.no_grad():
            for weight, mask in zip(weights, masks, strict=True):
                weight *= mask

    right = train(model, task, rng, steps=60, rate=1e-5, after=prune)
    return arrays(model), right


def _more_classes(model: nn.Module, task: Task, rng: torch.Generator, make: _Make) -> _Tuned:
    larger = make(_CLASSES + _ADDED)
    known = arrays(model)
    with torch.no_grad():
        for name, tensor in larger.state_dict().items():
            block = known[name]
            tensor[tuple(slice(n) for n in block.shape)] = block
    larger.requires_grad_(False)
    larger.head.requires_grad_(True)  # type: ignore[union-attr] # both networks have one
    right = train(larger, task, rng, steps=200, rate=1e-4, classes=_CLASSES + _ADDED)
    return arrays(larger), right


class _Wider(nn.Module):
    """A network with one more operator before its head."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.extra = nn.Linear(model.head.in_features, model.head.in_features)  # type: ignore[union-attr,arg-type]
        nn.init.eye_(self.extra.weight)
        nn.init.zeros_(self.extra.bias)
        self.head, self.rest = model.head, model
        model.head = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.head(functional.relu(self.extra(self.rest(x))))  # type: ignore[operator]


def _topology(model: nn.Module, task: Task, rng: torch.Generator, _: _Make) -> _Tuned:
    model.requires_grad_(False)
    wider = _Wider(model)
    wider.head.requires_grad_(True)  # type: ignore[union-attr,operator]
    right = train(wider, task, rng, steps=60, rate=1e-4, moved=1.0)
    found = {name.removeprefix("rest."): tensor for name, tensor in arrays(wider).items()}
    return found, right


_TUNES = {
    "all weights": _all,
    "last operators": _last,
    "low rank": _low_rank,
    "pruned": _pruned,
    "pruned and trained": _pruned_and_trained,
    "classes added": _more_classes,
    "topology changed": _topology,
}


def quantised(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices as int8 with a scale for each row."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            found[name] = tensor
            continue
        rows = tensor.flatten(1)
        scale = rows.abs().amax(1).clamp(min=1e-12) / 127
        found[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
        found[name + ".scale"] = scale
    return found


def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """A safetensors file."""
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    at = 0
    for name, tensor in sorted(tensors.items()):
        data = tensor.numpy().tobytes()
        dtype = "I8" if tensor.dtype is torch.int8 else "F32"
        header[name] = {
            "dtype": dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main() -> None:
    """Train, fine-tune, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    (options.folder / "chains").mkdir(parents=True, exist_ok=True)
    both: dict[str, tuple[_Make, Task, int]] = {
        "pictures": (Pictures, pictures, 250),
        "sequences": (Sequences, sequences, 250),
    }
    for network, (make, task, steps) in both.items():
        torch.manual_seed(options.seed)
        model = make(_CLASSES)
        rng = torch.Generator().manual_seed(options.seed)
        right = train(model, task, rng, steps=steps, rate=1e-3)
        print(f"{network}: {right:.3f} right", flush=True)
        for kind, old, new, after in fine_tunes(model, task, make, options.seed):
            name = f"{network}-{kind.replace(' ', '_')}"
            write(options.folder / f"{name}.old.safetensors", old)
            write(options.folder / f"{name}.new.safetensors", new)
            print(f"{name}: {after:.3f} right", flush=True)
        for kind, releases in chains(model, task, options.seed):
            for number, tensors in enumerate(releases):
                name = f"{network}-{kind.replace(' ', '_')}.{number:02}"
                write(options.folder / "chains" / f"{name}.safetensors", tensors)


if __name__ == "__main__":
    main()
