"""Charts as SVG, by hand: two axes, lines, points and a key, legible on light and dark pages.

Colours are those of Okabe and Ito, told apart by people who see colours differently, and every
line has a dash of its own where colours repeat.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

import msgspec

WIDTH: Final = 820
HEIGHT: Final = 440
LEFT: Final = 64
TOP: Final = 46
BOTTOM: Final = 58
KEY: Final = 200  # room for the key, at the right
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777")
DASHES: Final = ("", "7 4", "2 3", "9 3 2 3")
_STYLE: Final = """
text { font: 13px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 12px; fill: #57606a; }
.page { fill: #ffffff; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.axis { stroke: #57606a; stroke-width: 1; }
.mark { stroke: #57606a; stroke-width: 1; stroke-dasharray: 3 3; }
.band { fill: #57606a; opacity: 0.12; }
.line { fill: none; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9da7b1; }
  .page { fill: #0d1117; }
  .grid { stroke: #30363d; }
  .axis, .mark { stroke: #9da7b1; }
  .band { fill: #9da7b1; }
}
"""


class Axis(msgspec.Struct, frozen=True):
    """One axis.

    Attributes:
        name: What it shows, with the unit.
        low: Its lower end.
        high: Its upper end.
        ticks: Values that are written at it.
        words: How they are written.
        log: Whether equal ratios are equally far apart.
    """

    name: str
    low: float
    high: float
    ticks: tuple[float, ...]
    words: tuple[str, ...]
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value lies from end (0) to end (1); beyond an end, at it."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class Line(msgspec.Struct, frozen=True):
    """One line of a chart.

    Attributes:
        name: In the key.
        points: Its points (x, y).
        colour: Place in COLOURS.
        dash: Place in DASHES.
        width: In pixels.
        joined: Whether points are joined by a line.
        dots: Radius of each point's dot, in pixels; empty for none.
        bars: Lower and upper end of each point's interval; empty for none.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int
    dash: int = 0
    width: float = 2.0
    joined: bool = True
    dots: tuple[float, ...] = ()
    bars: tuple[tuple[float, float], ...] = ()


class Chart(msgspec.Struct, frozen=True):
    """A chart.

    Attributes:
        title: What it shows.
        x: Axis from left to right.
        y: Axis from bottom to top.
        lines: In the order of the key.
        upright: Value on the x axis that is marked, with its word.
        level: Value on the y axis that is marked, with its word.
        labels: Points with words beside them (x, y, words).
        band: Points around which a band is shaded (x, lower y, upper y).
    """

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    upright: tuple[float, str] | None = None
    level: tuple[float, str] | None = None
    labels: tuple[tuple[float, float, str], ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()


def draw(chart: Chart) -> str:
    """The chart as an SVG document."""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    said = f'role="img" aria-label="{escape(chart.title)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {said}>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(chart.title)}</text>',
        *_axes(chart),
        *_marks(chart),
    ]
    for line in chart.lines:
        parts += _line(chart, line)
    parts += _labels(chart)
    parts += _key(chart.lines)
    return "\n".join([*parts, "</svg>", ""])


def _place(chart: Chart, x: float, y: float) -> tuple[float, float]:
    right, bottom = WIDTH - KEY, HEIGHT - BOTTOM
    return (
        round(LEFT + chart.x.part(x) * (right - LEFT), 1),
        round(bottom - chart.y.part(y) * (bottom - TOP), 1),
    )


def _axes(chart: Chart) -> list[str]:
    right, bottom = WIDTH - KEY, HEIGHT - BOTTOM
    parts = []
    for value, word in zip(chart.y.ticks, chart.y.words, strict=True):
        _, at = _place(chart, chart.x.low, value)
        parts += [
            f'<line class="grid" x1="{LEFT}" y1="{at}" x2="{right}" y2="{at}"/>',
            f'<text class="small" x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{word}</text>',
        ]
    for value, word in zip(chart.x.ticks, chart.x.words, strict=True):
        at, _ = _place(chart, value, chart.y.low)
        parts += [
            f'<line class="grid" x1="{at}" y1="{TOP}" x2="{at}" y2="{bottom}"/>',
            f'<text class="small" x="{at}" y="{bottom + 18}" text-anchor="middle">{word}</text>',
        ]
    middle = (LEFT + right) / 2
    turned = f"translate(18 {(TOP + bottom) / 2}) rotate(-90)"
    return [
        *parts,
        f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{bottom}H{right}"/>',
        f'<text x="{middle}" y="{HEIGHT - 16}" text-anchor="middle">{escape(chart.x.name)}</text>',
        f'<text transform="{turned}" text-anchor="middle">{escape(chart.y.name)}</text>',
    ]


def _marks(chart: Chart) -> list[str]:
    right, bottom = WIDTH - KEY, HEIGHT - BOTTOM
    parts = []
    if chart.band:
        there = [_place(chart, x, high) for x, _, high in chart.band]
        back = [_place(chart, x, low) for x, low, _ in reversed(chart.band)]
        path = " ".join(f"{x},{y}" for x, y in (*there, *back))
        parts.append(f'<polygon class="band" points="{path}"/>')
    if chart.upright is not None:
        at, _ = _place(chart, chart.upright[0], chart.y.low)
        word = escape(chart.upright[1])
        parts += [
            f'<line class="mark" x1="{at}" y1="{TOP}" x2="{at}" y2="{bottom}"/>',
            f'<text class="small" x="{at}" y="{TOP - 5}" text-anchor="middle">{word}</text>',
        ]
    if chart.level is not None:
        _, at = _place(chart, chart.x.low, chart.level[0])
        word = escape(chart.level[1])
        parts += [
            f'<line class="mark" x1="{LEFT}" y1="{at}" x2="{right}" y2="{at}"/>',
            f'<text class="small" x="{right + 6}" y="{at + 4}">{word}</text>',
        ]
    return parts


def _line(chart: Chart, line: Line) -> list[str]:
    colour, dash = COLOURS[line.colour], DASHES[line.dash]
    places = [_place(chart, x, y) for x, y in line.points]
    drawn = f'stroke="{colour}" stroke-width="{line.width}"'
    parts = []
    if line.joined:
        path = " ".join(f"{x},{y}" for x, y in places)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline class="line" points="{path}" {drawn}{dashed}/>')
    for (x, _), (low, high) in zip(line.points, line.bars, strict=False):
        at, upper = _place(chart, x, high)
        _, lower = _place(chart, x, low)
        parts.append(f'<path class="line" d="M{at} {upper}V{lower}" stroke="{colour}"/>')
    parts += [
        f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" fill="{colour}"/>'
        for (x, y), radius in zip(places, line.dots, strict=False)
    ]
    return parts


def _labels(chart: Chart) -> list[str]:
    parts = []
    for x, y, words in chart.labels:
        at, up = _place(chart, x, y)
        # Below the point; above it where the axis is below.
        up += 18 if up + 22 < HEIGHT - BOTTOM else -8
        parts.append(f'<text x="{at + 5:.1f}" y="{up:.1f}">{escape(words)}</text>')
    return parts


def _key(lines: Sequence[Line]) -> list[str]:
    left = WIDTH - KEY + 16
    parts = []
    for place, line in enumerate(lines):
        at = TOP + 8 + 22 * place
        colour, dash = COLOURS[line.colour], DASHES[line.dash]
        if line.joined:
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            parts.append(
                f'<line x1="{left}" y1="{at}" x2="{left + 26}" y2="{at}" stroke="{colour}" '
                f'stroke-width="{line.width}"{dashed}/>'
            )
        if line.dots:
            parts.append(f'<circle cx="{left + 13}" cy="{at}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{left + 34}" y="{at + 4}">{escape(line.name)}</text>')
    return parts
