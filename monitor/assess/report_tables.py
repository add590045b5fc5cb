"""Tables of the report: alarms by regime, tier, size and position, ends, and other conditions."""

from collections.abc import Sequence
from typing import Final

from monitor.assess import results
from monitor.assess.evaluation import Rescaled, Side
from monitor.assess.report_words import MEAN, number, spread, table, told
from monitor.assess.results import Exhaustion, Figures

GROUPS: Final = {
    results.ALL: "all of at least 1 % of OI",
    results.MEDIUM: "1 to 2 %",
    results.LARGE: "2 % and more",
    results.LONG_CLOSED: "longs closed",
    results.SHORT_CLOSED: "shorts closed",
}


def truths(regimes: dict[str, Figures], macro: Figures) -> str:
    """What there was to find in a symbol-month of each regime."""
    rows = [
        (
            name,
            str(figures.symbol_months),
            told(figures.truth.positive),
            told(figures.truth.large),
            told(figures.truth.minor),
            told(figures.truth.other),
        )
        for name, figures in _all(regimes, macro)
    ]
    head = (
        "regime",
        "symbol-months",
        "cascades",
        "of 2 % and more",
        "of 0.3 to 1 %",
        "no cascades",
    )
    return table(head, rows)


def onsets(regimes: dict[str, Figures], macro: Figures) -> str:
    """ONSET in every regime: how often false, how many cascades it met."""
    rows = []
    for name, figures in _all(regimes, macro):
        onset, notice = figures.alerts["ONSET"], figures.alerts["NOTICE"]
        every, large = onset.groups[results.ALL], onset.groups[results.LARGE]
        rows.append(
            (
                name,
                told(onset.false_alarms),
                number(onset.band_alarms.value),
                number(onset.other_alarms.value),
                told(every.recall),
                told(large.recall),
                told(notice.false_alarms),
                told(notice.groups[results.ALL].recall),
            )
        )
    head = (
        "regime",
        "false alarms a month",
        "alarms in 0.3 to 1 %",
        "at no cascades",
        "recall",
        "recall from 2 %",
        "NOTICE: false alarms",
        "NOTICE: recall",
    )
    return table(head, rows)


def timing(regimes: dict[str, Figures], macro: Figures) -> str:
    """ONSET in every regime: how much was still to come, and how late it was."""
    rows = []
    for name, figures in _all(regimes, macro):
        onset = figures.alerts["ONSET"]
        every, large = onset.groups[results.ALL], onset.groups[results.LARGE]
        rows.append(
            (
                name,
                told(large.share_to_come),
                told(every.share_to_come_given_hit),
                told(every.price_to_come_given_hit),
                spread(every.delay_s),
                spread(every.delay_after_5_percent_s),
            )
        )
    head = (
        "regime",
        "still to come from 2 %, misses 0",
        "still to come, median of hits",
        "of the price move, median of hits",
        "seconds after onset",
        "seconds after 5 % was done",
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
                str(alerts.alarms),
                told(alerts.false_alarms),
                told(every.recall),
                told(every.share_to_come_given_hit),
                told(every.mostly_to_come),
                spread(every.delay_s),
            )
        )
    head = (
        "tier",
        "alarms",
        "false alarms a month",
        "recall",
        "still to come, median of hits",
        "cascades with 80 % still to come",
        "seconds after onset",
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
                told(group.covered),
                told(group.share_to_come),
                told(group.share_to_come_given_hit),
                told(group.price_to_come),
                spread(group.delay_s),
            )
        )
    head = (
        "cascades",
        "recall",
        "misses during an older alarm",
        "still to come, misses 0",
        "median of hits",
        "of the price move, misses 0",
        "seconds after onset",
    )
    return table(head, rows)


def endings(regimes: dict[str, Figures], macro: Figures) -> str:
    """How the end was called, by regime."""
    rows = []
    for name, figures in _all(regimes, macro):
        ends = figures.exhaustion
        rows.append(
            (
                name,
                told(ends.rewave),
                told(ends.rewave_minor),
                told(ends.rewave_positive),
                told(ends.missed),
                spread(ends.lag_s),
                spread(ends.age_s),
                told(ends.calibration_error),
            )
        )
    head = (
        "regime",
        "another wave",
        "from 0.3 % of OI",
        "from 1 % (cascades)",
        "ends missed",
        "seconds behind the true end",
        "seconds since the extreme",
        "chance off by",
    )
    return table(head, rows)


def named_endings(ends: Exhaustion) -> str:
    """How many detected episodes ended how, as words."""
    return ", ".join(f"{n} {name}" for name, n in ends.endings.items()) or "none"


def rescaled(ways: Sequence[tuple[str, Rescaled]]) -> str:
    """How many alarms differ when all prints are scaled."""
    rows = [
        (
            f"{name} ({way.factor:.5f})",
            str(way.worlds),
            str(way.days),
            *(f"{way.differing.get(tier, 0)} of {n}" for tier, n in way.alarms.items()),
        )
        for name, way in ways
    ]
    return table(("all prints times", "worlds", "asset-days", *ways[0][1].alarms), rows)


def market(side: Side) -> str:
    """The market-wide ladder, by regime."""
    rows = []
    for name, figures in _all(side.regimes, side.macro):
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


def _all(regimes: dict[str, Figures], macro: Figures) -> list[tuple[str, Figures]]:
    return [*regimes.items(), (MEAN, macro)]
