"""The other parts of the view: forced flow over time, feeds, last alerts, addresses."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.text import Text

from monitor.demo import words
from monitor.demo.sight import BIN_S, Sight
from monitor.detect.verdict import Verdict
from monitor.detect.view import StreamView
from monitor.events import Position

LABEL: Final = 14  # cells before a sparkline
CELL: Final = 38  # cells of one feed
_EIGHTHS: Final = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_MARKS: Final = {"flowing": ("\N{BLACK CIRCLE}", "#009e73")}
_WAITING: Final = ("\N{WHITE CIRCLE}", "#e69f00")


def flow(sight: Sight, width: int, height: int) -> list[Text]:
    """Forced dollars over time, longs above shorts, on one scale."""
    columns = width - LABEL
    shown = {p: bins[-columns:] for p, bins in sight.forced_usd.items()}
    most = max(1.0, *(max(bins) for bins in shown.values()))
    minutes = columns * BIN_S / 60
    note = f"last {minutes:.0f} min, {BIN_S} s a column, peak {words.usd(most)}"
    lines = [words.rule("forced flow", width, note)]
    heights = {Position.LONG: (height - 1) - (height - 1) // 2, Position.SHORT: (height - 1) // 2}
    for position, style in ((Position.LONG, words.LONGS), (Position.SHORT, words.SHORTS)):
        recent = sum(shown[position][-7:-1])
        label = Text(f"{position.value + 's':<7}", style)
        label.append(f"{words.usd(recent):>6} ")
        for k, row in enumerate(_columns(shown[position], most, heights[position])):
            line = words.fitted(label.copy() if k == heights[position] - 1 else Text(), LABEL)
            line.append(row, style)
            lines.append(words.fitted(line, width))
    return lines


def _columns(values: Sequence[float], most: float, height: int) -> Iterable[str]:
    """Rows of a bar chart from the top down; what is more than nothing shows."""
    eighths = [0 if value <= 0.0 else max(1, round(value / most * 8 * height)) for value in values]
    for row in range(height - 1, -1, -1):
        yield "".join(_EIGHTHS[min(8, max(0, count - 8 * row))] for count in eighths)


def feeds(sight: Sight, width: int, height: int) -> list[Text]:
    """Every stream where there is room for it, else every venue."""
    total = sum(sight.rates.values())
    note = f"{total:,.0f} frames/s"
    lines = [words.rule("feeds", width, note)]
    across = max(1, width // CELL)
    streams = sight.view.streams
    if len(streams) <= across * (height - 1):
        cells = [_stream(stream, sight.rates, width // across) for stream in streams]
    else:
        across = max(1, width // 26)
        names = dict.fromkeys(stream.venue for stream in streams)
        cells = [_venue(name, sight, width // across) for name in names]
    for start in range(0, len(cells), across):
        line = Text()
        for cell in cells[start : start + across]:
            line.append_text(cell)
        lines.append(words.fitted(line, width))
    lines += [words.fitted(Text(), width)] * (height - len(lines))
    return lines[:height]


def _stream(stream: StreamView, rates: dict[tuple[str, str], float], width: int) -> Text:
    sign, style = _MARKS.get(stream.state, _WAITING)
    cell = Text(f"{sign} ", style)
    cell.append(f"{stream.venue}/{stream.session} ")
    rate = f"{rates.get((stream.venue, stream.session), 0.0):,.0f}/s"
    said = rate if stream.state == "flowing" else stream.state
    cell.truncate(max(0, width - len(said) - 3), overflow="ellipsis")
    cell.append(" " * max(1, width - 2 - cell.cell_len - len(said)))
    cell.append(said, "" if stream.state == "flowing" else style)
    return words.fitted(cell, width)


def _venue(name: str, sight: Sight, width: int) -> Text:
    mine = [stream for stream in sight.view.streams if stream.venue == name]
    flowing = sum(stream.state == "flowing" for stream in mine)
    sign, style = _MARKS["flowing"] if flowing == len(mine) else _WAITING
    cell = Text(f"{sign} ", style)
    cell.append(f"{name} ")
    cell.append(f"{flowing}/{len(mine)}", style)
    rate = sum(sight.rates.get((stream.venue, stream.session), 0.0) for stream in mine)
    cell.append(f" {rate:,.0f}/s")
    return words.fitted(cell, width)


def alerts(sight: Sight, width: int, height: int) -> list[Text]:
    """The last alerts, newest first."""
    note = f"{sight.published} published, {sight.received} received back over MQTT"
    lines = [words.rule("alerts", width, note)]
    lines += [_alert(verdict, width) for verdict in sight.alerts[: height - 1]]
    if len(lines) == 1 and height > 1:
        lines.append(words.fitted(Text("none yet", words.FAINT), width))
    lines += [words.fitted(Text(), width)] * (height - len(lines))
    return lines


def _alert(verdict: Verdict, width: int) -> Text:
    line = Text(f"{words.clock(verdict.event_ns)} ", words.FAINT)
    line.append(f"{verdict.asset} ", "bold")
    line.append(f"{verdict.position.value} ")
    line.append_text(words.state(verdict.state, verdict.position))
    line.append(f" {words.usd(verdict.evidence.forced_usd)} ")
    line.append(verdict.reason)
    return words.fitted(line, width)


def addresses(sight: Sight, width: int) -> list[Text]:
    """Where to connect."""
    lines = [words.rule("connect", width, "Ctrl-C ends")]
    for what, where in sight.addresses:
        line = Text(f"{what:<11}", words.FAINT)
        line.append(where)
        lines.append(words.fitted(line, width))
    return lines
