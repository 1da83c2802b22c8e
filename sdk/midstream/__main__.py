"""``python -m midstream`` is the command line."""

import sys

from midstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
