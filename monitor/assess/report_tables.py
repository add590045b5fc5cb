"""Tables of the report on detection quality: figures as Markdown, with n beside each."""

from collections.abc import Iterable, Sequence

from monitor.assess import results
from monitor.assess.evaluation import Rescaled, Side
from monitor.assess.report_charts import NAMES
from monitor.assess.results import Exhaustion, Figure, Figures, Gate, Quantiles, Results

NONE = "–"  # noqa: RUF001 - a dash, where there is no figure
GROUPS = {
    results.ALL: "all of at least 1 % of OI",
    results.MEDIUM: "1 to 2 %",
    results.LARGE: "2 % and more",
    results.LONG_CLOSED: "longs closed",
    results.SHORT_CLOSED: "shorts closed",
}
MEAN = "**mean**"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """A number of two or three digits that count."""
    if value is None:
        return NONE
    if value == 0.0 or abs(value) >= 100.0:  # noqa: PLR2004 - digits
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10.0 else f"{value:.2f}"  # noqa: PLR2004 - digits


def told(figure: Figure) -> str:
    """Value, interval and number of cases."""
    if figure.value is None:
        return f"{NONE} n {figure.n}"
    if figure.low is None or figure.high is None:
        return f"{number(figure.value)}, n {figure.n}"
    return f"{number(figure.value)} [{number(figure.low)}, {number(figure.high)}] n {figure.n}"


def spread(quantiles: Quantiles) -> str:
    """Median, and the outer quantiles."""
    outer = f"{number(quantiles.p10.value)} to {number(quantiles.p90.value)}"
    return f"{number(quantiles.p50.value)} ({outer}) n {quantiles.p50.n}"


def promises(gates: Sequence[Gate]) -> str:
    """Every promise, and whether it was kept."""
    words = {"low": "lower end", "high": "upper end", "value": "value"}
    rows = []
    for one in gates:
        figure = Figure(one.value, one.low, one.high, one.n)
        asked = f"{one.comparator} {one.bound:g}"
        held = "yes" if one.held else "**no**"
        rows.append((f"`{one.gate}`", told(figure), asked, words[one.counted], held))
    return table(("promise", "measured", "asked", "of", "kept"), rows)


def onsets(regimes: dict[str, Figures], macro: Figures) -> str:
    """ONSET in every regime, and on average."""
    rows = []
    for name, figures in (*regimes.items(), (MEAN, macro)):
        onset = figures.alerts["ONSET"]
        every, large = onset.groups[results.ALL], onset.groups[results.LARGE]
        rows.append(
            (
                name,
                number(figures.truth.positive.value),
                told(onset.false_alarms),
                number(onset.band_alarms.value),
                told(every.recall),
                told(large.recall),
                told(large.share_to_come),
                told(every.share_to_come_given_hit),
                told(every.price_to_come_given_hit),
            )
        )
    head = (
        "regime",
        "cascades a month",
        "false alarms a month",
        "alarms in 0.3-1 %",
        "recall",
        "recall from 2 %",
        "still to come from 2 %, misses 0",
        "still to come, median of hits",
        "of the price move",
    )
    return table(head, rows)


def tiers(macro: Figures) -> str:
    """Every tier, mean of regimes."""
    rows = []
    for name, alerts in macro.alerts.items():
        every = alerts.groups[results.ALL]
        rows.append(
            (
                name,
                told(alerts.false_alarms),
                number(alerts.band_alarms.value),
                told(every.recall),
                told(every.share_to_come_given_hit),
                told(every.mostly_to_come),
                spread(every.delay_s),
                spread(every.delay_after_5_percent_s),
            )
        )
    head = (
        "tier",
        "false alarms a month",
        "alarms in 0.3-1 %",
        "recall",
        "still to come, median of hits",
        "with 80 % still to come",
        "seconds after onset",
        "seconds after 5 % was done",
    )
    return table(head, rows)


def groups(macro: Figures) -> str:
    """ONSET by size and position, mean of regimes."""
    rows = []
    for key, name in GROUPS.items():
        group = macro.alerts["ONSET"].groups[key]
        rows.append(
            (
                name,
                told(group.recall),
                told(group.share_to_come),
                told(group.share_to_come_given_hit),
                told(group.price_to_come),
                spread(group.delay_s),
            )
        )
    head = (
        "cascades",
        "recall",
        "still to come, misses 0",
        "median of hits",
        "of the price move, misses 0",
        "seconds after onset",
    )
    return table(head, rows)


