"""Units to a model file, in bounded memory. Knows nothing of where units come from."""

from midstream.decoder.rebuild import peak_decode_bytes, rebuild
from midstream.decoder.stack import Stack, read_stack

__all__ = ["Stack", "peak_decode_bytes", "read_stack", "rebuild"]
