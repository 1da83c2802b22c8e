"""What a carousel costs receivers that join at random: simulated, without sockets or clocks.

Order, symbols and decoding are the real ones; only the symbols are two bytes long, since
loss does not care how long they are. Sizes are counted with the real ones.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midstream.fec import grids
from midstream.fec.grids import COLUMNS, Grid
from midstream.origin.casting import DATAGRAM_SIZE
from midstream.session.datagrams import HEADER_SIZE, Datagram, ObjectKey, ObjectKind
from midstream.session.gathering import Gathering
from midstream.session.rotation import rotate, shares
from reach.figures import Figure

__all__ = ["STEPS", "Cost", "carousel_figures", "measure_carousel", "simulate"]

_SIZES = {"45 kB": 45_000, "6 MB": 6_000_000}
_RECEIVERS = {"45 kB": 2000, "6 MB": 100}
_LOSSES = (0.01, 0.05, 0.1, 0.2, 0.3)
_LOW = 0.1
"""Loss up to which more is aimed at."""

STEPS = len(_SIZES) * len(_LOSSES)
"""For the bar."""

_BUNDLE = 3000
"""Bytes of a bundle without a base, about."""
_TINY = 2
_ROUNDS = 4
"""Rounds of the unit; receivers join in the first half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Means over receivers, each over the bound: size / (1 - loss)."""

    own: float
    """Bytes sent of the object, headers included, until it was complete and exact."""
    all: float
    """The same with the bundle's datagrams that went beside them."""
    receivers: int
    """How many joined."""


def measure_carousel(advance: Callable[[str], None]) -> list[dict[str, Any]]:
    """What each size costs at each loss.

    Args:
        advance: Told of each step.
    """
    rows: list[dict[str, Any]] = []
    for label, size in _SIZES.items():
        for loss in _LOSSES:
            advance("receivers of a carousel")
            cost = simulate(size, loss, _RECEIVERS[label], seed=1)
            rows.append({"size": label, "loss": loss, **asdict(cost)})
    return rows


def carousel_figures(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The figures of the carousel."""
    listed: list[Figure] = []
    for words, aim, is_low in (("to 10 % loss", 1.05, True), ("above, to 30 %", 1.09, False)):
        chosen = [row for row in rows if (row["loss"] <= _LOW) is is_low]
        beside = max((row["all"] for row in chosen), default=math.nan)
        listed.append(
            Figure(
                name=f"bytes over a carousel, {words}",
                unit="x",
                must=1.15,
                aim=aim,
                values={f"{row['size']}, {row['loss']:.0%}": row["own"] for row in chosen},
                note="sent of the object with headers until it is there, over size / (1 - loss), "
                f"mean of joins; {beside:.3f} at most with the bundle's datagrams beside it",
            )
        )
    return listed


def simulate(size: int, loss: float, receivers: int, *, seed: int = 0) -> Cost:
    """Send a unit round beside its bundle, to receivers that join at random moments.

    Args:
        size: Bytes of the unit.
        loss: Probability that a datagram is lost.
        receivers: How many join.
        seed: Of moments and losses.
    """
    rng = random.Random(seed)
    real = [Grid.fitting(each, DATAGRAM_SIZE - HEADER_SIZE) for each in (_BUNDLE, size)]
    tiny = [Grid(grid.blocks * grid.source * _TINY, _TINY) for grid in real]
    data = rng.randbytes(tiny[1].size)
    rotation = rotate(tiny, shares(_BUNDLE, [size]))
    beginning = tiny[0].source
    order = list(islice(rotation, beginning, beginning + _ROUNDS * COLUMNS * tiny[1].blocks))
    sent = [_receive(order, tiny[1], data, loss, rng) for _ in range(receivers)]
    wire = [grid.symbol_size + HEADER_SIZE for grid in real]
    bound = size / (1 - loss)
    beside, own = (float(np.mean([counts[at] for counts in sent])) * wire[at] for at in (0, 1))
    return Cost(own=own / bound, all=(own + beside) / bound, receivers=receivers)


def _receive(
    order: list[tuple[int, int, int]], grid: Grid, data: bytes, loss: float, rng: random.Random
) -> list[int]:
    """Datagrams of the bundle and of the unit that were sent until the unit was there."""
    symbols = _encoded(data, grid)
    key = ObjectKey(kind=ObjectKind.UNIT, id=bytes(8), size=grid.size, symbol_size=_TINY)
    gathering = Gathering()
    counts = [0, 0]
    for index, row, column in order[rng.randrange(len(order) // 2) :]:
        counts[index] += 1
        if not index or rng.random() < loss:
            continue
        symbol = symbols[row, column].tobytes()
        gathered = gathering.receive(Datagram(key=key, row=row, column=column, symbol=symbol))
        if gathered is None or not gathered.is_ready:
            continue
        found = gathered.snapshot().decode()
        if found is not None:
            assert found == data, "what came is what was sent"
            return counts
        gathered.postpone()
    raise RuntimeError(f"a receiver that lost {loss:.0%} was not done in {_ROUNDS // 2} rounds")


@lru_cache(maxsize=1)
def _encoded(data: bytes, grid: Grid) -> NDArray[np.uint8]:
    return grids.encode(data, grid)
