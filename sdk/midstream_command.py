"""The command `midstream` from its first moment. Knows of the package only that it takes a second.

It is beside the package: whatever is in it begins when all of it is imported.
"""

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> int:
    """Run the command line; Ctrl-C while it is imported is one line, too.

    Returns:
        The exit code.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else somebody has it ignored
        signal.signal(signal.SIGINT, _end)
    from midstream.cli import main as run

    signal.signal(signal.SIGINT, before)
    return run()


def _end(_number: int, _frame: FrameType | None) -> None:
    """End at once: modules that are half imported write no files, and may bear no exception."""
    os.write(sys.stderr.fileno(), b"midstream: interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
