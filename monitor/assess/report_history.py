"""Recorded data in the report: the open-interest side alone, as counts."""

from collections.abc import Sequence

from monitor.assess.history import History
from monitor.assess.history_figures import Part, Spread
from monitor.assess.history_flat import CallFigures
from monitor.assess.history_flush import FlushFigures
from monitor.assess.history_hours import CrashFigures, TierFigures
from monitor.assess.history_rules import Rule
from monitor.assess.report_words import NONE, number, prose, table


def history(found: History) -> str:
    """Everything that recorded data gave."""
    slow, fast = found.flush_5m, found.flush_1m
    wave = found.thresholds
    parts = [
        (
            f"Recorded open interest of {len(found.series)} series goes through the detector's "
            f"open-interest side alone; there are no prints in it, so the bucket is not judged. "
            f"Everything is counted, nothing is promised. Thresholds were fixed in an earlier "
            "commit."
        ),
        _folded("What was recorded", _series(found)),
        (
            f"**Flushes at five minutes**: {told(slow.labels)} labelled ones could be met, in "
            f"{number(slow.months)} coin-months."
        ),
        flushes(slow, found.thresholds.rules),
        f"**At one minute**: {told(fast.labels)}, in {number(fast.months)} coin-months.",
        flushes(fast, found.thresholds.rules),
        (
            f"**Open interest flat**: calls that an episode is over. Another wave is a "
            f"further fall by {100.0 * wave.wave_ratio:g} % of the fall so far within "
            f"{wave.wave_horizon_s // 60} min."
        ),
        _folded("Calls by hold", flats(found)),
        (
            "**Hours of BTC** by tier of their liquidations and what followed (A: price and open "
            "interest fell, should fire; B: one of them; C: neither, should not):"
        ),
        hours(found.btc_hours),
        "**The crash of 5 August 2024**, hour by hour:",
        crash(found.crash_2024_08),
        _folded("What limits these figures", "\n".join(f"- {note}" for note in found.notes)),
    ]
    return "\n\n".join(prose(part) if part[0] not in "|<" else part for part in parts)


def told(part: Part) -> str:
    """So many of so many."""
    return f"{part.count} of {part.n}"


def quantiles(spread: Spread, scale: float = 1.0) -> str:
    """Median and outer quantiles, over a scale."""
    if spread.p10 is None or spread.p50 is None or spread.p90 is None:
        return f"{NONE} n {spread.n}"
    low, middle, high = (number(v / scale) for v in (spread.p10, spread.p50, spread.p90))
    return f"{middle} ({low} to {high}) n {spread.n}"


def _folded(summary: str, text: str) -> str:
    """What a page shows when it is asked for."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _series(found: History) -> str:
    rows = [
        (
            one.coin,
            str(one.step_s),
            one.first_utc,
            one.last_utc,
            f"{one.evaluable} of {one.samples}",
        )
        for one in found.series
    ]
    return table(("coin", "seconds apart", "from (UTC)", "to", "samples judged"), rows)


def flushes(found: FlushFigures, compared: Sequence[Rule]) -> str:
    """Flush timing by rule."""
    asked = {rule.name: _asked(rule) for rule in compared}
    rows = [
        (
            f"`{one.rule}`: {asked.get(one.rule, NONE)}",
            told(one.recall),
            number(one.unlabelled_per_month),
            told(one.unlabelled_fell),
            quantiles(one.delay_s, 60.0),
            quantiles(one.to_come),
        )
        for one in found.rules
    ]
    head = (
        "rule",
        "labelled flushes met",
        "unlabelled alarms a coin-month",
        "of those, followed by a fall of 1 %",
        "minutes after onset",
        "of the fall still to come",
    )
    return table(head, rows)


def _asked(rule: Rule) -> str:
    """What a rule asks for."""
    parts = []
    if rule.price_z is not None:
        parts.append(f"price {rule.price_z:g} sigmas")
    if rule.move_ratio is not None:
        move = f"{100.0 * rule.move_ratio:g} %" if rule.move_ratio else "in its direction"
        parts.append(f"price {move}")
    if rule.interest_ratio is not None:
        parts.append(f"OI {100.0 * rule.interest_ratio:g} %")
    if rule.own_scale:
        parts.append("OI at its own scale")
    return ", ".join(parts)


def flats(found: History) -> str:
    """Calls by hold, with and without flat open interest."""
    rows = []
    for step, labelled, alarmed in (
        ("5 min", found.flat_5m.labelled, found.flat_5m.alarmed),
        ("1 min", found.flat_1m.labelled, found.flat_1m.alarmed),
    ):
        rows += [
            (step, *_call(first, second)) for first, second in zip(labelled, alarmed, strict=True)
        ]
    head = (
        "samples",
        "no new extreme for, min",
        "and OI flat",
        "labelled: called",
        "minutes after onset",
        "before the labelled end",
        "another wave",
        "alarmed: called",
        "another wave",
    )
    return table(head, rows)


def _call(labelled: CallFigures, alarmed: CallFigures) -> tuple[str, ...]:
    return (
        f"{labelled.hold_s / 60.0:g}",
        "yes" if labelled.with_interest else "no",
        told(labelled.called),
        quantiles(labelled.after_onset_s, 60.0),
        told(labelled.early),
        told(labelled.another_wave),
        told(alarmed.called),
        told(alarmed.another_wave),
    )


def hours(found: Sequence[TierFigures]) -> str:
    """Hours that fire, by tier."""
    rows = [
        (
            one.tier or "none",
            f"{one.n} of {one.hours}",
            str(one.flow),
            str(one.confirmers),
            str(one.cascading),
            str(one.flow_confirmers),
            str(one.fired),
        )
        for one in found
    ]
    head = (
        "tier",
        "hours judged",
        "forced flow",
        "confirmers",
        "the same at -0.5 % of OI",
        "flow and confirmers",
        "fired",
    )
    return table(head, rows)


def crash(found: Sequence[CrashFigures]) -> str:
    """The crash by coin."""
    rows = [
        (
            one.coin,
            f"{one.flagged} of {one.hours}",
            str(one.flow),
            str(one.flow_and_price),
            one.low_utc,
            NONE if one.first_lead_h is None else str(one.first_lead_h),
            number(one.interest_to_come),
            ", ".join(f"{hour.hour_utc[5:]} {hour.position}" for hour in one.crash) or NONE,
        )
        for one in found
    ]
    head = (
        "coin",
        "hours flagged in two months",
        "by flow alone",
        "by flow and price",
        "hour of the low (UTC)",
        "first flag ahead of it, h",
        "fall of OI still to come",
        "flagged in the crash",
    )
    return table(head, rows)
