"""Units to a model file, in bounded memory. Knows nothing of where units come from."""

from midstream.decoder.chain import apply_updates
from midstream.decoder.contribution import decode_contribution
from midstream.decoder.lossy import apply_lossy_update, lossy_memory, lossy_work
from midstream.decoder.rebuild import rebuild, rebuild_into
from midstream.decoder.stack import Stack, read_stack
from midstream.decoder.updating import Exact, Update, apply_update, read_update, update_into

__all__ = [
    "Exact",
    "Stack",
    "Update",
    "apply_lossy_update",
    "apply_update",
    "apply_updates",
    "decode_contribution",
    "lossy_memory",
    "lossy_work",
    "read_stack",
    "read_update",
    "rebuild",
    "rebuild_into",
    "update_into",
]
