"""Writes carousel.json: datagrams made by `reedsolo` and `zlib`, not by the code under test."""

import json
import zlib
from pathlib import Path

import reedsolo

CASES = [
    ("a small bundle, one block", 0, 100, 40),
    ("one byte", 1, 1, 1),
    ("two blocks and their joint symbols", 1, 300, 2),
    ("padding in the last symbols", 1, 1001, 3),
]


def shape(size: int, symbol: int) -> tuple[int, int, int, int]:
    """Blocks, source symbols of each, columns sent by block, joint rows (spec/delivery.md)."""
    symbols = -(-size // symbol)
    blocks = -(-symbols // 145)
    source = -(-symbols // blocks)
    joint = 32 if 2 <= blocks <= 230 else 0
    columns = 255 - joint
    return blocks, source, columns, -(-12 * blocks * columns // 32000) if joint else 0


def coded(rows: list[bytes], repair: int) -> list[bytes]:
    """Symbols and their repair symbols: a codeword in each column of bytes."""
    coder = reedsolo.RSCodec(repair)
    words = [coder.encode(bytes(column)) for column in zip(*rows, strict=True)]
    return [bytes(word[at] for word in words) for at in range(len(rows) + repair)]


def grid(data: bytes, symbol: int) -> dict[tuple[int, int], bytes]:
    """All symbols that are sent, by row and column."""
    blocks, source, columns, joint = shape(len(data), symbol)
    padded = data.ljust(blocks * source * symbol, b"\0")
    parts = [padded[at : at + symbol] for at in range(0, len(padded), symbol)]
    rows = [coded(parts[row * source :][:source], 255 - source) for row in range(blocks)]
    sent = {(row, column): rows[row][column] for row in range(blocks) for column in range(columns)}
    for column in range(columns, 255):
        for row, value in enumerate(coded([line[column] for line in rows], joint)):
            if row >= blocks:
                sent[row, column] = value
    return sent


def datagram(kind: int, name: bytes, size: int, place: tuple[int, int], symbol: bytes) -> bytes:
    """One symbol with its header."""
    row, column = place
    head = bytes([0xCA, kind]) + row.to_bytes(2, "little") + bytes([column])
    head += size.to_bytes(4, "little") + name
    return head + zlib.crc32(head + symbol).to_bytes(4, "little") + symbol


def case(what: str, kind: int, size: int, symbol: int) -> dict[str, object]:
    """An object and some of its datagrams: the first, the last, and those around joints."""
    data = bytes((at * at + at // 7) % 251 for at in range(size))
    name = bytes(range(1, 9))
    blocks, source, columns, joint = shape(size, symbol)
    places = [(0, 0), (blocks - 1, source - 1), (0, source), (blocks - 1, columns - 1)]
    places += [(blocks, columns), (blocks + joint - 1, 254)] if joint else []
    sent = grid(data, symbol)
    return {
        "what": what,
        "data": data.hex(),
        "symbol_size": symbol,
        "blocks": blocks,
        "source": source,
        "joint_rows": joint,
        "symbols": len(sent),
        "datagrams": [datagram(kind, name, size, at, sent[at]).hex() for at in places],
    }


if __name__ == "__main__":
    target = Path(__file__).with_name("carousel.json")
    vectors = [case(*one) for one in CASES]
    target.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{target}: {len(vectors)} objects")
