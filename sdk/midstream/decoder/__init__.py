"""Units to a model file, in bounded memory. Knows nothing of where units come from."""

from midstream.decoder.contribution import decode_contribution
from midstream.decoder.rebuild import rebuild, rebuild_into
from midstream.decoder.stack import Stack, read_stack

__all__ = ["Stack", "decode_contribution", "read_stack", "rebuild", "rebuild_into"]
