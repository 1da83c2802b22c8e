"""A model file to a ladder of units. Knows nothing of runtimes, signatures or disks.

What a rung is worth at the outputs comes in as a function, `evaluate`.
"""

from midstream.encoder.build import encode
from midstream.encoder.contribution import encode_contribution, moved
from midstream.encoder.ladder import Rung, Target, parse_ladder
from midstream.encoder.progress import Progress
from midstream.encoder.units import Encoded, EncodedUnit

__all__ = [
    "Encoded",
    "EncodedUnit",
    "Progress",
    "Rung",
    "Target",
    "encode",
    "encode_contribution",
    "moved",
    "parse_ladder",
]
