"""The reference decoder at the command line.

python spec/reference_decoder.py UNIT [UNIT ...] -o MODEL
"""

import argparse
from pathlib import Path

from reference import decode

TABLES = Path(__file__).parent.parent / "sdk/midstream/codec/tables.bin"


def main() -> None:
    """Decode the units that the command line names."""
    parser = argparse.ArgumentParser(description="Decode units.")
    parser.add_argument("units", nargs="+", type=Path, metavar="UNIT")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="MODEL")
    parser.add_argument("--tables", type=Path, default=TABLES)
    args = parser.parse_args()
    args.output.write_bytes(decode([p.read_bytes() for p in args.units], args.tables.read_bytes()))


if __name__ == "__main__":
    main()
