"""What the origin says of requests that are none. Knows nothing of connections.

Whoever scans a port sends some every minute: each is a line, and no traceback, which is for what is
wrong here.
"""

import logging

from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["LOGGER"]

LOGGER = logging.getLogger("midstream.origin")
"""Where errors of requests are logged."""
_LONGEST = 120
"""Characters of a reason that are shown."""


class _InOneLine(logging.Filter):
    """Says of a malformed request what is wrong with it, in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # what the sender wrote is in the reason, so it is shown as ASCII, on one line
            reason = " ".join(error.message.split())[:_LONGEST]
            record.msg = f"{record.getMessage()}: malformed, {reason!a}"
            record.args, record.exc_info = (), None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


LOGGER.addFilter(_InOneLine())
