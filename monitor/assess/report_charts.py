"""The charts of the report on detection quality, from an evaluation's figures."""

import math
from collections.abc import Callable, Iterator
from typing import Final

from monitor.assess.alarms import TIERS
from monitor.assess.baselines import BASELINES, DETECTOR
from monitor.assess.report_svg import Axis, Chart, Line, draw
from monitor.assess.results import ALL, Exhaustion, Figure, Figures, Group, Point, Results

NAMES: Final = {
    DETECTOR.name: "this detector",
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
_LOOKS: Final = ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2))
_RATES: Final = Axis(
    "false alarms a symbol-month",
    0.1,
    30.0,
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    ("0.1", "0.3", "1", "3", "10", "30"),
    log=True,
)
_TENTHS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_PERCENT: Final = ("0", "20 %", "40 %", "60 %", "80 %", "100 %")
_PROMISED: Final = (1.0, "promised: at most 1")
_MINUTE_S: Final = 60
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
        for tier in TIERS
        if tier != "EPISODE"
        and (rate := figures.alerts[tier].false_alarms.value) is not None
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


def rewave(ends: Exhaustion) -> Chart:
    """How often another wave follows, by how long one waits."""
    lines = []
    for name, colour, figures in (
        ("from 0.3 % of OI", 0, [(hold.hold_s, hold.rewave) for hold in ends.holds]),
        ("from 1 % of OI", 1, [(hold.hold_s, hold.rewave_positive) for hold in ends.holds]),
    ):
        known = [
            (hold_s / _MINUTE_S, bars)
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
        Axis("minutes without a new extreme", 0.0, 31.0, ticks, tuple(f"{t:g}" for t in ticks)),
        Axis("calls followed by another wave", 0.0, 1.0, _TENTHS, _PERCENT),
        tuple(lines),
        level=(0.2, "promised: at most 20 %"),
    )


def reliability(ends: Exhaustion) -> Chart:
    """The published chance of another wave beside how often one came."""
    bins = ends.reliability
    points = tuple((one.forecast, one.observed) for one in bins)
    dots = tuple(min(3.0 + math.sqrt(one.n) / 2.0, 16.0) for one in bins)
    lines = (Line("calls, area by number", points, 0, joined=False, dots=dots),) if bins else ()
    return Chart(
        "Published chance of another wave beside what came",
        Axis("published chance", 0.0, 1.0, _TENTHS, _PERCENT),
        Axis("followed by another wave", 0.0, 1.0, _TENTHS, _PERCENT),
        lines,
        labels=tuple((one.forecast, one.observed, f"n = {one.n}") for one in bins),
        band=((0.0, -0.05, 0.05), (1.0, 0.95, 1.05)) if bins else (),
    )


def _points(
    points: tuple[Point, ...], value: Callable[[Point], float | None]
) -> Iterator[tuple[float, float]]:
    """From many false alarms to few, within the axis and one point beyond."""
    for point in points:
        rate, y = point.false_alarms.value, value(point)
        if rate is not None and y is not None:
            yield max(rate, _RATES.low / 2), y
            if rate < _RATES.low:
                return


def _bars(figure: Figure) -> tuple[float, float, float] | None:
    """Value and interval; None where it is not known."""
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return figure.value, figure.low, figure.high
