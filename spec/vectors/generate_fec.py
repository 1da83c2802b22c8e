"""Writes fec.json: blocks and parity, made by `reedsolo` alone, not by the code under test."""

import json
from pathlib import Path

import reedsolo

BLOCKS = [("one!two!four", 3, 2), ("0123456789abcdef", 8, 5), ("z" * 60, 60, 12)]


def block(text: str, packets: int, repair: int) -> dict[str, object]:
    """The repair symbols of a text cut into packets: a codeword in each column."""
    data = text.encode()
    size = len(data) // packets
    rows = [data[i : i + size] for i in range(0, len(data), size)]
    coder = reedsolo.RSCodec(repair)
    columns = [coder.encode(bytes(row[i] for row in rows))[-repair:] for i in range(size)]
    symbols = bytes(columns[i][j] for j in range(repair) for i in range(size))
    return {"packets": [row.hex() for row in rows], "repair": repair, "symbols": symbols.hex()}


def small(data: bytes, symbols: int) -> dict[str, object]:
    """The parity of a small file (spec/recovery.md, "Small files")."""
    columns = max(4, -(-len(data) // (255 - symbols)))
    rows = max(1, -(-len(data) // columns))
    table = data + bytes(rows * columns - len(data))
    coder = reedsolo.RSCodec(symbols)
    tails = [coder.encode(table[column::columns])[-symbols:] for column in range(columns)]
    body = bytes(tails[column][row] for row in range(symbols) for column in range(columns))
    header = len(data).to_bytes(4, "little") + bytes([symbols, 0, 0, 0])
    half = len(body) // 2
    parity = header + body[:half] + header + body[half:] + header
    return {"data": data.hex(), "symbols": symbols, "parity": parity.hex()}


if __name__ == "__main__":
    vectors = {
        "blocks": [block(*case) for case in BLOCKS],
        "small": [small(b"midstream", 51), small(b"", 40), small(bytes(range(256)) * 2, 85)],
    }
    target = Path(__file__).with_name("fec.json")
    target.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{target}: {len(vectors['blocks'])} blocks, {len(vectors['small'])} small files")
