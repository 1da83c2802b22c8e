"""A decoder written from bitstream.md and coding.md, for reading rather than for speed.

It shares no code with the package. The names of its parts are the sections of the two documents.
What it cannot decode raises `RefusedError`; nothing is written then.
"""

from reference.bits import RefusedError
from reference.units import decode

__all__ = ["RefusedError", "decode"]
