"""Bounds on everything read from outside. Knows nothing of who reads it.

Each bound is checked before memory is reserved for what it bounds.
"""

from dataclasses import dataclass

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds; sizes in bytes, times in seconds, all inclusive."""

    model_size: int = 2 << 30
    """A model file, and so everything that is rebuilt from units."""
    decode_memory: int = 4 << 30
    """What decoding a release up to a layer may take, by its manifest."""
    unit_size: int = 1 << 30
    """One unit."""
    topology_size: int = 1 << 30
    """A topology after decompression; it is never larger than its model file."""
    tensors: int = 1 << 16
    """Tensors of one model."""
    dimensions: int = 8
    """Axes of one tensor."""
    tensor_name: int = 1024
    """A tensor's name, UTF-8."""
    slice_weights: int = 1 << 16
    """Weights of one slice."""
    scale_deltas: int = 1 << 22
    """Log-scales of rows, columns and taps of all tensors of one model."""
    trits: int = 24
    """Refinements of one slice."""
    units: int = 256
    """Units of one release."""
    manifest_size: int = 1 << 20
    """A manifest."""
    metadata_size: int = 4 << 20
    """One TUF metadata file."""
    bundle_size: int = 64 << 20
    """A bundle, the base in it included."""
    bundle_parts: int = 256
    """Files in a bundle."""
    damaged_codewords: int = 1024
    """Codewords of one small file that are corrected; each may take 30 ms."""
    carousel_memory: int = 256 << 20
    """Symbols of a carousel that are not yet an object, with what goes with each."""
    packet_size: int = 1 << 14
    """A packet: one symbol of a source block, one leaf of a hash tree."""
    header_size: int = 16 << 20
    """The JSON header of a safetensors file."""
    key_size: int = 64 << 10
    """A key file."""
    trace_size: int = 64 << 20
    """A throughput trace file."""
    connect_timeout: float = 10.0
    """From request to the first byte of the answer."""
    read_timeout: float = 10.0
    """Between two reads of one body."""
    heartbeat: float = 30.0
    """Between two signs of life of a channel for news; half of it is allowed for the answer."""
    least_throughput: float = 64.0
    """Bytes per second of a body that has been awaited for `read_timeout`."""
    carousel_silence: float = 2.0
    """Without a datagram of a carousel, before it counts as silent."""
    attempts: int = 6
    """Requests in a row that bring next to nothing before giving up."""
    least_progress: int = 256
    """Bytes that a request brings at least if it brings more than next to nothing."""


LIMITS = Limits()
"""The bounds used where a caller gives none."""
