"""Hours: liquidations as a share of open interest, with the open-interest side beside them.

An hour's forced share is measured by the coin's own aged tail quantile, as the detector does
with sixty seconds; an hour is sixty of those, so it counts by reaching the quantile once, not
a multiple of it. The quantile is asked before the hour is taken in.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from monitor.assess.history_rules import (
    EVENT_INTEREST_RATIO,
    EVENT_MOVE_RATIO,
    PRIMARY,
    AgedScale,
    Moves,
    Rule,
    rules,
    sigmas,
)
from monitor.assess.history_series import HOUR_S, Candles, Series, stamp_s, words_of
from monitor.events import Position
from monitor.parameters import Parameters

TIERS = ("A", "B", "C", "")
CRASH_FROM_S = stamp_s("2024-08-04 00:00")
CRASH_TO_S = stamp_s("2024-08-07 00:00")


class TierFigures(msgspec.Struct, frozen=True):
    """The hours of one tier.

    Attributes:
        tier: A must fire, B is reported, C must not fire; "" are hours of no tier.
        hours: Labelled hours.
        n: Those that could be evaluated; all that follows counts among them.
        flow: The forced share of a position reached its own quantile.
        confirmers: A sample in the hour held the detector's price and open-interest confirmers.
        cascading: The same with the cut of -0.5 % in open interest.
        flow_confirmers: Flow and confirmers, of one position.
        fired: Flow and cascading, of one position: what this evaluation calls an alarm.
    """

    tier: str
    hours: int
    n: int
    flow: int
    confirmers: int
    cascading: int
    flow_confirmers: int
    fired: int


class FlaggedHour(msgspec.Struct, frozen=True):
    """An hour that was flagged; known when it has ended.

    Attributes:
        hour_utc: Its begin.
        position: Which position was closed.
        flow: Forced share over the coin's own quantile.
        price_ratio, price_z: Change of the price, and in sigmas of an hour.
        interest_ratio: Change of open interest.
        large: Whether it fell by 2 % and the price moved by 1 % besides.
    """

    hour_utc: str
    position: str
    flow: float
    price_ratio: float
    price_z: float
    interest_ratio: float
    large: bool


class CrashFigures(msgspec.Struct, frozen=True):
    """One coin in the summer of 2024, with the crash of 5 August.

    Attributes:
        coin: Which.
        hours: Evaluable hours of the two months.
        flagged: Hours flagged in them: forced share at its own quantile, price move at the
            detector's sigmas in the forced direction, open interest down by 0.5 %.
        flow, flow_and_price: Hours in which those parts held alone.
        low_utc: Begin of the hour with the lowest price from 4 to 6 August.
        first_lead_h: Hours from the end of the first flagged one in those days to the begin
            of that hour; negative when the flag came after, None without one.
        interest_to_come: Part of the fall in open interest of those days that came after the
            end of the first flagged hour; None without one.
        crash: The hours flagged in those days.
    """

    coin: str
    hours: int
    flagged: int
    flow: int
    flow_and_price: int
    low_utc: str
    first_lead_h: int | None
    interest_to_come: float | None
    crash: tuple[FlaggedHour, ...]


def tier_figures(
    series: Series,
    seen: Moves,
    liquidations: Mapping[int, tuple[float, float]],
    labels: Mapping[int, str],
    parameters: Parameters,
) -> tuple[TierFigures, ...]:
    """Count the labelled hours of BTC that fire, by tier.

    Args:
        series: Open interest and price each five minutes.
        seen: The confirmers' inputs at its samples.
        liquidations: Begin of an hour -> US dollars of longs and of shorts closed in it.
        labels: Begin of an hour -> tier.
        parameters: The detector's.
    """
    by_name = {rule.name: rule for rule in rules(parameters)}
    signs = {
        name: [_hours_of(series, seen, by_name[name], position) for position in Position]
        for name in ("confirmers", PRIMARY)
    }
    known = seen.known()
    own = AgedScale(parameters)
    counts = {tier: [0] * 7 for tier in TIERS}
    for hour in sorted(liquidations):
        begin = series.place(hour)
        # Samples of an hour are stamped after its begin and up to its end.
        first, last = series.place(hour + 1e-3), series.place(hour + HOUR_S + 1e-3)
        if not (begin < len(known) and last > first):
            continue
        usd = float(series.interest[begin] * series.price[begin])
        shares = [value / usd for value in liquidations[hour]]
        scale = own.scale()
        own.feed(shares, HOUR_S)
        if hour not in labels:
            continue
        count = counts[labels[hour]]
        count[0] += 1
        if math.isnan(scale) or not known[first:last].all():
            continue
        flow = [share >= scale > 0.0 for share in shares]
        confirmed = [hour in hours for hours in signs["confirmers"]]
        cascading = [hour in hours for hours in signs[PRIMARY]]
        for k, held in enumerate(
            (
                True,
                any(flow),
                any(confirmed),
                any(cascading),
                any(a and b for a, b in zip(flow, confirmed, strict=True)),
                any(a and b for a, b in zip(flow, cascading, strict=True)),
            )
        ):
            count[k + 1] += held
    return tuple(TierFigures(tier, *counts[tier]) for tier in TIERS)


def crash_figures(hours: Candles, parameters: Parameters) -> CrashFigures:
    """Flag the hours of one coin by forced share, price and open interest."""
    sigma = sigmas(hours.close)
    own = AgedScale(parameters)
    flagged: list[tuple[int, FlaggedHour]] = []
    evaluable = flows = moved = 0
    for k in range(1, len(hours.times_s)):
        shares = [float(share) for share in hours.liquidated[k] / hours.interest_open[k]]
        scale = own.scale()
        own.feed(shares, HOUR_S)
        followed = hours.times_s[k] - hours.times_s[k - 1] == HOUR_S
        if math.isnan(scale) or math.isnan(sigma[k]) or not followed:
            continue
        evaluable += 1
        change = float(hours.interest_close[k] / hours.interest_open[k]) - 1.0
        move = float(hours.close[k] / hours.close[k - 1]) - 1.0
        z = math.log1p(move) / float(sigma[k])
        position = Position.LONG if z < 0.0 else Position.SHORT
        share = shares[0] if position is Position.LONG else shares[1]
        flow = share >= scale > 0.0
        flows += any(value >= scale > 0.0 for value in shares)
        moved += flow and abs(z) >= parameters.price_z
        if flow and abs(z) >= parameters.price_z and change <= parameters.cascading_interest_ratio:
            large = change <= EVENT_INTEREST_RATIO and abs(move) >= EVENT_MOVE_RATIO
            flag = FlaggedHour(
                words_of(float(hours.times_s[k])),
                str(position),
                round(share / scale, 3),
                round(move, 5),
                round(z, 2),
                round(change, 5),
                large,
            )
            flagged.append((k, flag))
    crash = [
        (k, flag) for k, flag in flagged if CRASH_FROM_S <= float(hours.times_s[k]) < CRASH_TO_S
    ]
    return _crash(hours, (evaluable, len(flagged), flows, moved), crash)


def _crash(
    hours: Candles, counts: tuple[int, int, int, int], crash: Sequence[tuple[int, FlaggedHour]]
) -> CrashFigures:
    """What the flags of the crash's days are worth."""
    evaluable, flagged, flows, moved = counts
    begin = int(np.searchsorted(hours.times_s, CRASH_FROM_S))
    end = int(np.searchsorted(hours.times_s, CRASH_TO_S))
    low = begin + int(np.argmin(hours.low[begin:end]))
    lead_h: int | None = None
    to_come: float | None = None
    if crash:
        first = crash[0][0]
        lead_h = round((hours.times_s[low] - hours.times_s[first]) / HOUR_S) - 1
        interest = hours.interest_close[begin:end]
        peak = float(np.max(interest[: first - begin + 1]))
        fall = peak - float(np.min(interest))
        rest = float(interest[first - begin]) - float(np.min(interest[first - begin :]))
        to_come = round(rest / fall, 4) if fall > 0.0 else 0.0
    return CrashFigures(
        hours.coin,
        evaluable,
        flagged,
        flows,
        moved,
        low_utc=words_of(float(hours.times_s[low])),
        first_lead_h=lead_h,
        interest_to_come=to_come,
        crash=tuple(flag for _, flag in crash),
    )


def _hours_of(series: Series, seen: Moves, rule: Rule, position: Position) -> set[int]:
    """Begins of the hours in which a rule holds at a sample; an end belongs to its hour."""
    stamps = series.times_s[seen.hits(rule, position)]
    return {(math.ceil(float(stamp) / HOUR_S) - 1) * HOUR_S for stamp in stamps}
