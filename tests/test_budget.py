"""The budgets, the back-off, and what a venue may ask for."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.collect.budget import Backoff, Window, retry_after_s

LIMIT = 10.0
WINDOW_S = 8.0
# Eighths of a second are exact, so that sums and differences are compared without tolerance.
STEPS = st.lists(st.tuples(st.integers(0, 64), st.integers(1, 10)), max_size=60)


def booked(steps: list[tuple[int, int]]) -> list[tuple[float, float, float]]:
    """(asked at, granted at, weight) of a series of bookings."""
    window = Window(LIMIT, WINDOW_S)
    now_s = 1000.0
    bookings = []
    for pause, weight in steps:
        now_s += pause / 8
        bookings.append((now_s, now_s + window.reserve(now_s, weight), float(weight)))
    return bookings


def spent(bookings: list[tuple[float, float, float]], at_s: float) -> float:
    """Weight granted in the window that ends at a moment, that moment included."""
    return sum(weight for _, granted_s, weight in bookings if at_s - WINDOW_S < granted_s <= at_s)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[int, int]]) -> None:
    """Whatever is asked for and when, any window of time stays within the limit."""
    bookings = booked(steps)
    assert [at for _, at, _ in bookings if spent(bookings, at) > LIMIT] == []


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_nobody_waits_longer_than_needed(steps: list[tuple[int, int]]) -> None:
    """A booking is granted at the first moment, after those before it, at which it fits."""
    bookings = booked(steps)
    for number, (asked_s, granted_s, weight) in enumerate(bookings):
        before = bookings[:number]
        earliest_s = max([asked_s, *(at for _, at, _ in before)])
        moments = sorted({earliest_s, *(at + WINDOW_S for _, at, _ in before)})
        fitting = [
            at for at in moments if at >= earliest_s and spent(before, at) + weight <= LIMIT
        ]
        assert granted_s == fitting[0]


def test_a_limit_of_one_paces_evenly() -> None:
    """With limit 1 and window 1 / rate, bookings follow each other at that rate."""
    pace = Window(1.0, 0.25)
    assert [pace.reserve(50.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert pace.reserve(60.0) == 0.0


def test_a_weight_above_the_limit_goes_alone() -> None:
    """What can never fit waits for an empty window instead of for ever."""
    window = Window(10.0, 60.0)
    assert window.reserve(0.0, 1.0) == 0.0
    assert window.reserve(0.0, 50.0) == 60.0
    assert window.reserve(0.0, 1.0) == 120.0


@given(st.integers(0, 2**32), st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_back_off_doubles_up_to_its_cap_with_full_jitter(seed: int, retries: int) -> None:
    """The n-th wait is drawn evenly from zero to base x 2^n, and never exceeds the cap."""
    backoff = Backoff(0.5, 60.0, Random(seed))
    twin = Random(seed)
    for attempt in range(retries):
        assert backoff.next_s() == twin.uniform(0.0, min(60.0, 0.5 * 2.0**attempt))
    assert backoff.attempts == retries


def test_back_off_begins_anew_after_a_success() -> None:
    """A reset makes the next wait a first one again."""
    backoff = Backoff(0.5, 60.0, Random(1))
    for _ in range(20):
        backoff.next_s()
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next_s() <= 0.5


def test_back_off_waits_as_long_as_the_venue_asks_up_to_the_cap() -> None:
    """A venue's Retry-After is honoured, but not beyond the cap."""
    backoff = Backoff(0.5, 60.0, Random(1))
    assert backoff.next_s(asked_s=17.0) == 17.0
    assert backoff.next_s(asked_s=86_400.0) == 60.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 7 ", 7.0),
        (None, 0.0),
        ("", 0.0),
        ("-5", 0.0),
        ("1e9", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("²", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_nothing(header: str | None, seconds: float) -> None:
    """Only plain seconds count; anything else is as if the venue had asked for nothing."""
    assert retry_after_s(header) == seconds
