"""Releases of made-up units, and an origin that keeps or breaks its word, for session tests."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from midstream.encoder import EncodedUnit
from midstream.errors import ErrorCode, MidstreamError, TransportError
from midstream.publisher.publish import protect
from midstream.publisher.recovery import Recovery
from midstream.session import Event, Policy, Request, Session, UnitVerified
from midstream.trust.manifest import Manifest, UnitEntry
from midstream.types import Fidelity, UnitKind

MODEL_SIZE = 1 << 20
SIZES = (3000, 2000, 1000)
"""Bytes of the units of most releases."""


def content(size: int, seed: int) -> bytes:
    """So many bytes, the same for the same seed."""
    return random.Random(seed).randbytes(size)


@dataclass
class Made:
    """A release, its units, and the files that an origin has of it."""

    manifest: Manifest
    units: list[bytes]
    files: dict[str, bytes]

    @property
    def base(self) -> UnitEntry:
        """What is signed of the base."""
        return self.manifest.units[0]


def make(
    sizes: Sequence[int] = (3000, 2000, 1000),
    *,
    number: int = 1,
    repair: float = 0.3,
    seed: int | None = None,
    snr: Sequence[float] | None = None,
) -> Made:
    """A release of units with these sizes, each on the one before it."""
    units = [content(size, (seed or number) * 1000 + at) for at, size in enumerate(sizes)]
    return make_of(units, number=number, repair=repair, snr=snr)


def make_of(
    units: list[bytes],
    *,
    number: int = 1,
    repair: float = 0.3,
    snr: Sequence[float] | None = None,
) -> Made:
    """A release of these units."""
    entries: list[UnitEntry] = []
    files: dict[str, bytes] = {}
    for layer, data in enumerate(units):
        unit = EncodedUnit(
            kind=UnitKind.ENHANCEMENT if layer else UnitKind.BASE,
            layer=layer,
            rung=f"{layer}b",
            data=data,
            head_size=0 if layer else min(600, len(data)),
            fidelity=Fidelity(weight_snr=snr[layer] if snr else 10.0 * (layer + 1)),
        )
        entry, made = protect(unit, layer, Recovery(repair=repair), MODEL_SIZE)
        entries.append(entry)
        files |= made
    manifest = Manifest(
        name="net",
        release=number,
        format="tflite",
        model_size=MODEL_SIZE,
        model_sha256=bytes(32),
        weights=1000,
        units=tuple(entries),
    )
    return Made(manifest=manifest, units=units, files=files)


Body = tuple[int, bytes, MidstreamError | None]
"""Where a body begins, its bytes, and why it ended early."""
Answer = Callable[[Request, bytes], Body]
"""From a request and the object to what comes of it."""


def honest(request: Request, data: bytes) -> Body:
    """Send what was asked for."""
    return request.start, data[request.start : request.stop], None


def whole(request: Request, data: bytes) -> Body:
    """Know nothing of ranges."""
    return 0, data, None


def silent(request: Request, data: bytes) -> Body:
    """Send nothing."""
    return request.start, b"", TransportError(ErrorCode.TIMEOUT, "no answer")


def short(size: int) -> Answer:
    """Hang up after so many bytes."""

    def answer(request: Request, data: bytes) -> Body:
        body = data[request.start : min(request.start + size, request.stop)]
        is_cut = request.start + len(body) < request.stop
        cut = TransportError(ErrorCode.SHORT_BODY, "cut") if is_cut else None
        return request.start, body, cut

    return answer


def damaging(*places: int, path: str | None = None) -> Answer:
    """Change the bytes at these places, of the objects whose path ends so."""

    def answer(request: Request, data: bytes) -> Body:
        changed = bytearray(data)
        if path is None or request.path.endswith(path):
            for place in places:
                if place < len(changed):
                    changed[place] ^= 0x55
        return request.start, bytes(changed[request.start : request.stop]), None

    return answer


def without(suffix: str, other: Answer = honest) -> Answer:
    """Have no object whose path ends so."""

    def answer(request: Request, data: bytes) -> Body:
        if request.path.endswith(suffix):
            return 0, b"", TransportError(ErrorCode.NOT_FOUND, f"{request.path}: not found")
        return other(request, data)

    return answer


@dataclass
class Drive:
    """A session with an origin and a clock: what an owner does, without a loop."""

    session: Session
    files: dict[str, bytes]
    answer: Answer = honest
    now: float = 0.0
    requests: list[Request] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def open(self, made: Made) -> None:
        """Publish a release and tell the session."""
        self.files |= made.files
        self.session.open_release(made.manifest, self.now)

    def step(self) -> bool:
        """One request, if any is wanted now."""
        request = self.session.next_request(self.now)
        if request is not None:
            self.requests.append(request)
            offset, body, error = self.answer(request, self.files[request.path])
            for at in range(0, len(body), 700):
                self.session.receive_data(request, offset + at, body[at : at + 700])
                if not self.session.wants(request, self.now):
                    break
            self.now += 0.01
            self.session.finish_request(request, self.now, error)
        self.events += self._told()
        return request is not None

    def run(self, *, until: float = 60.0) -> None:
        """Go on until nothing happens by itself any more, or that much time has passed."""
        while self.now < until:
            if self.step() or self.session.next_request(self.now) is not None:
                continue
            due = self.session.next_timeout()
            if due is None or not self.now < due <= until:
                break
            self.now = due
        self.events += self._told()

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if type(event) is kind]

    @property
    def asked(self) -> dict[str, int]:
        """Bytes asked for, by path."""
        found: dict[str, int] = {}
        for request in self.requests:
            found[request.path] = found.get(request.path, 0) + request.stop - request.start
        return found

    def _told(self) -> Iterator[Event]:
        while (event := self.session.next_event()) is not None:
            yield event


def follow(made: Made, answer: Answer = honest) -> Drive:
    """A new session that follows a release."""
    drive = Drive(Session(), {}, answer)
    drive.open(made)
    return drive


def drive_with(policy: Policy) -> Drive:
    """A session that is given nothing yet."""
    return Drive(Session(policy=policy), {})


def failing(path: str) -> Answer:
    """Damage an object beyond repair."""
    return damaging(*range(0, 100_000, 50), path=path)


def verified(drive: Drive) -> list[tuple[int, int]]:
    """Units as they were verified: release and index."""
    return [(e.release, e.unit) for e in drive.events if isinstance(e, UnitVerified)]
