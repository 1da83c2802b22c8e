"""A web server for a repository's folder, good or bad on purpose. Knows nothing of units.

Any static web server does as well; this one caches right and can be a bad link for tests.
"""

from midstream.origin.app import Counts, create_app, serve
from midstream.origin.impairments import Impairments

__all__ = ["Counts", "Impairments", "create_app", "serve"]
