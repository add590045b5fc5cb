"""Open interest is flat: when the detector would have said so, and whether it was over.

The detector's kernel and rule are used as they are. Its kernel counts points at least
SPACING_S seconds apart on an axis of seconds; recorded samples are minutes apart, so each is
laid SPACING_S pseudo-seconds after the one before, and the slope is brought back to real
seconds. Which samples changed, how many are needed and what the median of the slopes is stay
the kernel's. The detector's age limit of 45 s cannot be kept by such samples: a call is made
as if each were fresh at its stamp.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from kernels import trend
from monitor.assess.history_figures import Part, Spread, part, spread
from monitor.assess.history_rules import (
    FLAT_HORIZON_S,
    FLAT_SAMPLES,
    HOLDS_S,
    WAVE_HORIZON_S,
    WAVE_RATIO,
    Moves,
    Rule,
    alarms,
    peak_before,
)
from monitor.assess.history_series import Flush, Reals, Series
from monitor.detect.interest import interest_flat
from monitor.events import Position
from monitor.parameters import Parameters


class Anchor(msgspec.Struct, frozen=True):
    """Where an episode begins in a series.

    Attributes:
        place: Its sample.
        position: Which position is closed.
        exhaustion_s: Labelled end, seconds since the epoch; NaN where there is none.
    """

    place: int
    position: Position
    exhaustion_s: float = math.nan


class CallFigures(msgspec.Struct, frozen=True):
    """Calls of one kind.

    Attributes:
        hold_s: So long had the price made no new extreme.
        with_interest: Whether open interest had to be flat as well; without it the hold alone
            decides, which is the yardstick.
        called: Episodes with a call within six hours, of all.
        after_onset_s: From the begin of the episode to the call.
        after_exhaustion_s: From the labelled exhaustion to the call; negative is before it.
        early: Calls before the labelled exhaustion, of those with one.
        another_wave: Calls after which open interest fell within 30 min by another 25 % of its
            fall so far, of those that had fallen and whose 30 min are recorded.
    """

    hold_s: int
    with_interest: bool
    called: Part
    after_onset_s: Spread
    after_exhaustion_s: Spread
    early: Part
    another_wave: Part


class FlatFigures(msgspec.Struct, frozen=True):
    """Flat timing at one spacing.

    Attributes:
        step_s: Spacing of the samples.
        span_s: What the slope looks back on.
        labelled: Episodes that begin at the labelled onsets.
        alarmed: Episodes that begin with the alarms of the detector's own rule, labelled or
            not; they have no labelled exhaustion.
    """

    step_s: int
    span_s: int
    labelled: tuple[CallFigures, ...]
    alarmed: tuple[CallFigures, ...]


def flat_figures(
    recorded: Sequence[tuple[Series, Moves]],
    labels: Sequence[Flush],
    rule: Rule,
    parameters: Parameters,
) -> FlatFigures:
    """Call the end of labelled and of alarmed episodes; all series have one spacing."""
    labelled = [(series, list(label_anchors(series, labels))) for series, _ in recorded]
    alarmed = [(series, list(alarm_anchors(series, seen, rule))) for series, seen in recorded]
    step_s = recorded[0][0].step_s
    return FlatFigures(
        step_s=step_s,
        span_s=(FLAT_SAMPLES - 1) * step_s,
        labelled=_figures(labelled, parameters),
        alarmed=_figures(alarmed, parameters),
    )


def label_anchors(series: Series, labels: Iterable[Flush]) -> Iterator[Anchor]:
    """The labelled onsets of a coin that lie within its series."""
    for label in labels:
        place = series.place(label.onset_s)
        if label.coin == series.coin and 0 < place < len(series.times_s):
            yield Anchor(place, label.position, label.exhaustion_s)


def alarm_anchors(series: Series, seen: Moves, rule: Rule) -> Iterator[Anchor]:
    """The first hit of each alarm."""
    for position in Position:
        for alarm in alarms(series.times_s, seen.hits(rule, position)):
            yield Anchor(alarm[0], position)


def slopes(series: Series) -> Reals:
    """Theil-Sen slope of each sample and those before it, in coins per real second."""
    n = len(series.times_s)
    history = np.full((1, trend.SPACING_S * n), math.nan)
    history[0, :: trend.SPACING_S] = series.interest
    room = np.zeros(trend.MOST_POINTS * (trend.MOST_POINTS - 1) // 2)
    span = trend.SPACING_S * (FLAT_SAMPLES - 1) + 1
    out = np.full(n, math.nan)
    for place in range(FLAT_SAMPLES - 1, n):
        out[place] = trend.changed_slope(history, 0, trend.SPACING_S * place, span, room)
    return out * (trend.SPACING_S / series.step_s)


def call(
    series: Series,
    fall: Reals,
    anchor: Anchor,
    hold_s: int,
    *,
    with_interest: bool,
    parameters: Parameters,
) -> int | None:
    """Sample at which the end of an episode is called; None within six hours of none.

    Args:
        series: Open interest and price.
        fall: Slopes of the series (samples), coins per second.
        anchor: Where the episode begins.
        hold_s: So long there must have been no new extreme of the price since the begin.
        with_interest: Whether open interest must be flat, too, having been seen to fall
            since the begin.
        parameters: The detector's.
    """
    begin_s = float(series.times_s[anchor.place])
    level = float(series.interest[anchor.place])
    sign = -1.0 if anchor.position is Position.LONG else 1.0
    steepest = math.nan
    has_fallen = False
    extreme, extreme_s = -math.inf, begin_s
    for place in range(anchor.place, len(series.times_s)):
        now_s = float(series.times_s[place])
        if now_s - begin_s > FLAT_HORIZON_S:
            return None
        if sign * series.price[place] > extreme:
            extreme, extreme_s = sign * float(series.price[place]), now_s
        slope = float(fall[place]) / level
        if slope < 0.0 and not steepest <= slope:
            steepest = slope
        flat = interest_flat(slope, steepest, 0.0, parameters)
        has_fallen = has_fallen or flat is False
        held = now_s - extreme_s >= hold_s
        if held and (not with_interest or (has_fallen and flat is True)):
            return place
    return None


def another_wave(series: Series, anchor: Anchor, place: int) -> bool | None:
    """Whether open interest falls by another quarter of its fall so far within 30 min.

    None where it has not fallen from the highest of the five minutes before the begin, or
    where the 30 min are not recorded.
    """
    interest = series.interest
    peak = peak_before(series, anchor.place)
    low = float(np.nanmin(interest[anchor.place : place + 1]))
    end = series.place(float(series.times_s[place]) + WAVE_HORIZON_S)
    after = interest[place + 1 : end + 1]
    if not peak > low or end >= len(interest) or bool(np.isnan(after).any()):
        return None
    return bool(after.min() < low - WAVE_RATIO * (peak - low))


def _figures(
    episodes: Sequence[tuple[Series, Sequence[Anchor]]], parameters: Parameters
) -> tuple[CallFigures, ...]:
    """Every kind of call on the same episodes."""
    falls = [slopes(series) for series, _ in episodes]
    kinds = [(hold_s, True) for hold_s in HOLDS_S] + [(hold_s, False) for hold_s in HOLDS_S[1:]]
    out = []
    for hold_s, with_interest in kinds:
        called: list[bool] = []
        onset_s: list[float] = []
        late_s: list[float] = []
        waves: list[bool] = []
        for (series, anchors), fall in zip(episodes, falls, strict=True):
            for anchor in anchors:
                place = call(
                    series,
                    fall,
                    anchor,
                    hold_s,
                    with_interest=with_interest,
                    parameters=parameters,
                )
                called.append(place is not None)
                if place is None:
                    continue
                now_s = float(series.times_s[place])
                onset_s.append(now_s - float(series.times_s[anchor.place]))
                late_s.append(now_s - anchor.exhaustion_s)
                wave = another_wave(series, anchor, place)
                if wave is not None:
                    waves.append(wave)
        out.append(
            CallFigures(
                hold_s,
                with_interest,
                called=part(called),
                after_onset_s=spread(onset_s),
                after_exhaustion_s=spread(late_s),
                early=part(value < 0.0 for value in late_s if not math.isnan(value)),
                another_wave=part(waves),
            )
        )
    return tuple(out)
