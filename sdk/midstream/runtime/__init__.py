"""Interpreters, and two slots to change them while they are in use.

Knows nothing of units, signatures or links: it gets model files as bytes.
"""

from midstream.runtime.backend import Array, Backend, Inputs, Network, TensorInfo, in_order
from midstream.runtime.fidelity import Evaluator, output_snr
from midstream.runtime.interpreters import (
    LITERT,
    TFLITE,
    InterpreterBackend,
    Wheel,
    find_backend,
)
from midstream.runtime.pins import Generation, PinnedNetwork
from midstream.runtime.probes import make_probes
from midstream.runtime.slots import Slots
from midstream.runtime.tracing import Tracer, TracingBackend

__all__ = [
    "LITERT",
    "TFLITE",
    "Array",
    "Backend",
    "Evaluator",
    "Generation",
    "Inputs",
    "InterpreterBackend",
    "Network",
    "PinnedNetwork",
    "Slots",
    "TensorInfo",
    "Tracer",
    "TracingBackend",
    "Wheel",
    "find_backend",
    "in_order",
    "make_probes",
    "output_snr",
]
