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


def flipped(data: bytes, *places: int) -> bytes:
    """The same with all bits changed at these places."""
    return bytes(byte ^ 0xFF if at in places else byte for at, byte in enumerate(data))


def corrections() -> list[dict[str, object]]:
    """Damaged files and parities, and the file that comes of them; null where none can."""
    file = bytes(range(200))
    parity = bytes.fromhex(str(small(file, 40)["parity"]))
    middle, last = 8 + (len(parity) - 24) // 2, len(parity) - 8
    cases = [
        ("a burst", flipped(file, *range(60, 124)), parity, file),
        ("a burst over as much as can be", flipped(file, *range(80)), parity, file),
        ("a burst over more", flipped(file, *range(84)), parity, None),
        ("no end", file[:-150], parity, file),
        ("no end and a burst", flipped(file[:-80], *range(40)), parity, file),
        ("no end and too long a burst", flipped(file[:-80], *range(44)), parity, None),
        ("damaged parity", flipped(file, 7), flipped(parity, *range(20, 60)), file),
        ("no first header", flipped(file, 7), flipped(parity, *range(8)), file),
        ("no middle header", file, flipped(parity, *range(middle, middle + 8)), file),
        ("each header damaged", file, flipped(parity, 0, middle + 1, last + 4), file),
        ("parity without its end", flipped(file, 7), parity[:-60], file),
        ("half of the parity", file, parity[: len(parity) // 2], file),
        ("less than half of the parity", file, parity[: len(parity) // 2 - 1], None),
        ("parity of less", file + b"!", parity, None),
    ]
    return [
        {"what": what, "data": data.hex(), "parity": tail.hex(), "file": whole and whole.hex()}
        for what, data, tail, whole in cases
    ]


if __name__ == "__main__":
    vectors = {
        "blocks": [block(*case) for case in BLOCKS],
        "small": [small(b"midstream", 51), small(b"", 40), small(bytes(range(256)) * 2, 85)],
        "corrections": corrections(),
    }
    target = Path(__file__).with_name("fec.json")
    target.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{target}:", *(f"{len(cases)} {name}" for name, cases in vectors.items()))
