"""One unit on its way in: which bytes it wants next, until it is verified or given up.

Knows nothing of other units, of clocks or of what moves the bytes. The life of a unit::

    WANTED ──start──> BODY ──whole, as signed───────────────────────────────> VERIFIED
                       │ ^                                                       ^
       cut, stalled or │ └─cut (resume where it stopped)                         │
       not as signed   v                                                         │
                      HASHES ──page, nothing missing after all───────────────────┤
                       │ ^                                                       │
                       │ └─page damaged or cut (again)                           │
                       v                                                         │
                      REPAIR ──enough symbols────────────────────────────────────┘
                       │ ^
                       │ └─symbols damaged or cut (other symbols, or again)
                       ├──too few symbols: those packets again, twice──> BODY
                       v
                     FAILED   (from any state: out of attempts or of symbols)
"""

import math
from enum import Enum, auto

from midstream import fec
from midstream.errors import (
    DataError,
    ErrorCode,
    MidstreamError,
    RecoveryError,
    TransportError,
    TrustError,
)
from midstream.limits import LIMITS, Limits
from midstream.session.events import Choice, Counters, Purpose, Request
from midstream.session.protection import Protection
from midstream.session.ranges import Ranges
from midstream.trust import tree
from midstream.trust.manifest import UnitEntry

__all__ = ["TRANSITIONS", "Assembly", "Input", "State", "protection_of"]


class State(Enum):
    """Where a unit is on its way."""

    WANTED = auto()
    BODY = auto()
    HASHES = auto()
    REPAIR = auto()
    VERIFIED = auto()
    FAILED = auto()


class Input(Enum):
    """What can happen to it."""

    START = auto()
    GOOD = auto()
    BAD = auto()
    ERASURES = auto()
    REFETCH = auto()
    GIVE_UP = auto()


TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.WANTED, Input.START): State.BODY,
    (State.BODY, Input.GOOD): State.VERIFIED,
    (State.BODY, Input.BAD): State.HASHES,
    (State.BODY, Input.GIVE_UP): State.FAILED,
    (State.HASHES, Input.GOOD): State.VERIFIED,
    (State.HASHES, Input.ERASURES): State.REPAIR,
    (State.HASHES, Input.GIVE_UP): State.FAILED,
    (State.REPAIR, Input.REFETCH): State.BODY,
    (State.REPAIR, Input.GOOD): State.VERIFIED,
    (State.REPAIR, Input.GIVE_UP): State.FAILED,
}
"""A pair that is missing here is an error of ours."""

_SERVES = {
    State.WANTED: None,
    State.BODY: Purpose.BODY,
    State.HASHES: Purpose.HASHES,
    State.REPAIR: Purpose.REPAIR,
    State.VERIFIED: None,
    State.FAILED: None,
}
_REFETCHES = 2
"""Times that packets are asked for again where repair symbols do not cover them."""


def protection_of(entry: UnitEntry) -> Protection:
    """The packets and source blocks that a manifest's entry describes."""
    return Protection(
        entry.size, entry.head_size, entry.packet_size, entry.repair_head, entry.repair_body
    )


