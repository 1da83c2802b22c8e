"""What the origin counts, as text for Prometheus. Knows nothing of sockets or files.

The format is Prometheus' text exposition format, version 0.0.4.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `Metrics.text` gives."""
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
"""Seconds; upper ends of the histogram's buckets but the last, which is endless."""


class Metrics:
    """Totals since the start, and what is open now."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        """Requests that were answered, by status."""
        self.file_bytes = 0
        """Bytes of files that were handed to connections."""
        self.in_progress = 0
        """Requests under way."""
        self.connections = 0
        """Connections that are open."""
        self.accepted = 0
        """Connections that were accepted."""
        self.closed: Counter[str] = Counter()
        """Connections that were closed for breaking a limit, by which."""
        self._seconds = 0.0
        self._durations = [0] * (len(_BUCKETS) + 1)

    def began(self) -> None:
        """A request is under way."""
        self.in_progress += 1

    def ended(self) -> None:
        """It no longer is."""
        self.in_progress -= 1

    def answered(self, status: int, seconds: float) -> None:
        """It was answered.

        Args:
            status: Of the answer.
            seconds: From the request's head to the end of the file.
        """
        self.requests[status] += 1
        self._seconds += seconds
        self._durations[bisect_left(_BUCKETS, seconds)] += 1

    def text(self) -> str:
        """All of it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _family("requests_total", "counter", "Requests answered, by status.")
        for status, count in sorted(self.requests.items()):
            yield f'midstream_requests_total{{status="{status}"}} {count}'
        yield from _plain("file_bytes_total", "Bytes of files sent.", self.file_bytes)
        yield from _plain("requests_in_progress", "Requests under way.", self.in_progress)
        yield from _plain("connections", "Connections that are open.", self.connections)
        yield from _plain("connections_total", "Connections accepted.", self.accepted)
        yield from _family("connections_closed_total", "counter", "Closed at a limit, by which.")
        for limit, count in sorted(self.closed.items()):
            yield f'midstream_connections_closed_total{{limit="{limit}"}} {count}'
        yield from self._histogram()

    def _histogram(self) -> Iterator[str]:
        name = "request_duration_seconds"
        yield from _family(name, "histogram", "From a request's head to its answer's end.")
        ends = [f"{end:g}" for end in _BUCKETS] + ["+Inf"]
        for end, count in zip(ends, accumulate(self._durations), strict=True):
            yield f'midstream_{name}_bucket{{le="{end}"}} {count}'
        yield f"midstream_{name}_sum {self._seconds:.6f}"
        yield f"midstream_{name}_count {sum(self._durations)}"


def _family(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP midstream_{name} {about}"
    yield f"# TYPE midstream_{name} {kind}"


def _plain(name: str, about: str, value: int) -> Iterator[str]:
    """A value without labels; the name of a counter ends in `_total`."""
    yield from _family(name, "counter" if name.endswith("_total") else "gauge", about)
    yield f"midstream_{name} {value}"
