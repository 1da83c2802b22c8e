"""Verified units on disk, and units on their way there. Knows nothing of how they came."""

from midstream.store.disk import Store
from midstream.store.keys import generate_keys, load_keys
from midstream.store.memory import MemoryPartial, MemoryStore
from midstream.store.partial import PartialUnit

__all__ = [
    "MemoryPartial",
    "MemoryStore",
    "PartialUnit",
    "Store",
    "generate_keys",
    "load_keys",
]
