"""The store's interface without a disk. Knows nothing of how units came."""

from collections.abc import Callable

__all__ = ["MemoryPartial", "MemoryStore"]


class MemoryPartial:
    """What has arrived of one unit, kept nowhere: the session has it.

    Args:
        size: Bytes of the whole unit.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def missing(self) -> list[tuple[int, int]]:
        """All of it."""
        return [(0, self._size)]

    def received(self) -> list[tuple[int, bytes]]:
        """Nothing: there was no earlier run."""
        return []

    def write(self, offset: int, data: bytes) -> None:
        """Nothing is kept."""

    def discard(self) -> None:
        """Nothing is forgotten."""


class MemoryStore:
    """Units live as long as the process."""

    def unit(self, unit_id: str, verify: Callable[[bytes], bool]) -> bytes | None:  # noqa: ARG002
        """No unit is there when a process starts."""
        return None

    def has(self, unit_id: str) -> bool:  # noqa: ARG002
        """No unit is there when a process starts."""
        return False

    def commit(self, unit_id: str, data: bytes) -> None:
        """Nothing is kept: whoever verified it has it."""

    def partial(self, unit_id: str, size: int) -> MemoryPartial:  # noqa: ARG002
        """A unit on its way in."""
        return MemoryPartial(size)

    def forget(self, unit_id: str) -> None:
        """Nothing partial is kept."""

    def keep(self, unit_ids: frozenset[str]) -> None:
        """Nothing is ever evicted."""
