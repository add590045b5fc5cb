"""The whole view as lines, for a terminal of any size from 80 x 24 up."""

from typing import Final

from rich.text import Text

from monitor.clock import NS
from monitor.demo import assets, panels, words
from monitor.demo.plan import ASSET, PAST_S
from monitor.demo.sight import Sight

LEAST_WIDTH: Final = 60
LEAST_HEIGHT: Final = 20
SIDE_BY_SIDE: Final = 170  # cells from which on there are two columns
LEFT: Final = 120
GAP: Final = 2
ADDRESSES: Final = 4
TALL: Final = 28  # lines from which on there is room to say what this is
MOST_FLOW: Final = 9
ABOUT: Final = "A simulated market served as Binance, Bybit and OKX; all the rest is real."


def lines(sight: Sight, width: int, height: int) -> list[Text]:
    """Exactly `height` lines of exactly `width` cells, where there is that much room."""
    width, height = max(LEAST_WIDTH, width), max(LEAST_HEIGHT, height)
    top = _header(sight, width, height)
    room = height - len(top) - ADDRESSES
    body = _columns if width >= SIDE_BY_SIDE else _stack
    return [*top, *body(sight, width, room), *panels.addresses(sight, width)]


def preparing(ratio: float, width: int, height: int) -> list[Text]:
    """The view before the market goes on."""
    width, bar = max(LEAST_WIDTH, width), 40
    full = int(ratio * bar)
    drawn = [
        words.line(width, (" liqmon demo ", "bold reverse")),
        words.line(width),
        words.line(width, ABOUT),
        words.line(width),
        words.line(width, f"The detector reads the market's last {PAST_S // 60} minutes:"),
        words.line(width, ("\u2588" * full, words.SHORTS), ("\u2591" * (bar - full), words.FAINT)),
    ]
    return drawn[:height]


def _header(sight: Sight, width: int, height: int) -> list[Text]:
    """What this is, market time, and where the story stands."""
    title = words.line(
        width,
        (" liqmon demo ", "bold reverse"),
        (f" {words.clock(sight.now_ns)} UTC", "bold"),
        f" {sight.plan.speed:g}x",
        ("  simulated market  ", words.FAINT),
        _story(sight),
    )
    about = words.line(width, (f"{ABOUT} Seed {sight.plan.seed}.", words.FAINT))
    return [title, about] if height >= TALL else [title]


def _story(sight: Sight) -> tuple[str, str]:
    to_go_s = (sight.plan.onset_ns - sight.now_ns) / NS
    if to_go_s > 0.0:
        return f"{ASSET} falls in {words.span(to_go_s)}", "bold"
    return f"{ASSET} fell {words.span(-to_go_s)} ago", words.LONGS


def _stack(sight: Sight, width: int, room: int) -> list[Text]:
    """Everything below each other; room to spare goes to assets, feeds, flow and alerts."""
    flow, feeds, alerts = 4, 3, 4
    table = min(len(assets.rows(sight.view)) + 2, room - flow - feeds - alerts)
    spare = room - table - flow - feeds - alerts
    more = -(-len(sight.view.streams) // (width // panels.STREAM)) + 1 - feeds
    if spare >= more:
        feeds += more
        spare -= more
    taller = min(MOST_FLOW - flow, (spare + 1) // 2)
    flow, alerts = flow + taller, alerts + spare - taller
    return [
        *assets.table(sight.view, width, table),
        *panels.flow(sight, width, flow),
        *panels.feeds(sight, width, feeds),
        *panels.alerts(sight, width, alerts),
    ]


def _columns(sight: Sight, width: int, room: int) -> list[Text]:
    """Assets and flow to the left, feeds and alerts to the right."""
    right = width - LEFT - GAP
    table = min(len(assets.rows(sight.view)) + 2, room - 5)
    feeds = min(len(sight.view.streams) + 1, room - 4)
    flow = min(MOST_FLOW, room - table)
    one = [*assets.table(sight.view, LEFT, table), *panels.flow(sight, LEFT, flow)]
    other = [
        *panels.feeds(sight, right, feeds),
        *panels.alerts(sight, right, room - feeds),
    ]
    pairs = zip(panels.filled(one, LEFT, room), panels.filled(other, right, room), strict=True)
    return [words.line(width, left, " " * GAP, beside) for left, beside in pairs]
