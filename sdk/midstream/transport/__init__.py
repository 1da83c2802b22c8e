"""What moves bytes: HTTP and folders behind one protocol. Knows nothing of what they mean.

`updater` drives TUF's client workflow over any of them.
"""

from midstream.transport.folder import FolderTransport
from midstream.transport.hints import Hints
from midstream.transport.http import HttpTransport
from midstream.transport.opening import open_transport
from midstream.transport.protocol import Announcement, RequestRecord, Response, Transport

__all__ = [
    "Announcement",
    "FolderTransport",
    "Hints",
    "HttpTransport",
    "RequestRecord",
    "Response",
    "Transport",
    "open_transport",
]
