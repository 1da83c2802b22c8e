"""Interpreters, and two slots to change them while they are in use.

Knows nothing of units, signatures or links: it gets model files as bytes.
"""

from midstream.runtime.backend import Backend, Network, TensorInfo
from midstream.runtime.fidelity import Evaluator
from midstream.runtime.interpreters import LITERT, TFLITE, InterpreterBackend, find_backend
from midstream.runtime.slots import Generation, PinnedNetwork, Slots

__all__ = [
    "LITERT",
    "TFLITE",
    "Backend",
    "Evaluator",
    "Generation",
    "InterpreterBackend",
    "Network",
    "PinnedNetwork",
    "Slots",
    "TensorInfo",
    "find_backend",
]
