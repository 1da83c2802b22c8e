"""The hot loops, on plain arrays. Knows nothing of tensors, units or errors of theirs.

Every function here exists in NumPy; whatever else implements one gives the same results.
"""

from midstream.kernels.numpy_kernels import (
    ALPHABET_LIMIT,
    STATE_START,
    TOTAL_BITS,
    pack_bits,
    rans_decode,
    rans_encode,
    read_varints,
    unpack_bits,
    write_varints,
)

__all__ = [
    "ALPHABET_LIMIT",
    "STATE_START",
    "TOTAL_BITS",
    "pack_bits",
    "rans_decode",
    "rans_encode",
    "read_varints",
    "unpack_bits",
    "write_varints",
]
