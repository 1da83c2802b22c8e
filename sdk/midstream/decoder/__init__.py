"""Units to a model file, in bounded memory. Knows nothing of where units come from."""

from midstream.decoder.rebuild import rebuild, rebuild_into
from midstream.decoder.stack import Stack, read_stack

__all__ = ["Stack", "read_stack", "rebuild", "rebuild_into"]
