"""What befalls the feeds of simulated venues in the course of things: days of it, by chance.

Each day of each venue has dice of its own, so an incident does not depend on how time is cut.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

DAY_S: Final = 86_400


class Kind(StrEnum):
    """What it is."""

    CUT = "cut"  # the connection breaks; the next one first sends the last minutes' orders
    GAP = "gap"  # the connection breaks; what it missed is lost
    OUTAGE = "outage"  # the venue is gone for hours, answers too
    OVERLAP = "overlap"  # two connections deliver the same


class Incident(msgspec.Struct, frozen=True):
    """One incident of one venue.

    Attributes:
        kind: What it is.
        venue: Whose, by place.
        start_s: Market second at which it starts.
        seconds: How long it lasts.
        replayed_s: Of a cut: so many of its last seconds are sent when it ends.
    """

    kind: Kind
    venue: int
    start_s: int
    seconds: int
    replayed_s: int = 0

    @property
    def end_s(self) -> int:
        """First second after it."""
        return self.start_s + self.seconds


class Rates(msgspec.Struct, frozen=True):
    """How often things happen: times a day and venue, and how long they last. Judgements.

    Attributes:
        cuts_a_day: Connections that break and are made up for.
        cut_s: Shortest and longest.
        replayed_s: Shortest and longest part of a cut that is sent later.
        gaps_a_day: Connections that break and are not made up for.
        gap_s: Shortest and longest.
        outages_a_day: Three venues at this rate: one in some three days.
        outage_s: Shortest and longest.
        overlaps_a_day: Times at which two connections deliver the same.
        overlap_s: Shortest and longest.
    """

    cuts_a_day: float = 0.5
    cut_s: tuple[int, int] = (60, 600)
    replayed_s: tuple[int, int] = (60, 300)
    gaps_a_day: float = 0.3
    gap_s: tuple[int, int] = (60, 600)
    outages_a_day: float = 0.1
    outage_s: tuple[int, int] = (3600, 4 * 3600)
    overlaps_a_day: float = 1.0
    overlap_s: tuple[int, int] = (120, 300)


NEVER: Final = Rates(cuts_a_day=0.0, gaps_a_day=0.0, outages_a_day=0.0, overlaps_a_day=0.0)


class Natural:
    """The incidents of all venues, made day by day from one root number."""

    def __init__(self, root: int, rates: Rates, venues: int) -> None:
        self._root = root
        self._rates = rates
        self._venues = venues
        self._days: dict[int, tuple[Incident, ...]] = {}

    def between(self, start_s: int, end_s: int) -> Sequence[Incident]:
        """Those that run in some of these seconds, by start."""
        # None is as long as a day.
        found = [
            one
            for day in range(max(0, start_s // DAY_S - 1), (end_s - 1) // DAY_S + 1)
            for one in self._day(day)
            if one.start_s < end_s and one.end_s > start_s
        ]
        return sorted(found, key=lambda one: (one.start_s, one.venue, one.kind))

    def _day(self, day: int) -> tuple[Incident, ...]:
        if day not in self._days:
            self._days[day] = tuple(
                one for venue in range(self._venues) for one in self._made(day, venue)
            )
        return self._days[day]

    def _made(self, day: int, venue: int) -> Sequence[Incident]:
        rates = self._rates
        dice = np.random.default_rng([self._root, day, venue])
        made = []
        for kind, often, (least_s, most_s) in (
            (Kind.CUT, rates.cuts_a_day, rates.cut_s),
            (Kind.GAP, rates.gaps_a_day, rates.gap_s),
            (Kind.OUTAGE, rates.outages_a_day, rates.outage_s),
            (Kind.OVERLAP, rates.overlaps_a_day, rates.overlap_s),
        ):
            for _ in range(int(dice.poisson(often))):
                start_s = day * DAY_S + int(dice.integers(DAY_S))
                seconds = int(dice.integers(least_s, most_s + 1))
                replayed_s = int(dice.integers(rates.replayed_s[0], rates.replayed_s[1] + 1))
                replayed_s = min(seconds, replayed_s) if kind is Kind.CUT else 0
                made.append(Incident(kind, venue, start_s, seconds, replayed_s))
        return made
