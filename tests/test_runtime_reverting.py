"""Back to the generation before, and generations that are marked bad."""

import pytest

from deciding import decide, of, take
from midstream.errors import ErrorCode, RefusedError
from midstream.runtime import Slots
from midstream.testing.runtime import FakeBackend


def test_revert_goes_back_to_the_generation_before() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    first = take(slots, b"a")
    take(slots, b"b")
    assert slots.previous == first
    assert slots.revert() == first
    assert decide(slots) == of(backend, b"a")
    assert (slots.previous, slots.revert()) == (None, None)
    assert slots.active == first


def test_revert_leaves_what_waits() -> None:
    slots = Slots(FakeBackend())
    first = take(slots, b"a")
    take(slots, b"b")
    third = slots.stage(b"c", release=1, layer=2)
    slots.revert()
    assert slots.swap() == third
    assert slots.previous == first


def test_there_is_nothing_before_the_first() -> None:
    slots = Slots(FakeBackend())
    assert slots.revert() is None
    first = take(slots, b"a")
    assert slots.revert() is None
    assert slots.active == first


def test_the_generation_before_is_kept_until_the_next_swap() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    for model in (b"a", b"b", b"c"):
        take(slots, model)
    assert backend.alive == 3
    assert slots.collect() == 1
    assert backend.alive == 2


def test_a_bad_active_generation_is_left_and_never_staged_again() -> None:
    slots = Slots(FakeBackend())
    first, second = take(slots, b"a"), take(slots, b"b")
    assert slots.mark_bad(second) == first
    with pytest.raises(RefusedError, match="was marked bad") as caught:
        slots.stage(b"b", release=7, layer=0)
    assert caught.value.code is ErrorCode.SELF_TEST_FAILED


def test_a_bad_generation_that_waits_is_dropped() -> None:
    slots = Slots(FakeBackend())
    first = take(slots, b"a")
    assert slots.mark_bad(slots.stage(b"b", release=1, layer=1)) == first
    assert (slots.standby, slots.swap()) == (None, None)


def test_a_bad_generation_is_not_gone_back_to() -> None:
    slots = Slots(FakeBackend())
    first, second = take(slots, b"a"), take(slots, b"b")
    assert slots.mark_bad(first) == second
    assert slots.revert() is None


def test_a_bad_generation_with_nothing_before_it_stays_until_the_next() -> None:
    backend = FakeBackend()
    slots = Slots(backend)
    first = take(slots, b"a")
    assert slots.mark_bad(first) == first
    second = take(slots, b"b")
    assert (slots.active, slots.previous) == (second, None)
    slots.collect()
    assert backend.alive == 1


def test_a_generation_left_long_ago_may_be_marked_too() -> None:
    slots = Slots(FakeBackend())
    first = take(slots, b"a")
    take(slots, b"b")
    third = take(slots, b"c")
    assert slots.mark_bad(first) == third


def test_a_model_marked_bad_while_it_is_loaded_is_refused() -> None:
    first = Slots(FakeBackend()).stage(b"a", release=1, layer=0)
    backend = FakeBackend(load_seconds=1.0, sleep=lambda _: slots.mark_bad(first) and None)
    slots = Slots(backend)
    with pytest.raises(RefusedError, match="was marked bad"):
        slots.stage(b"a", release=1, layer=0)
    assert (slots.standby, backend.alive) == (None, 0)


def test_what_is_left_for_good_is_not_gone_back_to_and_may_be_staged_anew() -> None:
    slots = Slots(FakeBackend())
    first, second = take(slots, b"a"), take(slots, b"b")
    slots.leave(first.sha256)
    assert slots.previous is None
    slots.leave(second.sha256)
    assert slots.active == second  # until the next swap
    third = take(slots, b"c")
    assert slots.previous is None
    again = take(slots, b"a")
    assert slots.previous == third
    take(slots, b"c")
    assert slots.revert() == again
