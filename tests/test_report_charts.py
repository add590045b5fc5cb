"""The report's charts: where figures lie, where curves end, and that all is well-formed."""

import re
from xml.etree import ElementTree as ET

import msgspec
import pytest

from monitor.assess import report_charts, report_history
from monitor.assess.baselines import DETECTOR, STATISTICS
from monitor.assess.history_figures import Spread
from monitor.assess.report_svg import HEIGHT, KEY, LEFT, TOP, WIDTH, Axis, Chart, Line, draw
from monitor.assess.report_words import number, told
from monitor.assess.results import Figure, Hold, Point
from tests.evaluations import sample

SVG = "{http://www.w3.org/2000/svg}"


def point(rate: float | None, recall: float) -> Point:
    """One threshold of a curve."""
    n = 10
    return Point(
        threshold=1.0,
        false_alarms=Figure(rate, None, None, n),
        recall=Figure(recall, None, None, n),
        recall_large=Figure(None, None, None, 0),
        share_to_come=recall,
        share_to_come_large=None,
        share_to_come_given_hit=None,
        mostly_to_come=None,
        price_to_come=None,
        delay_after_5_percent_s=None,
    )


def curve(*points: Point) -> list[tuple[float, float]]:
    """What is drawn of them."""
    drawn = report_charts._points(points, lambda one: one.recall.value)
    return [(round(x, 6), round(y, 6)) for x, y in drawn]


def test_curves_are_cut_where_they_leave_the_axis() -> None:
    """Between a point within and one beyond they are straight; beyond nothing is drawn."""
    assert curve(point(50.0, 0.9), point(10.0, 0.5), point(1.0, 0.4), point(0.0, 0.2)) == [
        (30.0, 0.7),
        (10.0, 0.5),
        (1.0, 0.4),
        (0.1, 0.22),
    ]


def test_curves_end_at_the_lower_end() -> None:
    """What false alarms do below the lowest rate that is drawn stays out, as do gaps."""
    assert curve(
        point(2.0, 0.5), point(None, 0.4), point(0.0, 0.3), point(0.2, 0.2), point(0.15, 0.1)
    ) == [(2.0, 0.5), (0.1, 0.31)]
    assert curve(point(40.0, 0.9), point(35.0, 0.8)) == []
    assert curve(point(3.0, 0.9)) == [(3.0, 0.9)]
    assert curve() == []


def test_every_picture_is_well_formed_and_within_its_frame() -> None:
    """Names are in the key, numbers are numbers, and dots lie between the axes."""
    found = sample().simulator
    assert found is not None
    pictures = report_charts.charts(found)
    assert set(pictures) == {
        f"quality-{name}.svg"
        for name in ("recall", "to-come", "regimes", "delay", "rewave", "reliability")
    }
    for name, text in pictures.items():
        root = ET.fromstring(text)
        assert "nan" not in re.sub(r"<text.*?</text>", "", text), name
        for dot in root.iter(f"{SVG}circle"):
            x, y = float(dot.attrib["cx"]), float(dot.attrib["cy"])
            assert TOP <= y <= HEIGHT, name
            assert LEFT <= x <= WIDTH, name
    assert "detector&#x27;s bucket<" in pictures["quality-recall.svg"]
    assert ">z-score of a minute<" in pictures["quality-recall.svg"]


def test_every_statistic_has_a_name_and_a_look_of_its_own() -> None:
    """No two curves of one chart look alike, nor like the detector's."""
    assert set(report_charts.NAMES) == {one.name for one in STATISTICS}
    looks = [(0, 0), *report_charts._LOOKS]
    assert len(set(looks)) == len(STATISTICS)
    assert DETECTOR.name in report_charts.NAMES


def test_points_lie_where_their_axes_say() -> None:
    """The ends of an axis are the ends of the frame; a logarithmic middle is the middle."""
    x = Axis("rate", 0.1, 10.0, (1.0,), ("1",), log=True)
    y = Axis("part", 0.0, 1.0, (0.0,), ("0",))
    line = Line("one", ((0.1, 0.0), (1.0, 0.5), (10.0, 1.0)), 0)
    text = draw(Chart("a < b", x, y, (line,)))
    right, bottom = WIDTH - KEY, HEIGHT - 58
    middle = f"{(LEFT + right) / 2},{(TOP + bottom) / 2}"
    assert f'points="{LEFT}.0,{bottom}.0 {middle} {right}.0,{TOP}.0"' in text
    assert "a &lt; b" in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),  # noqa: RUF001 - a dash, where there is no figure
        (0.0, "0"),
        (0.0083, "0.0083"),
        (0.5, "0.50"),
        (-1.234, "-1.23"),
        (12.34, "12.3"),
        (-140.4, "-140"),
    ],
)
def test_numbers_have_the_digits_that_count(value: float | None, words: str) -> None:
    """Two or three digits, and a dash for what is not known; n stands behind them."""
    assert number(value) == words
    assert told(Figure(value, None, None, 3)) == f"{words} n 3"


def test_a_wait_with_no_calls_is_not_drawn() -> None:
    """A hold after which nothing was called has no point; the others keep their bars."""
    known, nothing = Figure(0.5, 0.25, 0.75, 8), Figure(None, None, None, 0)
    found = sample().simulator
    assert found is not None
    holds = (Hold(60, nothing, nothing), Hold(600, known, nothing))
    chart = report_charts.rewave(msgspec.structs.replace(found.macro.exhaustion, holds=holds))
    assert [(line.points, line.bars) for line in chart.lines] == [
        (((9.85, 0.5),), ((0.25, 0.75),)),
    ]


def test_times_that_never_were_have_no_quantiles() -> None:
    """Where recorded data has no case, its number stands alone."""
    assert report_history.quantiles(Spread(0)) == "– n 0"  # noqa: RUF001 - a dash
    known = Spread(3, 2.0, 60.0, 90.0, 120.0, 150.0, 180.0, 30.0, 200.0)
    assert report_history.quantiles(known, 60.0) == "2.00 (1.00 to 3.00) n 3"
