"""The whole view as lines, for a terminal of any size from 80 x 24 up."""

from typing import Final

from rich.text import Text

from monitor.clock import NS
from monitor.demo import assets, panels, words
from monitor.demo.plan import ASSET, PAST_S
from monitor.demo.sight import Sight

LEAST_WIDTH: Final = 60
SIDE_BY_SIDE: Final = 168  # cells from which on there are two columns
LEFT: Final = 118
_HEADER, _ADDRESSES = 2, 4


def lines(sight: Sight, width: int, height: int) -> list[Text]:
    """Exactly `height` lines of exactly `width` cells."""
    width = max(LEAST_WIDTH, width)
    room = height - _HEADER - _ADDRESSES
    body = _columns(sight, width, room) if width >= SIDE_BY_SIDE else _stack(sight, width, room)
    drawn = [*header(sight, width), *body, *panels.addresses(sight, width)]
    return drawn[:height]


def header(sight: Sight, width: int) -> list[Text]:
    """What this is, and where the script stands."""
    speed = sight.plan.speed
    line = Text(" liqmon demo ", "bold reverse")
    line.append(f" {words.clock(sight.now_ns)} UTC", "bold")
    line.append(f"  {speed:g}x  seed {sight.plan.seed}  ", words.FAINT)
    line.append(_script(sight))
    about = Text(
        "A scripted market served as Binance, Bybit and OKX on loopback; all the rest is real.",
        words.FAINT,
    )
    return [words.fitted(line, width), words.fitted(about, width)]


def _script(sight: Sight) -> str:
    to_go_s = (sight.plan.onset_ns - sight.now_ns) / NS
    if to_go_s > 0.0:
        return f"script: {ASSET} longs break in {words.span(to_go_s)}"
    return f"script: {ASSET} longs broke {words.span(-to_go_s)} ago"


def _stack(sight: Sight, width: int, room: int) -> list[Text]:
    """Everything below each other; what is left over goes to the assets, then to the alerts."""
    streams = -(-len(sight.view.streams) // max(1, width // panels.CELL))
    flow, feeds, alerts = 3, 3, 4
    table = len(sight.view.assets) + 2
    spare = room - flow - feeds - alerts
    if spare >= table + streams - 2:
        feeds += streams - 2
        spare -= streams - 2
    extra = max(0, spare - table)
    flow += min(4, extra // 2)
    alerts += extra - min(4, extra // 2)
    return [
        *_filled(assets.table(sight.view, width, min(spare, table)), width, min(spare, table)),
        *panels.flow(sight, width, flow),
        *panels.feeds(sight, width, feeds),
        *panels.alerts(sight, width, alerts),
    ]


def _columns(sight: Sight, width: int, room: int) -> list[Text]:
    """Assets and flow to the left, feeds and alerts to the right."""
    gap = 2
    right = width - LEFT - gap
    table = min(room - 3, len(sight.view.assets) + 2)
    left_lines = [
        *assets.table(sight.view, LEFT, table),
        *panels.flow(sight, LEFT, min(9, room - table)),
    ]
    feeds = min(room - 4, len(sight.view.streams) + 1)
    right_lines = [
        *panels.feeds(sight, right, feeds),
        *panels.alerts(sight, right, room - feeds),
    ]
    joined = []
    pairs = zip(_filled(left_lines, LEFT, room), _filled(right_lines, right, room), strict=True)
    for one, other in pairs:
        line = Text(no_wrap=True)
        line.append_text(one)
        line.append(" " * gap)
        line.append_text(other)
        joined.append(line)
    return joined


def _filled(drawn: list[Text], width: int, height: int) -> list[Text]:
    return (drawn + [words.fitted(Text(), width)] * (height - len(drawn)))[:height]


def preparing(ratio: float, width: int, height: int) -> list[Text]:
    """The view before the market goes on."""
    bar = max(10, min(40, width - 30))
    full = int(ratio * bar)
    drawn = [
        Text(" liqmon demo ", "bold reverse"),
        Text(),
        Text("A market with a known cascade, three venues' wire on loopback, the real daemon."),
        Text(),
        Text(f"The detector reads the market's last {PAST_S // 60} minutes before it starts:"),
        Text("\u2588" * full, words.SHORTS).append("\u2591" * (bar - full), words.FAINT),
    ]
    return [words.fitted(line, width) for line in drawn[:height]]
