"""What levels and bits stand for. Knows nothing of how anything is written."""

import itertools
import math
import struct

from reference.tensors import BITS, Slice, Tensor

RANGES = {5: (-128, 127), 6: (0, 255), 7: (-8, 7)}  # of the integers that can be coded
SIGNIFICANDS = (
    "0000000000000 0b5586cf9890f 172b83c7d517b 2387a6e756238 306fe0a31b715 3dea64c123422 "
    "4bfdad5362a27 5ab07dd485429 6a09e667f3bcd 7a11473eb0187 8ace5422aa0db 9c49182a3f090 "
    "ae89f995ad3ad c199bdd85529c d5818dcfba487 ea4afa2a490da"
)
M = [float.fromhex(f"0x1.{digits}p0") for digits in SIGNIFICANDS.split(" ")]


def float_bits(value: float, dtype: int) -> int:
    """The bits of a number rounded to a dtype; what is too large is infinite."""
    code, whole = ("<e", "<H") if dtype == 2 else ("<f", "<I")
    try:
        bits = int(struct.unpack(whole, struct.pack(code, value))[0])
    except OverflowError:
        bits = int(struct.unpack(whole, struct.pack(code, math.copysign(math.inf, value)))[0])
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 if dtype == 3 else bits


def bits_float(bits: int, dtype: int) -> float:
    """The number that bits of a dtype stand for."""
    if dtype == 2:
        return float(struct.unpack("<e", bits.to_bytes(2, "little"))[0])
    return float(struct.unpack("<f", (bits << 16 * (dtype == 3)).to_bytes(4, "little"))[0])


def step_of(tensor: Tensor, at: int, digits: int, ratio: int = 1) -> float:
    """The step of a weight of a float tensor after so many digits, cut into so many more."""
    index = tensor.step_index(at)
    return math.ldexp(M[index % 16], index // 16) / float(3**digits * ratio)


def reconstruct(piece: Slice, part: range) -> bytes:
    """The bytes of some weights of a slice from their levels."""
    size, out = BITS[piece.dtype], []
    for i in part:
        tensor, at, _ = piece.weights[i]
        if piece.is_float:
            step = step_of(tensor, at, piece.digits, piece.ratio)
            out.append(float_bits(piece.levels[i] * step, piece.dtype))
        else:
            low, high = RANGES[piece.dtype]
            value = tensor.zero + piece.levels[i] * 3 ** (tensor.step - piece.digits)
            out.append(min(max(value, low), high) & (1 << size) - 1)
    if size == 4:
        out = [a | b << 4 for a, b in itertools.zip_longest(out[::2], out[1::2], fillvalue=0)]
    return b"".join(x.to_bytes((size + 7) // 8, "little") for x in out)
