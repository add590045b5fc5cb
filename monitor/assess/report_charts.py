"""The charts of the report on detection quality, from an evaluation's figures."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Final

from monitor.assess.alarms import TIERS
from monitor.assess.baselines import BASELINES, DETECTOR
from monitor.assess.report_svg import Axis, Chart, Line, draw
from monitor.assess.results import ALL, Exhaustion, Figure, Figures, Group, Point, Results

NAMES: Final = {
    DETECTOR.name: "this detector's bucket",
    "z_60s": "z-score of a minute",
    "usd_60s": "USD of a minute",
    "count_60s": "orders of a minute",
    "share_60s": "share of OI, 1 min",
    "share_300s": "share of OI, 5 min",
    "bucket_uncapped": "one bucket for all",
    "price_drop_300s": "price drop, sigmas",
    "price_drop_300s_ratio": "price drop, percent",
    "interest_drop_300s": "drop of OI",
}
LADDER: Final = tuple(tier for tier in TIERS if tier != "EPISODE")
_LOOKS: Final = ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2))
_RATES: Final = Axis(
    "false alarms a symbol-month",
    0.1,
    30.0,
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    ("≤ 0.1", "0.3", "1", "3", "10", "30"),
    log=True,
)
_TENTHS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_PERCENT: Final = ("0", "20 %", "40 %", "60 %", "80 %", "100 %")
_PROMISED: Final = (1.0, "promised: at most 1")
_MINUTE_S: Final = 60
_DOTS: Final = (3.0, 5.0, 7.0)  # of the ladder's tiers, from the lowest
_ASIDE: Final = 0.15  # minutes, so that two intervals at one place are both seen
_STEPS_S: Final = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_COLOURS: Final = 6  # as many regimes are told apart by colour alone


def charts(found: Results) -> dict[str, str]:
    """File name -> SVG."""
    drawn = {
        "quality-recall.svg": tradeoff(
            found.macro,
            "Cascades alarmed against false alarms, mean of regimes",
            Axis("recall of cascades", 0.0, 1.0, _TENTHS, _PERCENT),
            lambda point: point.recall.value,
            lambda group: group.recall.value,
        ),
        "quality-to-come.svg": tradeoff(
            found.macro,
            "Forced flow still to come against false alarms, mean of regimes",
            Axis("share still to come, misses as 0", 0.0, 1.0, _TENTHS, _PERCENT),
            lambda point: point.share_to_come,
            lambda group: group.share_to_come.value,
        ),
        "quality-regimes.svg": regimes(found),
        "quality-delay.svg": delays(found),
        "quality-rewave.svg": rewave(found.macro.exhaustion),
        "quality-reliability.svg": reliability(found.macro.exhaustion),
    }
    return {name: draw(chart) for name, chart in drawn.items() if chart.lines}


def tradeoff(
    figures: Figures,
    title: str,
    y: Axis,
    of_point: Callable[[Point], float | None],
    of_tier: Callable[[Group], float | None],
) -> Chart:
    """One figure of every statistic against false alarms, and where the tiers stand."""
    lines = []
    looks = {one.name: look for one, look in zip(BASELINES, _LOOKS, strict=True)}
    for name, curve in figures.curves.items():
        colour, dash = looks.get(name, (0, 0))
        points = tuple(_points(curve.points, of_point))
        if points:
            width = 3.5 if name == DETECTOR.name else 1.6
            lines.append(Line(NAMES.get(name, name), points, colour, dash, width))
    tiers = [
        (rate, share, tier)
        for tier in LADDER
        if (rate := figures.alerts[tier].false_alarms.value) is not None
        and (share := of_tier(figures.alerts[tier].groups[ALL])) is not None
    ]
    if lines and tiers:
        points = tuple((rate, share) for rate, share, _ in tiers)
        lines.append(Line("its tiers", points, 0, joined=False, dots=(5.0,) * len(points)))
    return Chart(title, _RATES, y, tuple(lines), upright=_PROMISED, labels=tuple(tiers))


def regimes(found: Results) -> Chart:
    """The detector's own recall in every regime."""
    lines = []
    for place, (name, figures) in enumerate(found.regimes.items()):
        curve = figures.curves.get(DETECTOR.name)
        points = tuple(_points(curve.points, lambda point: point.recall.value)) if curve else ()
        if points:
            lines.append(Line(name, points, place % _COLOURS, place // _COLOURS))
    return Chart(
        "Cascades alarmed against false alarms, by regime",
        _RATES,
        Axis("recall of cascades", 0.0, 1.0, _TENTHS, _PERCENT),
        tuple(lines),
        upright=_PROMISED,
    )


def delays(found: Results) -> Chart:
    """How late every tier is, and what is still to come by then, in every regime."""
    lines = []
    for place, (name, figures) in enumerate(found.regimes.items()):
        points = []
        for tier in LADDER:
            group = figures.alerts[tier].groups[ALL]
            late, share = group.delay_s.p50.value, group.share_to_come_given_hit.value
            if late is not None and share is not None:
                points.append((late, share))
        if points:
            look = place % _COLOURS, place // _COLOURS
            lines.append(Line(name, tuple(points), *look, dots=_DOTS[-len(points) :]))
    most = max((late for line in lines for late, _ in line.points), default=0.0)
    step = next((one for one in _STEPS_S if 8 * one > most), _STEPS_S[-1])
    ticks = tuple(step * k for k in range(-1, 9))
    return Chart(
        "How late NOTICE, BUILDING and ONSET (largest dot) are, and what is still to come",
        Axis("seconds after onset, median of hits", ticks[0], ticks[-1], ticks, _words(ticks)),
        Axis("share still to come, median of hits", 0.0, 1.0, _TENTHS, _PERCENT),
        tuple(lines),
    )


def rewave(ends: Exhaustion) -> Chart:
    """How often another wave follows, by how long one waits."""
    lines = []
    for name, colour, figures in (
        ("from 0.3 % of OI", 0, [(hold.hold_s, hold.rewave) for hold in ends.holds]),
        ("cascades (1 %)", 1, [(hold.hold_s, hold.rewave_positive) for hold in ends.holds]),
    ):
        known = [
            (hold_s / _MINUTE_S + (2 * colour - 1) * _ASIDE, bars)
            for hold_s, figure in figures
            if (bars := _bars(figure)) is not None
        ]
        if known:
            lines.append(
                Line(
                    name,
                    tuple((minutes, value) for minutes, (value, _, _) in known),
                    colour,
                    dots=(3.5,) * len(known),
                    bars=tuple((low, high) for _, (_, low, high) in known),
                )
            )
    ticks = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
    return Chart(
        "Another wave within 30 minutes of a call, by how long there was no new extreme",
        Axis("minutes without a new extreme", 0.0, 31.0, ticks, _words(ticks)),
        Axis("calls followed by another wave", 0.0, 1.0, _TENTHS, _PERCENT),
        tuple(lines),
        level=(0.2, "promised: at most 20 %"),
    )


def reliability(ends: Exhaustion) -> Chart:
    """The published chance of another wave beside how often one came."""
    bins = ends.reliability
    points = tuple((one.forecast, one.observed) for one in bins)
    dots = tuple(min(3.0 + math.sqrt(one.n) / 2.0, 16.0) for one in bins)
    lines = (Line("calls, and how many", points, 0, joined=False, dots=dots),) if bins else ()
    return Chart(
        "Published chance of another wave beside what came",
        Axis("published chance", 0.0, 1.0, _TENTHS, _PERCENT),
        Axis("followed by another wave", 0.0, 1.0, _TENTHS, _PERCENT),
        lines,
        labels=tuple((one.forecast, one.observed, str(one.n)) for one in bins),
        band=((0.0, -0.05, 0.05), (1.0, 0.95, 1.05)) if bins else (),
    )


def _points(
    points: tuple[Point, ...], value: Callable[[Point], float | None]
) -> Iterator[tuple[float, float]]:
    """From many false alarms to few; where a curve leaves the axis it is cut, as if straight."""
    known = [
        (rate, y)
        for point in points
        if (rate := point.false_alarms.value) is not None and (y := value(point)) is not None
    ]
    for (rate, y), (after, y_after) in itertools.pairwise(known):
        if _RATES.low <= rate <= _RATES.high:
            yield rate, y
        for end in (_RATES.high, _RATES.low):
            if rate > end > after:
                yield end, y + (y_after - y) * (end - rate) / (after - rate)
        if after < _RATES.low:
            return
    if known and _RATES.low <= known[-1][0] <= _RATES.high:
        yield known[-1]


def _words(ticks: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{tick:g}" for tick in ticks)


def _bars(figure: Figure) -> tuple[float, float, float] | None:
    """Value and interval; None where it is not known."""
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return figure.value, figure.low, figure.high
