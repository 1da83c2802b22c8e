"""A model file to a ladder of units. Knows nothing of runtimes, signatures or disks.

What a rung is worth at the outputs comes in as a function, `evaluate`.
"""

from midstream.encoder.build import Encoded, EncodedUnit, encode
from midstream.encoder.ladder import Rung, Target, parse_ladder

__all__ = ["Encoded", "EncodedUnit", "Rung", "Target", "encode", "parse_ladder"]
