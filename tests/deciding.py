"""Decisions by fake networks in two slots."""

import numpy as np

from midstream.runtime import Generation, Slots
from midstream.testing.runtime import FakeBackend

x = np.array([[1, 2, 3, 4]], "f4")


def of(backend: FakeBackend, model: bytes) -> bytes:
    """What a network of this model file gives."""
    return backend.load(model).run(x)[0].tobytes()


def decide(slots: Slots) -> bytes:
    with slots.pin() as network:
        return np.asarray(network.run(x)).tobytes()


def take(
    slots: Slots, model: bytes | memoryview, *, release: int = 1, layer: int = 0
) -> Generation:
    """Stage and swap."""
    slots.stage(model, release=release, layer=layer)
    generation = slots.swap()
    assert generation is not None
    return generation
