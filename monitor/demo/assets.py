"""The table of assets: price, forced flow, open interest, pressure against its tiers, states."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.text import Text

from monitor.demo import words
from monitor.detect.ladder import EPISODE_STATES, PRESSURE_STATES
from monitor.detect.verdict import State
from monitor.detect.view import AssetView, LadderView, MarketView
from monitor.events import Position
from monitor.parameters import Parameters

_LIMITS: Final = Parameters()
TIERS: Final = (
    (_LIMITS.notice_tier, State.NOTICE),
    (_LIMITS.building_tier, State.BUILDING),
    (_LIMITS.onset_tier, State.ONSET),
)
ALL: Final = "all"  # the market's name, as short as a coin's
FULL: Final = 8.0  # u at the end of the bar
ROOMY: Final = 112  # cells from which on both states are spelled out
URGENT: Final = EPISODE_STATES | PRESSURE_STATES
_EIGHTHS: Final = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
_TITLES: Final = ("coin", "price", "long 1m", "1h", "short 1m", "1h", "OI 5m", "u")
_BEYOND: Final = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


class Shape(msgspec.Struct, frozen=True):
    """Widths in cells: the columns up to the bar, the bar, and the states behind it."""

    width: int
    columns: tuple[int, ...]
    bar: int
    states: tuple[int, ...]


def shape(width: int) -> Shape:
    """How the table fits into so many cells; 80 is the least that it fits well."""
    roomy = width >= ROOMY
    columns = (6, 9, 8, 8, 8, 8, 8, 6) if roomy else (4, 7, 7, 6, 8, 6, 7, 4)
    states = (12, 12) if roomy else (14,)
    gaps = len(columns) + len(states)  # one before each column but the first
    bar = max(4, min(32, width - sum(columns) - sum(states) - gaps))
    return Shape(width, columns, bar, states)


def table(view: MarketView, width: int, height: int) -> list[Text]:
    """The table in so many lines of so many cells; what goes on is never left out."""
    fit = shape(width)
    shown = _chosen(rows(view), height - 2)
    rest = len(view.assets) - sum(asset.asset != ALL for asset in shown)
    return [_header(fit), *(_row(asset, fit) for asset in shown), _others(view, rest, width)]


def rows(view: MarketView) -> Sequence[AssetView]:
    """What has a row where there is room: the watch list in its order, and all of it together."""
    if view.whole is None:
        return view.assets
    return (*view.assets, msgspec.structs.replace(view.whole, asset=ALL))


def _chosen(assets: Sequence[AssetView], most: int) -> Sequence[AssetView]:
    """As many as there is room for, in their order."""
    places = sorted(range(len(assets)), key=lambda place: (_calm(assets[place]), place))
    return [assets[place] for place in sorted(places[: max(0, most)])]


def _calm(asset: AssetView) -> int:
    states = {asset.long.state, asset.short.state}
    if states & URGENT:
        return 0
    return 2 if states == {State.QUIET} else 1


def _header(fit: Shape) -> Text:
    scale = ["\N{BOX DRAWINGS LIGHT HORIZONTAL}"] * fit.bar
    for level, state in TIERS:
        scale[_cell(level, fit.bar)] = state.value[0]
    titles = [*_TITLES, "".join(scale)]
    titles += ["L S  state"] if len(fit.states) == 1 else ["longs", "shorts"]
    return _line(fit, [Text(title, words.FAINT) for title in titles])


def _row(asset: AssetView, fit: Shape) -> Text:
    long, short = asset.long, asset.short
    quiet = _calm(asset) == 2  # noqa: PLR2004 - see there
    higher = max((long, short), key=lambda ladder: ladder.pressure_ratio)
    level = max(0.0, higher.pressure_ratio) if higher.pressure_ratio else 0.0
    cells = [
        Text(asset.asset, "" if quiet else "bold"),
        Text(words.price(asset.price)),
        *_forced(long, words.LONGS),
        *_forced(short, words.SHORTS),
        _interest(asset.open_interest_change_5m_ratio),
        Text(f"{level:.1f}", _style(level)),
        _bar(level, fit.bar),
        *_states(long, short, split=len(fit.states) > 1),
    ]
    return _line(fit, cells)


def _line(fit: Shape, cells: Sequence[Text]) -> Text:
    """Cells beside each other: names, bars and states to the left, figures to the right."""
    widths = (*fit.columns, fit.bar, *fit.states)
    parts: list[Text | str] = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        gap = " " if place else ""
        if 0 < place < len(fit.columns):
            parts += [gap + " " * max(0, width - cell.cell_len), cell]
        else:
            parts += [gap, words.fitted(cell, width)]
    return words.line(fit.width, *parts)


def _forced(ladder: LadderView, style: str) -> tuple[Text, Text]:
    minute, hour = (ladder.totals[window].usd for window in ("1m", "1h"))
    return (
        Text(words.usd(minute), style if minute else words.FAINT),
        Text(words.usd(hour), "" if hour else words.FAINT),
    )


def _interest(change: float) -> Text:
    falls = change <= _LIMITS.interest_confirmer_ratio
    return Text(words.change(change), "bold" if falls else words.FAINT)


def _states(long: LadderView, short: LadderView, *, split: bool) -> list[Text]:
    if split:
        return [words.state(ladder.state, ladder.position) for ladder in (long, short)]
    signs = [words.state(ladder.state, ladder.position, word=False) for ladder in (long, short)]
    speaks = max((long, short), key=lambda ladder: list(State).index(ladder.state))
    word = "" if speaks.state is State.QUIET else speaks.state.value
    return [Text(" ").join([*signs, Text(word, words.STYLES[speaks.state])])]


def _style(level: float) -> str:
    reached = [state for tier, state in TIERS if level >= tier]
    return words.STYLES[reached[-1]] if reached else ""


def _cell(level: float, width: int) -> int:
    return min(width - 1, math.ceil(level / FULL * width) - 1)


def _bar(level: float, width: int) -> Text:
    """A bucket's level against the tiers, which stay visible where it has not reached them."""
    eighths = min(8 * width, round(level / FULL * 8 * width))
    full, part = divmod(eighths, 8)
    cells = ["\u2588"] * full + ([_EIGHTHS[part - 1]] if part else [])
    if level > FULL:
        cells[-1] = _BEYOND
    marks = [" "] * width
    for tier, _ in TIERS:
        marks[_cell(tier, width)] = "\N{BOX DRAWINGS LIGHT QUADRUPLE DASH VERTICAL}"
    reached = _style(level) or words.FAINT
    return Text.assemble(("".join(cells), reached), ("".join(marks[len(cells) :]), words.FAINT))


def _others(view: MarketView, rest: int, width: int) -> Text:
    """What the table does not show: calm assets, and everything off the watch list."""
    hidden = f"{rest} more, all quiet; " if rest else ""
    longs, shorts = (words.usd(view.other_totals[p.value]["1h"].usd) for p in Position)
    text = f"{hidden}off the watch list in 1h: longs {longs}, shorts {shorts}"
    return words.line(width, (text, words.FAINT))
