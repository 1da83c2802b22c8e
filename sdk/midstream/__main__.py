"""``python -m midstream`` is the command line."""

import sys

from midstream_command import main

if __name__ == "__main__":
    sys.exit(main())
