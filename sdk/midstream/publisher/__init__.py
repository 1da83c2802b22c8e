"""A model file to a published release: encode, measure, protect, sign, write.

Knows the decoder and the runtime, and hands the encoder what it needs of them.
"""

from midstream.publisher.folder import RepositoryFolder
from midstream.publisher.publish import Publisher
from midstream.publisher.recovery import Use
from midstream.publisher.release import Release
from midstream.publisher.updating import FRESH, UpdatePolicy

__all__ = ["FRESH", "Publisher", "Release", "RepositoryFolder", "UpdatePolicy", "Use"]
