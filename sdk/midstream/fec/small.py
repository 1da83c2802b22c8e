"""Parity for small files whose damage is anywhere: errors and erasures, by `reedsolo`.

Knows nothing of hashes or signatures: whoever corrects a file verifies it afterwards.
"""

from collections import Counter

import numpy as np
import reedsolo
from numpy.typing import NDArray

from midstream.errors import ErrorCode, LimitError, RecoveryError
from midstream.kernels import gf256
from midstream.limits import LIMITS

__all__ = ["correct", "protect"]

_LEAST_COLUMNS = 4
"""A burst is spread over at least so many codewords."""
_LEAST_SYMBOLS = 40
_MOST_SYMBOLS = 126
_LONGEST = 255
_HEADER = 8
_COPIES = 3


def protect(data: bytes, *, repair: float = 0.25) -> bytes:
    """Parity that corrects damaged and missing bytes of a file, and of itself.

    Args:
        data: The file; at most 2^32 - 1 bytes.
        repair: Parity bytes per byte, at least; small files get more.

    Returns:
        The parity (spec/recovery.md, "Small files").
    """
    symbols = max(_LEAST_SYMBOLS, min(_MOST_SYMBOLS, round(_LONGEST * repair / (1 + repair))))
    columns = _columns(len(data), symbols)
    coder = reedsolo.RSCodec(symbols)
    rows = _rows(data, columns)
    parity = [bytes(coder.encode(column.tobytes())[-symbols:]) for column in rows.T]
    body = np.frombuffer(b"".join(parity), np.uint8).reshape(columns, symbols).T.tobytes()
    header = len(data).to_bytes(4, "little") + bytes([symbols, 0, 0, 0])
    half = len(body) // 2
    return header + body[:half] + header + body[half:] + header


def correct(data: bytes, parity: bytes) -> bytes:
    """A file as it was, from one that is damaged or cut short and its parity.

    Args:
        data: What came of the file.
        parity: What `protect` gave, perhaps damaged too.

    Raises:
        RecoveryError: More is wrong than the parity covers, or the parity is of another file.
        LimitError: The file would be too large.
    """
    size, symbols, body = _split(parity)
    columns = _columns(size, symbols)
    if len(body) != columns * symbols or len(data) > size:
        raise _impossible(f"{len(data)} bytes do not go with {len(parity)} of parity")
    missing = range(len(data), size)
    rows = _rows(data + bytes(size - len(data)), columns)
    tail = np.frombuffer(body, np.uint8).reshape(symbols, columns)
    words = np.concatenate([rows, tail])
    erasures = {place // columns for place in missing}
    for column in np.flatnonzero(_syndromes(words, symbols).any(axis=0)):
        lost = [row for row in erasures if row * columns + column >= len(data)]
        words[: len(rows), column] = _solve(words[:, column], symbols, sorted(lost))
    return words[: len(rows)].tobytes()[:size]


def _columns(size: int, symbols: int) -> int:
    return max(_LEAST_COLUMNS, -(-size // (_LONGEST - symbols)))


def _rows(data: bytes, columns: int) -> NDArray[np.uint8]:
    """Bytes row by row, zero-padded, so that neighbours are in different columns."""
    rows = max(1, -(-len(data) // columns))
    table = np.zeros(rows * columns, np.uint8)
    table[: len(data)] = np.frombuffer(data, np.uint8)
    return table.reshape(rows, columns)


def _split(parity: bytes) -> tuple[int, int, bytes]:
    """Size of the file, parity symbols of a codeword, and the parity without its headers."""
    body_size = len(parity) - _COPIES * _HEADER
    if body_size < 0:
        raise _impossible(f"parity of {len(parity)} bytes")
    half = body_size // 2
    starts = (0, _HEADER + half, len(parity) - _HEADER)
    votes = Counter(parity[start : start + _HEADER] for start in starts)
    header, _ = votes.most_common(1)[0]
    size, symbols = int.from_bytes(header[:4], "little"), header[4]
    if size > LIMITS.bundle_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"parity: of {size} bytes, at most {LIMITS.bundle_size}"
        )
    if not 0 < symbols <= _MOST_SYMBOLS or header[5:] != bytes(3):
        raise _impossible(f"parity of {symbols} symbols a codeword")
    middle = _HEADER + half
    return size, symbols, parity[_HEADER:middle] + parity[middle + _HEADER : -_HEADER]


def _syndromes(words: NDArray[np.uint8], symbols: int) -> NDArray[np.uint8]:
    """(symbols, columns): all zero where a codeword is whole."""
    length = len(words)
    powers = [
        [gf256.EXP[j * (length - 1 - i) % 255] for i in range(length)] for j in range(symbols)
    ]
    return gf256.combine(np.array(powers, np.uint8), words)


def _solve(word: NDArray[np.uint8], symbols: int, lost: list[int]) -> NDArray[np.uint8]:
    try:
        decoded = reedsolo.RSCodec(symbols).decode(word.tobytes(), erase_pos=lost)[0]
    except (reedsolo.ReedSolomonError, ZeroDivisionError, IndexError) as error:
        raise _impossible(f"a codeword of {symbols} parity symbols: {error}") from error
    return np.frombuffer(bytes(decoded), np.uint8)


def _impossible(problem: str) -> RecoveryError:
    return RecoveryError(ErrorCode.BAD_CODEWORD, f"small file: {problem}")
