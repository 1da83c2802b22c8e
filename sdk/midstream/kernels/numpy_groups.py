"""Which slices NumPy decodes side by side, and which in plain Python. Knows nothing of symbols.

Costs are in symbols that plain Python decodes one by one where nothing predicts them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from midstream.kernels.stepping import STEP_SYMBOLS
from midstream.kernels.terms import Stream

__all__ = ["groups", "is_alone", "is_chain"]

_SHORTEST_STRETCH = 24
"""Symbols that NumPy decodes at once in the time that plain Python takes for them."""
_STRETCH_COST = 45
_CHAIN_COST = 3
"""Of a symbol that is predicted, in plain Python."""
_FAR = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """What decoding one takes."""

    at: int
    """Which of the streams it is."""
    lanes: int
    steps: int
    reach: int
    """Steps of a stretch."""
    alone: float
    """What it costs by itself."""

    @classmethod
    def of(cls, at: int, stream: Stream) -> "_Slice":
        count, near = len(stream.rows), _nearest(stream)
        alone = float(count)
        if near < _FAR:
            alone *= _CHAIN_COST if near < _SHORTEST_STRETCH else 1 + _STRETCH_COST / near
        return cls(
            at=at,
            lanes=stream.lanes,
            steps=-(-count // stream.lanes),
            reach=max(near // stream.lanes, 1),
            alone=alone,
        )


def _nearest(stream: Stream) -> int:
    """From how near a level may depend on another."""
    found = stream.terms.nearest if stream.terms else None
    near = _FAR if found is None else found
    # the levels of a point depend on each other
    return near if stream.odd is None else min(near, stream.odd.shape[1] or _FAR)


def is_chain(streams: Sequence[Stream]) -> bool:
    """Whether symbols are predicted from so near that they are faster one by one."""
    return len(streams) == 1 and _nearest(streams[0]) < _SHORTEST_STRETCH


def is_alone(streams: Sequence[Stream]) -> bool:
    """Whether symbols are predicted from nothing, and faster one by one."""
    return len(streams) == 1 and streams[0].lanes <= STEP_SYMBOLS and _nearest(streams[0]) == _FAR


def groups(streams: Sequence[Stream]) -> Iterator[list[int]]:
    """Streams that are decoded side by side, or alone; all those that have their states."""
    left = [
        _Slice.of(at, stream)
        for at, stream in enumerate(streams)
        if len(stream.data) >= 4 * stream.lanes
    ]
    while together := _together(left):
        yield sorted(one.at for one in together)
        taken = {one.at for one in together}
        left = [one for one in left if one.at not in taken]
    yield from ([one.at] for one in left)


def _together(slices: Sequence[_Slice]) -> list[_Slice]:
    """Those that save most side by side; none where nothing is saved."""
    best, found = 0.0, []
    for reach in {one.reach for one in slices}:
        pool = sorted((s for s in slices if s.reach >= reach), key=lambda s: -s.lanes)
        each = STEP_SYMBOLS + (_STRETCH_COST / reach if reach < _FAR // 64 else 0)
        steps, alone = 0, 0.0
        for place, one in enumerate(pool, start=1):
            steps, alone = max(steps, one.steps), alone + one.alone
            if alone - each * steps > best:
                best, found = alone - each * steps, pool[:place]
    return found
