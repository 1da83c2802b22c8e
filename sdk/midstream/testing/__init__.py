"""Fakes for the tests of those who use midstream; the same that its own tests use."""

from midstream.testing.runtime import FakeBackend, Fault

__all__ = ["FakeBackend", "Fault"]
