"""The other parts of the view: forced flow over time, feeds, last alerts, addresses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.text import Text

from monitor.clock import NS
from monitor.demo import words
from monitor.demo.plan import ASSET, EPOCH_NS
from monitor.demo.sight import BIN_S, BINS, Sight
from monitor.detect.verdict import Kind, Phase, State, Verdict
from monitor.detect.view import StreamView
from monitor.events import Position

LABEL: Final = 18  # cells before a chart
STREAM: Final = 38  # cells of one stream
VENUE: Final = 26  # cells of one venue
LEAST_PEAK_USD: Final = 1e6  # a chart's height is never less, so that calm looks calm
BEFORE_S: Final = 120  # of the past that stays in sight before the start
_COLOURS: Final = {Position.LONG: words.LONGS, Position.SHORT: words.SHORTS}
_BARS: Final = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_FLOWS: Final = ("\N{BLACK CIRCLE}", "#009e73")
_WAITS: Final = ("\N{WHITE CIRCLE}", "#e69f00")


def flow(sight: Sight, width: int, height: int) -> list[Text]:
    """Forced dollars over time, longs above and shorts below, states in between.

    A column is as long as it must be for the whole run to fit, and ends on round times.
    """
    columns = min(BINS, width - LABEL)
    run_s = (sight.now_ns - EPOCH_NS) // NS + BEFORE_S
    bins = max(1, -(-run_s // (BIN_S * columns)))
    last = sight.second // BIN_S
    charts = {p: _gathered(values, last, bins, columns) for p, values in sight.forced_usd.items()}
    peak = max(max(chart) for chart in charts.values())
    note = f"{bins * BIN_S} s a column, peak {words.usd(peak)}"
    shorts = max(1, (height - 2) // 3)
    minute = {p: sum(values[-7:-1]) for p, values in sight.forced_usd.items()}
    scale = max(LEAST_PEAK_USD * bins, peak)
    drawn = {
        p: _chart(charts[p], scale, rows, _label(p, minute[p]), width)
        for p, rows in ((Position.LONG, height - 2 - shorts), (Position.SHORT, shorts))
    }
    return [
        words.rule("forced flow", width, note),
        *drawn[Position.LONG],
        _marks(sight, bins, columns, width),
        *drawn[Position.SHORT],
    ]


def _gathered(values: Sequence[float], last: int, bins: int, columns: int) -> list[float]:
    """Bins gathered into columns, the last of which holds the bin numbered `last`."""
    sums = [0.0] * columns
    for back, value in enumerate(reversed(values)):
        column = columns - 1 - (last // bins - (last - back) // bins)
        if column >= 0:
            sums[column] += value
    return sums


def _label(position: Position, minute_usd: float) -> tuple[str, str]:
    return f"{position.value + 's':<6} {words.usd(minute_usd):>6}/min", _COLOURS[position]


def _chart(
    values: Sequence[float], most: float, height: int, label: tuple[str, str], width: int
) -> list[Text]:
    name, style = label
    rows = list(_bars(values, most, height))
    names = [""] * (height - 1) + [name]
    return [
        words.line(width, (f"{side:<{LABEL}}", style), (row, style))
        for side, row in zip(names, rows, strict=True)
    ]


def _bars(values: Sequence[float], most: float, height: int) -> Iterator[str]:
    """Rows of a bar chart from the top down; what is more than nothing shows."""
    eighths = [0 if value <= 0.0 else max(1, round(value / most * 8 * height)) for value in values]
    for row in range(height - 1, -1, -1):
        yield "".join(_BARS[min(8, max(0, count - 8 * row))] for count in eighths)


def _marks(sight: Sight, bins: int, columns: int, width: int) -> Text:
    """When the asset began to fall, and when its ladders changed their states."""
    cells: list[tuple[str, str]] = [(" ", "")] * columns

    def mark(at_ns: int, sign: str, style: str) -> None:
        place = columns - 1 - (sight.second // BIN_S // bins - at_ns // NS // BIN_S // bins)
        if 0 <= place < columns:
            cells[place] = (sign, style)

    mark(sight.plan.onset_ns, "\N{BOX DRAWINGS LIGHT VERTICAL}", "bold")
    mine = [verdict for verdict in reversed(sight.alerts) if verdict.asset == ASSET]
    for verdict in mine:
        if verdict.kind is Kind.CASCADE or verdict.phase is not Phase.END:
            shown = words.state(verdict.state, verdict.position, word=False)
            mark(verdict.event_ns, shown.plain, words.STYLES[verdict.state])
    return words.line(width, (f"{ASSET + ', | its fall':<{LABEL}}", words.FAINT), *cells)


def feeds(sight: Sight, width: int, height: int) -> list[Text]:
    """Every stream where there is room for it, else every venue."""
    streams, rates = sight.view.streams, sight.rates
    lines = [words.rule("feeds", width, f"{sum(rates.values()):,.0f} frames/s")]
    across = max(1, width // STREAM)
    if len(streams) <= across * (height - 1):
        cells = [_stream(stream, rates, width // across) for stream in streams]
    else:
        across = max(1, width // VENUE)
        venues: dict[str, list[StreamView]] = {}
        for stream in streams:
            venues.setdefault(stream.venue, []).append(stream)
        cells = [_venue(mine, rates, width // across) for mine in venues.values()]
    lines += [
        words.line(width, *cells[start : start + across]) for start in range(0, len(cells), across)
    ]
    return filled(lines, width, height)


def _stream(stream: StreamView, rates: Mapping[tuple[str, str], float], width: int) -> Text:
    flows = stream.state == "flowing"
    rate = f"{rates.get((stream.venue, stream.session), 0.0):,.0f}/s"
    said = rate if flows else stream.state
    name = Text(f" {stream.venue}/{stream.session}")
    name.truncate(max(1, width - len(said) - 4), overflow="ellipsis", pad=True)
    return words.line(
        width, _FLOWS if flows else _WAITS, name, " ", (said, "" if flows else _WAITS[1])
    )


def _venue(mine: Sequence[StreamView], rates: Mapping[tuple[str, str], float], width: int) -> Text:
    flowing = sum(stream.state == "flowing" for stream in mine)
    sign, style = _FLOWS if flowing == len(mine) else _WAITS
    rate = sum(rates.get((stream.venue, stream.session), 0.0) for stream in mine)
    return words.line(
        width,
        (sign, style),
        f" {mine[0].venue} ",
        (f"{flowing}/{len(mine)}", style),
        (f" {rate:,.0f}/s", words.FAINT),
    )


def alerts(sight: Sight, width: int, height: int) -> list[Text]:
    """The last alerts, newest first."""
    note = f"{sight.published} published, {sight.received} received over MQTT"
    lines = [words.rule("alerts", width, note)]
    lines += [_alert(verdict, width) for verdict in sight.alerts[: height - 1]]
    if not sight.alerts:
        lines.append(words.line(width, ("none yet", words.FAINT)))
    return filled(lines, width, height)


def _alert(verdict: Verdict, width: int) -> Text:
    state = words.state(verdict.state, verdict.position)
    if verdict.kind is Kind.PRESSURE and verdict.phase is Phase.END:
        state = Text(f"  ends in {verdict.state.value}", words.FAINT)
    elif verdict.state is State.QUIET:
        state.append(" QUIET")
    return words.line(
        width,
        (f"{words.clock(verdict.event_ns)} ", words.FAINT),
        (f"{verdict.asset} {verdict.position.value} ", "bold"),
        (f"{verdict.kind.value} ", words.FAINT),
        state,
        f" {words.usd(verdict.evidence.forced_usd)} ",
        (verdict.reason, words.FAINT),
    )


def addresses(sight: Sight, width: int) -> list[Text]:
    """Where to connect."""
    return [
        words.rule("connect", width, "Ctrl-C ends"),
        *(
            words.line(width, (f"{what:<11}", words.FAINT), where)
            for what, where in sight.addresses
        ),
    ]


def filled(lines: list[Text], width: int, height: int) -> list[Text]:
    """So many lines: empty ones after too few, none of too many."""
    return (lines + [words.line(width)] * (height - len(lines)))[:height]
