"""How the view writes things: figures in few letters, and states for every eye.

A state has a sign and a word beside its colour, and the colours are Okabe and Ito's, which
people who see colours differently can tell apart: https://jfly.uni-koeln.de/color/
"""

import math
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from monitor.clock import NS
from monitor.detect.verdict import State
from monitor.events import Position

SIGNS: Final = {
    State.QUIET: "\N{MIDDLE DOT}",
    State.NOTICE: "\N{WHITE CIRCLE}",
    State.BUILDING: "\N{CIRCLE WITH LEFT HALF BLACK}",
    State.ONSET: "\N{BLACK CIRCLE}",
    State.CASCADING: "\N{BLACK DOWN-POINTING TRIANGLE}",
    State.EXHAUSTING: "\N{WHITE DOWN-POINTING TRIANGLE}",
    State.EXHAUSTED: "\N{BLACK SQUARE}",
    State.FIZZLED: "\N{MULTIPLICATION SIGN}",
    State.UNCONFIRMED: "?",
}
STYLES: Final = {
    State.QUIET: "bright_black",
    State.NOTICE: "#56b4e9",
    State.BUILDING: "#f0e442",
    State.ONSET: "bold #e69f00",
    State.CASCADING: "bold #ffffff on #b34700",
    State.EXHAUSTING: "#cc79a7",
    State.EXHAUSTED: "bold #009e73",
    State.FIZZLED: "bright_black",
    State.UNCONFIRMED: "#cc79a7",
}
LONGS: Final = "#e69f00"
SHORTS: Final = "#56b4e9"
FAINT: Final = "bright_black"
NOTHING: Final = "\N{MIDDLE DOT}"


def state(value: State, position: Position, *, word: bool = True) -> Text:
    """A state as sign and word, coloured; a cascade of shorts goes up."""
    sign = SIGNS[value]
    if value is State.CASCADING and position is Position.SHORT:
        sign = "\N{BLACK UP-POINTING TRIANGLE}"
    named = word and value is not State.QUIET
    return Text(f"{sign} {value.value}" if named else sign, STYLES[value])


def usd(value: float) -> str:
    """US dollars in at most six letters; a dot for none."""
    if not value > 0.0:
        return NOTHING
    for divisor, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * divisor:
            scaled = value / divisor
            return f"${scaled:.{0 if scaled >= 99.95 else 1}f}{letter}"  # noqa: PLR2004 - four digits
    return f"${value:.0f}"


def price(value: float) -> str:
    """A price in at most seven letters."""
    if not value > 0.0:
        return NOTHING
    if value >= 10_000.0:  # noqa: PLR2004 - no cents from here on
        return f"{value:,.0f}"
    decimals = max(0, min(7, 3 - math.floor(math.log10(value))))
    text = f"{value:.{decimals}f}"
    return text if len(text) <= 7 else f"{value:.1e}"  # noqa: PLR2004 - the column's width


def change(ratio: float) -> str:
    """A change in percent with its sign."""
    return NOTHING if math.isnan(ratio) else f"{100.0 * ratio:+.2f}%"


def clock(time_ns: int) -> str:
    """Time of day of a market time, UTC."""
    return f"{datetime.fromtimestamp(time_ns // NS, UTC):%H:%M:%S}"


def span(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def fitted(text: Text, width: int) -> Text:
    """The same, exactly so many cells wide."""
    text.truncate(width, overflow="ellipsis", pad=True)
    return text


def line(width: int, *parts: Text | tuple[str, str] | str) -> Text:
    """Parts beside each other, each in its own style, exactly so many cells wide."""
    return fitted(Text.assemble(*parts, no_wrap=True), width)


def rule(title: str, width: int, note: str = "") -> Text:
    """A line with a title on it, and perhaps a note at its right end."""
    dash = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
    tail = f" {note}" if note else ""
    room = max(0, width - len(title) - 4 - len(tail))
    return line(
        width, (f"{dash}{dash} ", FAINT), (f"{title} ", "bold"), (dash * room + tail, FAINT)
    )