class Assembly:
    """One unit on its way in.

    Args:
        entry: What the manifest says of it.
        choice: The choice that its requests carry.
        counters: Totals to add to.
        limits: Bounds; `attempts` and `least_progress` are used here.
    """

    def __init__(
        self, entry: UnitEntry, choice: Choice, counters: Counters, *, limits: Limits = LIMITS
    ) -> None:
        self.entry = entry
        """What the manifest says of it."""
        self.choice = choice
        """Why it is fetched."""
        self.state = State.WANTED
        """Where it is on its way."""
        self.repaired = 0
        """Packets rebuilt from repair symbols."""
        self.attempts = 0
        """Requests in a row that brought next to nothing."""
        self.error: MidstreamError | None = None
        """Why it failed."""
        self._counters = counters
        self._limits = limits
        self._protection = protection_of(entry)
        # where a publisher signed for another number, no hash page will verify
        symbols = entry.repair_symbols
        self._buffers = {
            Purpose.BODY: bytearray(entry.size),
            Purpose.HASHES: bytearray(entry.hashes_size),
            Purpose.REPAIR: bytearray(symbols * entry.packet_size),
        }
        self._have = {purpose: Ranges(len(data)) for purpose, data in self._buffers.items()}
        self._good: list[bool] = []
        self._good_repair: list[bool] = [False] * symbols
        self._page: tree.HashPage | None = None
        self._tried: set[int] = set()
        self._refetched = 0
        self._pages_refused = 0
        self._progress = 0

    @property
    def data(self) -> bytes:
        """The unit; only once it is verified."""
        assert self.state is State.VERIFIED, "unverified bytes do not leave the assembly"
        return bytes(self._buffers[Purpose.BODY])

    @property
    def received(self) -> Ranges:
        """Which bytes of the body have arrived."""
        return self._have[Purpose.BODY]

    @property
    def erasures(self) -> int:
        """Packets known to be damaged or lost."""
        return self._good.count(False)

    def start(self) -> None:
        """Begin, or begin again with what was restored."""
        self._move(Input.START)
        self._check_body()

    def restore(self, offset: int, data: bytes) -> None:
        """Put bytes of an earlier run back, before `start`; they are checked like any other."""
        self._put(Purpose.BODY, offset, data)

    @property
    def place(self) -> tuple[int, int]:
        """Its release and its index there."""
        return self.choice.release, self.choice.unit

    @property
    def missing(self) -> int:
        """Bytes of the body that have not arrived; 1 at least, since it is not verified."""
        return max(self.entry.size - self.received.total, 1)

    @property
    def worth(self) -> float:
        """What it brings, dB per kB; a base comes in any case."""
        return math.inf if self.entry.parent is None else self.choice.worth

    @property
    def is_nearly_there(self) -> bool:
        """Whether it is sooner finished than left: an eighth is missing at most."""
        return self.missing * 8 <= self.entry.size

    def request(self, room: float = math.inf) -> Request | None:
        """The bytes wanted now, or None where it is done or given up.

        Args:
            room: How many may come at most, 1 at least.
        """
        purpose = _SERVES[self.state]
        if purpose is None:
            return None
        is_repair = purpose is Purpose.REPAIR
        wanted = self._wanted_symbols() if is_repair else self._have[purpose].missing()
        start, stop = wanted[0]
        if purpose is Purpose.HASHES and start < self.entry.page_size:
            stop = min(stop, self.entry.page_size)  # its parity only where it is not as signed
        return self._request(purpose, (start, int(min(stop, start + room))))

    def receive(self, purpose: Purpose, offset: int, data: bytes | memoryview) -> bool:
        """Take bytes of the object that serves `purpose`; say whether any of them is new."""
        self._counters.received[purpose] += len(data)
        if _SERVES[self.state] is not purpose:
            return False
        return self._put(purpose, offset, data)

    def finish(self, error: MidstreamError | None = None) -> None:
        """A request ended: by itself, or early with `error`."""
        has_progress = self._progress >= self._limits.least_progress
        self.attempts = 0 if has_progress else self.attempts + 1
        self._progress = 0
        if error is not None:
            self._counters.cuts += 1
        self.look()
        if _SERVES[self.state] and self.attempts >= self._limits.attempts:
            self._exhausted(error)

    def rest(self) -> None:
        """A request ended because no more was wanted for now, so it is no attempt."""
        self._progress = 0
        self.look()

    def look(self) -> None:
        """Go on where what has arrived is enough; a request may have been left without its end."""
        if self.state is State.BODY:
            self._check_body()
        elif self.state is State.HASHES:
            self._check_hashes()
        elif self.state is State.REPAIR:
            self._check_repair()

    def _request(self, purpose: Purpose, span: tuple[int, int]) -> Request:
        paths = {
            Purpose.BODY: self.entry.path,
            Purpose.HASHES: self.entry.hashes_path,
            Purpose.REPAIR: self.entry.repair_path,
        }
        return Request(
            path=paths[purpose],
            start=span[0],
            stop=span[1],
            total=len(self._buffers[purpose]),
            purpose=purpose,
            choice=self.choice,
        )

    def _put(self, purpose: Purpose, offset: int, data: bytes | memoryview) -> bool:
        """Fill gaps only: what is there already stays."""
        view = memoryview(data)
        gaps = self._have[purpose].missing(offset, min(offset + len(view), self._size(purpose)))
        for start, stop in gaps:
            self._buffers[purpose][start:stop] = view[start - offset : stop - offset]
            self._have[purpose].add(start, stop)
            self._progress += stop - start
        return bool(gaps)

    def _size(self, purpose: Purpose) -> int:
        return len(self._buffers[purpose])

    def _move(self, happened: Input) -> None:
        self.state = TRANSITIONS[self.state, happened]

    def _check_body(self) -> None:
        if not self.received.is_full:
            return
        leaves = tree.leaves(self._buffers[Purpose.BODY], self.entry.packet_size)
        if tree.root(leaves) == self.entry.source_root:
            self._move(Input.GOOD)
            return
        self._distrust_body()

    def _distrust_body(self) -> None:
        self.attempts = 0
        self._move(Input.BAD)
        self._check_hashes()

    def _check_hashes(self) -> None:
        have = self._have[Purpose.HASHES]
        if not have.holds(0, self.entry.page_size):
            return
        self._page = self._read_page()
        if self._page is None:
            if have.is_full:
                self._refuse_page()
            return
        self.attempts = 0
        self._find_erasures(self._page)
        if not self.erasures:
            self._move(Input.GOOD)
            return
        self._counters.damaged_packets += self.erasures
        self._move(Input.ERASURES)
        if not self._wanted_symbols():
            self._check_repair()

    def _refuse_page(self) -> None:
        """Damage may be of one answer only, so ask again, but not for ever."""
        self._pages_refused += 1
        if self._pages_refused >= self._limits.attempts:
            self._fail(self._not_as_signed())
            return
        self._have[Purpose.HASHES] = Ranges(self._size(Purpose.HASHES))

    def _read_page(self) -> tree.HashPage | None:
        """The hash page, if it is the signed one, corrected by its parity where it is not."""
        stored = bytes(self._buffers[Purpose.HASHES])
        page, parity = stored[: self.entry.page_size], stored[self.entry.page_size :]
        try:
            return self._verify_page(page)
        except DataError:
            if not self._have[Purpose.HASHES].is_full:
                return None  # the parity comes next
            try:
                return self._verify_page(fec.correct(page, parity))
            except DataError:
                return None

    def _verify_page(self, page: bytes) -> tree.HashPage:
        packets, symbols = self._protection.packets, self._protection.repair_symbols
        return tree.HashPage.read(
            page, packets, symbols, self.entry.source_root, self.entry.repair_root
        )

    def _find_erasures(self, page: tree.HashPage) -> None:
        """An erasure is a packet whose hash is not in the signed page (spec/recovery.md)."""
        leaves = tree.leaves(self._buffers[Purpose.BODY], self.entry.packet_size)
        self._good = [got == signed for got, signed in zip(leaves, page.source, strict=True)]

    def _wanted_symbols(self) -> list[tuple[int, int]]:
        """Byte ranges of repair symbols that would make every block whole, untried ones."""
        wanted = Ranges(self._size(Purpose.REPAIR))
        size = self.entry.packet_size
        for block in self._protection.blocks:
            lost = self._good[block.first : block.first + block.source].count(False)
            indices = range(block.first_repair, block.first_repair + block.repair)
            lost -= sum(self._good_repair[index] for index in indices)
            fresh = [index for index in indices if index not in self._tried][: max(lost, 0)]
            if len(fresh) < lost:
                return []
            for index in fresh:
                wanted.add(index * size, (index + 1) * size)
        return [
            gap for start, stop in wanted for gap in self._have[Purpose.REPAIR].missing(start, stop)
        ]

    def _check_repair(self) -> None:
        self._check_symbols()
        if self._wanted_symbols():
            return
        try:
            self._protection.repair(
                self._buffers[Purpose.BODY],
                self._good,
                bytes(self._buffers[Purpose.REPAIR]),
                self._good_repair,
            )
        except RecoveryError as error:
            self._refetch(error)
            return
        self._finish_repair()

    def _refetch(self, error: RecoveryError) -> None:
        """Damage may be of one answer only, so ask for the same packets again, a few times."""
        self._refetched += 1
        if self._refetched > _REFETCHES:
            self._fail(RecoveryError(error.code, f"{self.entry.path}: damaged, {error.message}"))
            return
        body = Ranges(self.entry.size)
        for index, good in enumerate(self._good):
            if good:
                start = index * self.entry.packet_size
                body.add(start, min(start + self.entry.packet_size, self.entry.size))
        self._have[Purpose.BODY] = body
        self._move(Input.REFETCH)

    def _check_symbols(self) -> None:
        """Mark each symbol that has arrived as good or tried in vain."""
        assert self._page is not None, "repair symbols are asked for after the page"
        size = self.entry.packet_size
        for index, signed in enumerate(self._page.repair):
            start = index * size
            if index in self._tried or not self._have[Purpose.REPAIR].holds(start, start + size):
                continue
            self._tried.add(index)
            symbol = self._buffers[Purpose.REPAIR][start : start + size]
            self._good_repair[index] = tree.leaf(symbol) == signed
            self._counters.damaged_packets += not self._good_repair[index]

    def _finish_repair(self) -> None:
        """Repaired packets are packets like any other: their root must be the signed one."""
        leaves = tree.leaves(self._buffers[Purpose.BODY], self.entry.packet_size)
        if tree.root(leaves) != self.entry.source_root:
            self._fail(self._not_as_signed())
            return
        self.repaired = self.erasures
        self._counters.repaired_packets += self.repaired
        self._move(Input.GOOD)

    def _exhausted(self, error: MidstreamError | None) -> None:
        """Out of attempts: what is missing of the body counts as lost, all else is final."""
        if self.state is State.BODY and self._size(Purpose.REPAIR) and not self._refetched:
            self._distrust_body()
            return
        if error is None:
            error = (
                self._not_as_signed()
                if self.state is not State.BODY
                else TransportError(
                    ErrorCode.SHORT_BODY,
                    f"{self.entry.path}: {self.received.total} of {self.entry.size} bytes came",
                )
            )
        self._fail(error)

    def _fail(self, error: MidstreamError) -> None:
        self.error = error
        self._move(Input.GIVE_UP)

    def _not_as_signed(self) -> TrustError:
        return TrustError(
            ErrorCode.BAD_HASH, f"{self.entry.path}: its bytes are not those that were signed"
        )
