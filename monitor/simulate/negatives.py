"""Hard negatives: things that look like a cascade, or blind the detector, and are no cascade.

Each is injected on purpose, in a known second and asset, so that what a detector says of it can
be counted by kind.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

# From the end of one injection to the start of the next of the same asset.
APART_S: Final = 2400
_DAY_S: Final = 86_400
_FUNDING_EVERY_S: Final = 8 * 3600
_OPEN_S: Final = 13 * 3600 + 30 * 60
_SATURDAY: Final = 5
_ATTEMPTS: Final = 10_000


class NegativeKind(StrEnum):
    """What is injected."""

    WHALE = "whale"  # one forced position of 0.08-0.43 % of open interest within 1-3 s
    FUNDING_BURST = "funding_burst"  # x4..x8 of small forced orders around funding
    OPEN_BURST = "open_burst"  # the same when the American session opens, 13:30 UTC
    VENUE_DOWN = "venue_down"  # a venue shows nothing of the asset for 10-30 min
    GAP_REPLAY = "gap_replay"  # a 10-min gap, then all its orders at once
    DUPLICATES = "duplicates"  # each order three times over three connections, 2 min
    FROZEN_INTEREST = "frozen_interest"  # open interest repeats its value for 20 min
    FROZEN_DEPTH = "frozen_depth"  # books repeat theirs for 20 min
    CLOCK_SKEW = "clock_skew"  # a venue's clock is 2 s off for 20 min
    SIDE_FLIP = "side_flip"  # a venue's positions are swapped for 20 min
    SPOT_DROP = "spot_drop"  # spot sells off into deep books; made by the market


class Negative(msgspec.Struct, frozen=True):
    """One injection.

    Attributes:
        kind: What it is.
        start_s: Market second at which it starts.
        seconds: How long it lasts.
        asset: Whose.
        venue: Which venue it befalls, by place; of no meaning to bursts, frozen values and drops.
        position: Whale: whose position. Burst: the one that has most of it. Clock: 0 behind,
            1 ahead. Replay: 0 over the stalled connection, 1 over a new one.
        size: Whale: share of open interest. Burst: factor on the usual flow. Drop: fall of the
            price, ratio.
    """

    kind: NegativeKind
    start_s: int
    seconds: int
    asset: int
    venue: int = 0
    position: int = 0
    size: float = 0.0

    @property
    def end_s(self) -> int:
        """First second after it."""
        return self.start_s + self.seconds


# Shortest and longest, seconds.
_LASTS: Final[Mapping[NegativeKind, tuple[int, int]]] = {
    NegativeKind.WHALE: (1, 3),
    NegativeKind.FUNDING_BURST: (60, 120),
    NegativeKind.OPEN_BURST: (60, 120),
    NegativeKind.VENUE_DOWN: (600, 1800),
    NegativeKind.GAP_REPLAY: (600, 600),
    NegativeKind.DUPLICATES: (120, 120),
    NegativeKind.FROZEN_INTEREST: (1200, 1200),
    NegativeKind.FROZEN_DEPTH: (1200, 1200),
    NegativeKind.CLOCK_SKEW: (1200, 1200),
    NegativeKind.SIDE_FLIP: (1200, 1200),
    NegativeKind.SPOT_DROP: (1800, 2700),
}
_SIZES: Final[Mapping[NegativeKind, tuple[float, float]]] = {
    NegativeKind.WHALE: (0.0008, 0.0043),
    NegativeKind.FUNDING_BURST: (4.0, 8.0),
    NegativeKind.OPEN_BURST: (4.0, 8.0),
    NegativeKind.SPOT_DROP: (0.02, 0.04),
}


def negative(
    kind: NegativeKind, start_s: int, asset: int, seed: int, *, venues: int = 3
) -> Negative:
    """One injection; its length, venue, position and size follow from the seed."""
    dice = np.random.default_rng(seed)
    least_s, most_s = _LASTS[kind]
    least, most = _SIZES.get(kind, (0.0, 0.0))
    return Negative(
        kind,
        start_s,
        int(dice.integers(least_s, most_s + 1)),
        asset,
        int(dice.integers(venues)),
        int(dice.integers(2)),
        float(dice.uniform(least, most)),
    )


def schedule(
    counts: Mapping[NegativeKind, int],
    assets: int,
    start_s: int,
    seconds: int,
    generator: np.random.Generator,
    *,
    apart_s: int = APART_S,
) -> tuple[Negative, ...]:
    """Spread so many injections of each kind over assets and seconds, by start.

    Any two of one asset are at least `apart_s` from each other. Bursts lie around funding
    minutes (00, 08 and 16 UTC) and openings (13:30 UTC on weekdays).

    Raises:
        ValueError: There is no room for so many.
    """
    taken: list[list[Negative]] = [[] for _ in range(assets)]
    # Those that are bound to an hour choose first.
    order = sorted(counts, key=lambda kind: (kind not in _HOURS, list(NegativeKind).index(kind)))
    for kind in order:
        hours = _HOURS[kind](start_s, seconds) if kind in _HOURS else ()
        for _ in range(counts[kind]):
            _place(kind, hours, taken, (start_s, seconds), apart_s, generator)
    return tuple(sorted((one for some in taken for one in some), key=_order))


def _order(one: Negative) -> tuple[int, int]:
    return one.start_s, one.asset


def _place(
    kind: NegativeKind,
    hours: Sequence[int],
    taken: list[list[Negative]],
    span: tuple[int, int],
    apart_s: int,
    generator: np.random.Generator,
) -> None:
    for _ in range(_ATTEMPTS):
        asset = int(generator.integers(len(taken)))
        if kind not in _HOURS:
            start_s = span[0] + int(generator.integers(span[1]))
        elif hours:
            # Most of a burst lies behind the minute that it is about.
            start_s = int(generator.choice(np.asarray(hours))) - int(generator.integers(31))
        else:
            break
        one = negative(kind, start_s, asset, int(generator.integers(1 << 62)))
        if one.start_s < span[0] or one.end_s > sum(span):
            continue
        if all(
            other.end_s + apart_s <= one.start_s or one.end_s + apart_s <= other.start_s
            for other in taken[asset]
        ):
            taken[asset].append(one)
            return
    raise ValueError(f"expected room for one more {kind}, found none in {span[1]} s")


def _funding(start_s: int, seconds: int) -> Sequence[int]:
    first = -(-start_s // _FUNDING_EVERY_S) * _FUNDING_EVERY_S
    return range(first, start_s + seconds, _FUNDING_EVERY_S)


def _openings(start_s: int, seconds: int) -> Sequence[int]:
    day = datetime.fromtimestamp(start_s, UTC).replace(hour=0, minute=0, second=0)
    found = []
    while day.timestamp() < start_s + seconds:
        if day.weekday() < _SATURDAY:
            found.append(int(day.timestamp()) + _OPEN_S)
        day += timedelta(days=1)
    return [at for at in found if start_s <= at < start_s + seconds]


_HOURS: Final = {
    NegativeKind.FUNDING_BURST: _funding,
    NegativeKind.OPEN_BURST: _openings,
}
