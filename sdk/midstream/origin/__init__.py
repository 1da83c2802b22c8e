"""A repository's folder over HTTP, well or badly. Knows nothing of what is in the files.

Any static web server is an origin too (spec/delivery.md); this one has the right headers and
can be a bad link for tests and demonstrations.
"""

from midstream.origin.app import create_app
from midstream.origin.bounds import ServerLimits
from midstream.origin.impairments import Counters, Impairments
from midstream.origin.serving import serve

__all__ = ["Counters", "Impairments", "ServerLimits", "create_app", "serve"]
