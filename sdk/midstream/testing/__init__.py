"""Fakes for the tests of those who use midstream; the same that its own tests use."""

from midstream.testing.clock import FakeClock
from midstream.testing.faults import FaultCounts, LinkFaults
from midstream.testing.link import SimulatedLink
from midstream.testing.providers import FakeProviders
from midstream.testing.proxies import TcpProxy, UdpProxy, tcp_proxy, udp_proxy
from midstream.testing.repository import MemoryRepository
from midstream.testing.runtime import FakeBackend, Fault

__all__ = [
    "FakeBackend",
    "FakeClock",
    "FakeProviders",
    "Fault",
    "FaultCounts",
    "LinkFaults",
    "MemoryRepository",
    "SimulatedLink",
    "TcpProxy",
    "UdpProxy",
    "tcp_proxy",
    "udp_proxy",
]
