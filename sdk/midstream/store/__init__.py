"""Verified units on disk, and units on their way there. Knows nothing of how they came."""

from midstream.store.disk import DEFAULT_SIZE_LIMIT, Store, default_folder
from midstream.store.keyring import generate_keys, load_keys
from midstream.store.memory import MemoryPartial, MemoryStore
from midstream.store.partial import PartialUnit
from midstream.store.sharing import Lock

__all__ = [
    "DEFAULT_SIZE_LIMIT",
    "Lock",
    "MemoryPartial",
    "MemoryStore",
    "PartialUnit",
    "Store",
    "default_folder",
    "generate_keys",
    "load_keys",
]
