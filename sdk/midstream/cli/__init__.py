"""The command line: words on a terminal. Knows nothing that the library does not.

Exit codes: 0 good, 1 the data or the peer is at fault, 2 wrong use, 3 cannot, 130 interrupted.
"""

from midstream.cli.main import main

__all__ = ["main"]
