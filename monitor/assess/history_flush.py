"""Flush timing: when the open-interest side would have seen the flushes that labels name."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from monitor.assess.history_figures import Part, Spread, part, spread
from monitor.assess.history_rules import (
    ALARM_GAP_S,
    DAY_S,
    EARLY_S,
    LABEL_FALL_RATIO,
    LATE_S,
    MONTH_S,
    WAVE_HORIZON_S,
    Moves,
    Rule,
    alarms,
    peak_before,
)
from monitor.assess.history_series import Flush, Series
from monitor.events import Position


class CoinFigures(msgspec.Struct, frozen=True):
    """One rule on one coin.

    Attributes:
        coin: Which.
        months: Evaluable time, months of 365.25 / 12 days.
        recall: Labelled flushes that were hit, of those that could be.
        unlabelled: Alarms that no label explains.
    """

    coin: str
    months: float
    recall: Part
    unlabelled: int


class RuleFigures(msgspec.Struct, frozen=True):
    """One rule on all coins.

    Attributes:
        rule: Its name.
        recall: Labelled flushes with a hit of their position in their window.
        delay_s: From the labelled onset to the first hit; negative is before it.
        to_come: Part of the label's fall in open interest still to come at the first hit, of
            those hit.
        to_come_all: The same of all evaluable labels, misses as 0.
        alarms: Alarms in all.
        unlabelled: Alarms that no label explains, of all.
        unlabelled_per_month: The same for each month of one coin.
        unlabelled_fell: Of those, how many were followed within half an hour by a fall of
            1 % in open interest from before the alarm: what a label asks at the least.
        unlabelled_days: Days (UTC) with such an alarm, of all days.
        coins: Coin by coin.
    """

    rule: str
    recall: Part
    delay_s: Spread
    to_come: Spread
    to_come_all: Spread
    alarms: int
    unlabelled: int
    unlabelled_per_month: float
    unlabelled_fell: Part
    unlabelled_days: Part
    coins: tuple[CoinFigures, ...]


class FlushFigures(msgspec.Struct, frozen=True):
    """Flush timing at one spacing.

    Attributes:
        step_s: Spacing of the samples.
        months: Evaluable months of all coins together.
        labels: Labelled flushes that could be evaluated, of all: their coin is recorded, and
            they are not in the first day nor in a hole.
        rules: The rules, compared on the same samples.
    """

    step_s: int
    months: float
    labels: Part
    rules: tuple[RuleFigures, ...]


class _Found(msgspec.Struct):
    """What one rule found on one coin."""

    coin: str
    months: float
    hit: list[bool]
    delays_s: list[float]
    to_come: list[float]
    alarms: int
    fell: list[bool]
    days: set[int]


def flush_figures(
    recorded: Sequence[tuple[Series, Moves]], labels: Sequence[Flush], compared: Sequence[Rule]
) -> FlushFigures:
    """Score rules against labels; all series have one spacing."""
    days = {
        int(time_s // DAY_S)
        for series, seen in recorded
        for time_s in series.times_s[seen.known()]
    }
    scored = []
    for rule in compared:
        found = [_found(series, seen, labels, rule) for series, seen in recorded]
        months = sum(one.months for one in found)
        unlabelled = sum(len(one.fell) for one in found)
        to_come = [value for one in found for value in one.to_come]
        missed = [0.0 for one in found for hit in one.hit if not hit]
        scored.append(
            RuleFigures(
                rule.name,
                recall=part(hit for one in found for hit in one.hit),
                delay_s=spread(value for one in found for value in one.delays_s),
                to_come=spread(to_come),
                to_come_all=spread(to_come + missed),
                alarms=sum(one.alarms for one in found),
                unlabelled=unlabelled,
                unlabelled_per_month=round(unlabelled / months, 4) if months else 0.0,
                unlabelled_fell=part(fell for one in found for fell in one.fell),
                unlabelled_days=Part(len(set().union(*(one.days for one in found))), len(days)),
                coins=tuple(
                    CoinFigures(one.coin, round(one.months, 4), part(one.hit), len(one.fell))
                    for one in found
                ),
            )
        )
    return FlushFigures(
        step_s=recorded[0][0].step_s,
        months=round(sum(_months(series, seen) for series, seen in recorded), 4),
        labels=part(
            any(
                label.coin == series.coin and evaluable(series, seen, label)
                for series, seen in recorded
            )
            for label in labels
        ),
        rules=tuple(scored),
    )


def evaluable(series: Series, seen: Moves, label: Flush) -> bool:
    """Whether every sample in which a label may be hit is known."""
    window = _window(series, label)
    return window.stop > window.start and bool(seen.known()[window].all())


def to_come(series: Series, label: Flush, place: int) -> float:
    """Part of a label's fall in open interest that comes after a sample, from 0 to 1.

    The fall is from the highest of the five minutes before the onset to the lowest up to the
    labelled exhaustion; NaN where none is labelled.
    """
    if math.isnan(label.exhaustion_s):
        return math.nan
    onset, end = series.place(label.onset_s), series.place(label.exhaustion_s)
    interest = series.interest
    peak = peak_before(series, onset)
    low = float(np.nanmin(interest[onset : end + 1]))
    if not peak > low:
        return 0.0
    return min(1.0, max(0.0, (float(interest[place]) - low) / (peak - low)))


def _window(series: Series, label: Flush) -> slice:
    """Samples in which a label may be hit."""
    return slice(
        series.place(label.onset_s - EARLY_S), series.place(label.onset_s + LATE_S + 1e-3)
    )


def _months(series: Series, seen: Moves) -> float:
    return int(seen.known().sum()) * series.step_s / MONTH_S


def _found(series: Series, seen: Moves, labels: Sequence[Flush], rule: Rule) -> _Found:
    """Match the alarms of one rule with the labels of one coin."""
    out = _Found(series.coin, _months(series, seen), [], [], [], 0, [], set())
    for position in Position:
        hits = seen.hits(rule, position)
        own = [
            label for label in labels if (label.coin, label.position) == (series.coin, position)
        ]
        for label in own:
            if not evaluable(series, seen, label):
                continue
            window = _window(series, label)
            places = np.flatnonzero(hits[window]) + window.start
            out.hit.append(len(places) > 0)
            if len(places) > 0:
                first = int(places[0])
                out.delays_s.append(float(series.times_s[first]) - label.onset_s)
                out.to_come.append(to_come(series, label, first))
        for alarm in alarms(series.times_s, hits):
            out.alarms += 1
            if not any(_explains(label, series, alarm) for label in own):
                out.fell.append(_falls(series, alarm[0]))
                out.days.add(int(series.times_s[alarm[0]] // DAY_S))
    return out


def _explains(label: Flush, series: Series, alarm: Sequence[int]) -> bool:
    """Whether a hit of an alarm lies between a label's window and its last aftershock."""
    begin_s = label.onset_s - EARLY_S
    # `fmax` passes over an exhaustion that is not labelled.
    end_s = np.fmax(label.exhaustion_s, label.onset_s + LATE_S) + ALARM_GAP_S
    return any(begin_s <= series.times_s[place] <= end_s for place in alarm)


def _falls(series: Series, place: int) -> bool:
    """Whether open interest falls by what a label asks, from before a hit to half an hour on."""
    end = series.place(float(series.times_s[place]) + WAVE_HORIZON_S)
    low = np.nanmin(series.interest[place : end + 1])
    return bool(low <= peak_before(series, place) * (1.0 - LABEL_FALL_RATIO))
