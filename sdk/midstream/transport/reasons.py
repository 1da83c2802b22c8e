"""What the operating system says of a connection. Knows nothing of what it was for."""

import os

__all__ = ["system_reason"]


def system_reason(error: OSError) -> str:
    """What the operating system says, in its own few words."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # libraries put words of their own in its place
    return error.strerror or str(error) or type(error).__name__
