"""A session under anything that can happen, in any order.

Whatever an origin sends and an owner does: only verified bytes leave, only documented errors
come, the counts add up, and where the origin keeps its word in the end all comes whole.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from midstream.errors import DataError, ErrorCode, TransportError
from midstream.session import (
    Allowance,
    Link,
    Policy,
    ReleaseOpened,
    Request,
    Session,
    SessionState,
    UnitFailed,
    UnitVerified,
)
from releases import Made, make

SIZES = st.lists(st.integers(1, 3000), min_size=1, max_size=3)
_MADE: dict[tuple[int, tuple[int, ...], float], Made] = {}


def release(number: int, sizes: list[int], repair: float) -> Made:
    """Made once for all examples."""
    key = (number, tuple(sizes), repair)
    if key not in _MADE:
        _MADE[key] = make(sizes, number=number, repair=repair)
    return _MADE[key]


class Sessions(RuleBasedStateMachine):
    """An owner without sense and an origin without honour."""

    @initialize(max_layer=st.sampled_from([None, 0, 1]))
    def begin(self, max_layer: int | None) -> None:
        self.policy = Policy(max_layer=max_layer)
        self.allowance = Allowance()
        self.session = Session(policy=self.policy, allowance=self.allowance)
        self.made: dict[int, Made] = {}
        self.now = 0.0
        self.request: Request | None = None
        self.verified: set[tuple[int, int]] = set()

    @rule(sizes=SIZES, repair=st.sampled_from([0.0, 0.3]), skip=st.integers(0, 1))
    @precondition(lambda self: len(self.made) < 5)
    def open_release(self, sizes: list[int], repair: float, skip: int) -> None:
        number = max(self.made, default=0) + 1 + skip
        self.made[number] = release(number, sizes, repair)
        self.session.open_release(self.made[number].manifest, self.now)

    @rule()
    @precondition(lambda self: self.made)
    def open_an_old_release(self) -> None:
        self.session.open_release(self.made[min(self.made)].manifest, self.now)

    @rule()
    @precondition(lambda self: self.request is None)
    def ask(self) -> None:
        runs = self.session.runs
        self.request = self.session.next_request(self.now)
        if self.request is not None:
            assert 0 <= self.request.start < self.request.stop <= self.request.total
            # [DEL-26] what came since the report and what is asked for are what it allows
            room = self.allowance.room(self.policy)
            assert not runs or self.request.stop - self.request.start <= room
            assert not runs or self.session.link.buffer >= self.policy.low_water

    @rule(
        offset=st.integers(-500, 500),
        size=st.integers(0, 4000),
        damage=st.none() | st.integers(0, 4000),
    )
    @precondition(lambda self: self.request is not None)
    def receive(self, offset: int, size: int, damage: int | None) -> None:
        assert self.request is not None
        data = self._object(self.request)
        start = min(max(self.request.start + offset, 0), len(data))
        body = bytearray(data[start : start + size])
        if damage is not None and damage < len(body):
            body[damage] ^= 0xFF
        self.session.receive_data(self.request, start, body)

    @rule(junk=st.binary(max_size=300), offset=st.integers(0, 5000))
    @precondition(lambda self: self.request is not None)
    def receive_junk(self, junk: bytes, offset: int) -> None:
        assert self.request is not None
        self.session.receive_data(self.request, offset, junk)

    @rule(is_cut=st.booleans(), seconds=st.floats(0, 2))
    @precondition(lambda self: self.request is not None)
    def finish(self, is_cut: bool, seconds: float) -> None:
        assert self.request is not None
        self.now += seconds
        error = TransportError(ErrorCode.SHORT_BODY, "cut") if is_cut else None
        request, self.request = self.request, None
        self.session.finish_request(request, self.now, error)

    @rule()
    @precondition(lambda self: self.request is not None)
    def forget_the_request(self) -> None:
        """An owner that was cancelled."""
        self.request = None

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(buffer=st.sampled_from([0.0, 8.0, 30.0]), budget=st.none() | st.integers(0, 3000))
    def report(self, buffer: float, budget: int | None) -> None:
        self.session.report(Link(buffer=buffer, budget=budget), self.now)

    @rule(within=st.none() | st.floats(0, 10), rate=st.none() | st.floats(0, 5000))
    def aim(self, within: float | None, rate: float | None) -> None:
        self.session.report(Link(buffer=30.0, throughput=rate), self.now)
        self.session.aim(within, self.now)

    @rule(unit=st.integers(0, 2), is_good=st.booleans())
    @precondition(lambda self: self.made)
    def offer(self, unit: int, is_good: bool) -> None:
        number = max(self.made)
        units = self.made[number].units
        data = units[unit % len(units)]
        index = unit % len(units)
        taken = self.session.offer(number, index, data if is_good else data + b"x")
        assert not taken or is_good

    @rule(size=st.integers(0, 3000), is_good=st.booleans())
    @precondition(lambda self: self.session.assembly is not None)
    def restore(self, size: int, is_good: bool) -> None:
        assembly = self.session.assembly
        assert assembly is not None
        data = self.made[assembly.choice.release].units[assembly.choice.unit][:size]
        self.session.restore(0, data if is_good else bytes(len(data)))

    @invariant()
    def only_verified_bytes_leave(self) -> None:
        while (event := self.session.next_event()) is not None:
            if isinstance(event, UnitVerified):
                assert event.data == self.made[event.release].units[event.unit]
                assert (event.release, event.unit) not in self.verified
                self.verified.add((event.release, event.unit))
            if isinstance(event, UnitFailed):
                assert isinstance(event.error, DataError | TransportError)
            if isinstance(event, ReleaseOpened):
                assert event.manifest.release == max(self.made)

    @invariant()
    def the_counts_add_up(self) -> None:
        counters = self.session.counters
        assert counters.units_verified == len(self.verified)
        assert counters.repaired_packets <= counters.damaged_packets

    @invariant()
    def the_state_is_what_is_there(self) -> None:
        if self.session.state is SessionState.COMPLETE:
            newest = max(self.made)
            layers = self.made[newest].manifest.units
            highest = self.policy.max_layer
            wanted = {
                (newest, index)
                for index, entry in enumerate(layers)
                if highest is None or entry.layer <= highest
            }
            assert wanted <= self.verified
        if self.session.state is SessionState.STARTING:
            assert not self.made or (max(self.made), 0) not in self.verified

    def teardown(self) -> None:
        """In the end the origin is honest and the link good: then it must come to its end."""
        if not getattr(self, "made", None):
            return
        self.session.report(Link(), self.now)
        for _ in range(400):
            if self.session.state is SessionState.COMPLETE:
                break
            self._honest_step()
        self.only_verified_bytes_leave()
        assert self.session.state is SessionState.COMPLETE
        self.the_state_is_what_is_there()
        self.session.close()

    def _honest_step(self) -> None:
        request = self.request or self.session.next_request(self.now)
        self.request = None
        if request is None:
            self.now += 1.0
            return
        data = self._object(request)[request.start : request.stop]
        self.session.receive_data(request, request.start, data)
        self.session.finish_request(request, self.now)

    def _object(self, request: Request) -> bytes:
        return self.made[request.choice.release].files[request.path]


Sessions.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSessions = Sessions.TestCase
