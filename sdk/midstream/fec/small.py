"""Parity for small files whose damage is anywhere: errors and erasures, by `reedsolo`.

Knows nothing of hashes or signatures: whoever corrects a file verifies it afterwards.
"""

from collections import Counter
from functools import lru_cache

import numpy as np
import reedsolo
from numpy.typing import NDArray

from midstream.errors import ErrorCode, LimitError, RecoveryError
from midstream.fec import blocks
from midstream.kernels import combine_rows, gf256
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
    rows = _rows(data, _columns(len(data), symbols))
    body = blocks.encode(rows, symbols).tobytes()
    header = len(data).to_bytes(4, "little") + bytes([symbols, 0, 0, 0])
    half = len(body) // 2
    return header + body[:half] + header + body[half:] + header


def correct(data: bytes, parity: bytes) -> bytes:
    """A file as it was, from one that is damaged or cut short and its parity.

    Args:
        data: What came of the file.
        parity: What `protect` gave, perhaps damaged too, or without its end.

    Returns:
        The file, if no codeword has more damage than it corrects; whoever asked verifies it.

    Raises:
        RecoveryError: More is wrong than the parity covers, or the parity is of another file.
        LimitError: The file would be too large.
    """
    size, symbols, body = _split(parity)
    columns = _columns(size, symbols)
    if len(data) > size:
        raise _impossible(f"{len(data)} bytes, its parity is of {size}")
    table = _rows(data + bytes(size - len(data)), columns)
    tail = np.frombuffer(body.ljust(symbols * columns, b"\0"), np.uint8)
    words = np.concatenate([table, tail.reshape(symbols, columns)])
    missing = np.zeros(words.size, np.bool_)
    missing[len(data) : size] = True
    missing[table.size + len(body) :] = True
    _correct_words(words, missing.reshape(words.shape), symbols)
    return words[: len(table)].tobytes()[:size]


def _correct_words(words: NDArray[np.uint8], missing: NDArray[np.bool_], symbols: int) -> None:
    """Correct the codewords, one in each column, in place."""
    damaged = np.flatnonzero(_syndromes(words, symbols).any(axis=0))
    if len(damaged) > LIMITS.damaged_codewords:
        raise _impossible(
            f"{len(damaged)} damaged codewords, at most {LIMITS.damaged_codewords} are corrected"
        )
    for column in damaged:
        erasures = np.flatnonzero(missing[:, column]).tolist()
        words[:-symbols, column] = _solve(words[:, column], symbols, erasures)


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
    starts = _header_starts(len(parity))
    if starts[1] < _HEADER:
        raise _impossible(f"parity of {len(parity)} bytes")
    copies = [parity[start : start + _HEADER] for start in starts]
    # without its end the other copies are somewhere else, so then the first one counts alone;
    # half of it must be there, so that nobody reserves much memory by a few bytes
    candidates = [(_majority(copies), len(parity)), (copies[0], 2 * len(parity))]
    for header, longest in candidates:
        size, symbols = int.from_bytes(header[:4], "little"), header[4]
        if not 0 < symbols <= _MOST_SYMBOLS or header[5:] != bytes(3):
            continue
        whole = _columns(size, symbols) * symbols + _COPIES * _HEADER
        if len(parity) <= whole <= longest:
            _check_size(size)
            _, middle, last = _header_starts(whole)
            return size, symbols, parity[_HEADER:middle] + parity[middle + _HEADER : last]
    raise _impossible(f"no header fits {len(parity)} bytes of parity")


def _header_starts(parity_size: int) -> tuple[int, int, int]:
    """Where the copies of the header are: first, in the middle, last."""
    half = (parity_size - _COPIES * _HEADER) // 2
    return 0, _HEADER + half, parity_size - _HEADER


def _majority(copies: list[bytes]) -> bytes:
    """Each byte as most copies have it, as the first has it where none agree."""
    return bytes(Counter(column).most_common(1)[0][0] for column in zip(*copies, strict=True))


def _check_size(size: int) -> None:
    if size > LIMITS.bundle_size:
        raise LimitError(
            ErrorCode.OVER_LIMIT, f"parity: of {size} bytes, at most {LIMITS.bundle_size}"
        )


def _syndromes(words: NDArray[np.uint8], symbols: int) -> NDArray[np.uint8]:
    """(symbols, columns): all zero where a codeword is whole."""
    return combine_rows(_zeros(symbols, len(words)), words)


@lru_cache(maxsize=8)
def _zeros(symbols: int, length: int) -> NDArray[np.uint8]:
    """(symbols, length): powers of the code's zeros, 2^0 and on, the highest first."""
    exponents = np.outer(np.arange(symbols), np.arange(length)[::-1]) % gf256.LONGEST
    powers = np.array(gf256.EXP, np.uint8)[exponents]
    powers.setflags(write=False)  # it is shared by all who ask for it
    return powers


def _solve(word: NDArray[np.uint8], symbols: int, lost: list[int]) -> NDArray[np.uint8]:
    try:
        decoded = _coder(symbols).decode(word.tobytes(), erase_pos=lost)[0]
    except (reedsolo.ReedSolomonError, ZeroDivisionError, IndexError) as error:
        raise _impossible(f"a codeword of {symbols} parity symbols: {error}") from error
    return np.frombuffer(bytes(decoded), np.uint8)


@lru_cache(maxsize=8)
def _coder(symbols: int) -> reedsolo.RSCodec:
    return reedsolo.RSCodec(symbols)


def _impossible(problem: str) -> RecoveryError:
    return RecoveryError(ErrorCode.BAD_CODEWORD, f"small file: {problem}")
