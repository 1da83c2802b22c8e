"""Fakes for the tests of those who use midstream; the same that its own tests use."""

from midstream.testing.clock import FakeClock
from midstream.testing.link import SimulatedLink
from midstream.testing.repository import MemoryRepository
from midstream.testing.runtime import FakeBackend, Fault

__all__ = ["FakeBackend", "FakeClock", "Fault", "MemoryRepository", "SimulatedLink"]