def rivals(found: Results) -> str:
    """Recall at one false alarm a symbol-month of the detector and of what others use."""
    rows = [(NAMES["level"], told(found.detector), "", "")]
    for name, rival in sorted(found.rivals.items(), key=lambda one: _shared(one[1].shared)):
        rows.append(
            (NAMES.get(name, name), told(rival.shared), told(rival.tuned), told(rival.advantage))
        )
    head = (
        "rule",
        "one threshold for all regimes",
        "the best of each regime",
        "detector ahead by",
    )
    return table(head, rows)


def _shared(figure: Figure) -> float:
    return -(figure.value or 0.0)


def endings(regimes: dict[str, Figures], macro: Figures) -> str:
    """How the end was called, by regime."""
    rows = []
    for name, figures in (*regimes.items(), (MEAN, macro)):
        ends = figures.exhaustion
        rows.append(
            (
                name,
                told(ends.rewave),
                told(ends.rewave_positive),
                told(ends.missed),
                spread(ends.lag_s),
                spread(ends.age_s),
                told(ends.calibration_error),
            )
        )
    head = (
        "regime",
        "another wave after EXHAUSTED",
        "after a cascade",
        "ends missed",
        "seconds behind the true end",
        "seconds since the extreme",
        "calibration error",
    )
    return table(head, rows)


def named_endings(ends: Exhaustion) -> str:
    """How many detected episodes ended how, as words."""
    return ", ".join(f"{n} {name}" for name, n in ends.endings.items()) or "none"


def negatives(found: Results) -> str:
    """Hard negatives by kind."""
    rows = [
        (
            f"`{kind}`",
            str(one.injected),
            str(one.left_out),
            str(one.raised),
            number(one.rate.value),
            number(one.rate.high),
        )
        for kind, one in found.negatives.items()
    ]
    head = ("kind", "injected", "left out", "raised an ONSET", "rate", "upper bound")
    return table(head, rows)


def beside(usual: Figures, thinned: Figures) -> str:
    """The main figures with full tapes as they are, and thinned."""
    rows = []
    for name, figures in (("as they are", usual), ("one print a second", thinned)):
        onset, notice = figures.alerts["ONSET"], figures.alerts["NOTICE"]
        every, large = onset.groups[results.ALL], onset.groups[results.LARGE]
        rows.append(
            (
                name,
                told(onset.false_alarms),
                told(every.recall),
                told(large.recall),
                told(large.share_to_come),
                told(notice.false_alarms),
                told(figures.exhaustion.rewave),
            )
        )
    head = (
        "full tapes",
        "false ONSETs a month",
        "recall",
        "recall from 2 %",
        "still to come from 2 %, misses 0",
        "false NOTICEs a month",
        "another wave after EXHAUSTED",
    )
    return table(head, rows)


def rescaled(ways: Sequence[tuple[str, Rescaled]]) -> str:
    """How many alarms differ when all prints are scaled."""
    rows = [
        (
            f"{name} ({way.factor:.5f})",
            str(way.worlds),
            *(f"{way.differing.get(tier, 0)} of {n}" for tier, n in way.alarms.items()),
        )
        for name, way in ways
    ]
    names = ways[0][1].alarms if ways else {}
    return table(("all prints times", "worlds", *names), rows)


def market(side: Side) -> str:
    """The market-wide ladder, by regime."""
    rows = []
    for name, figures in (*side.regimes.items(), (MEAN, side.macro)):
        cells = [name, str(figures.symbol_months), told(figures.truth.positive)]
        for tier in ("NOTICE", "ONSET"):
            alerts = figures.alerts[tier]
            every = alerts.groups[results.ALL]
            cells += [
                told(alerts.false_alarms),
                told(every.recall),
                told(every.share_to_come_given_hit),
            ]
        rows.append(cells)
    head = (
        "regime",
        "months",
        "cascades a month",
        *(
            f"{tier}: {what}"
            for tier in ("NOTICE", "ONSET")
            for what in ("false alarms a month", "recall", "still to come, median of hits")
        ),
    )
    return table(head, rows)
