"""What is promised, as data, and whether it was kept.

A promise is held against the side of the interval that is worse for us where there are at least
fifty cases, and against the value, with its number of cases beside it, where there are fewer.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from monitor.assess import results
from monitor.assess.months import Alarm
from monitor.assess.results import Figure, Figures, Gate, Negatives, Rival
from monitor.parameters import Parameters
from monitor.simulate.negatives import NegativeKind

ENOUGH: Final = 50
INJECTIONS: Final = 300
MOST_HOLD_S: Final = 1200

NEVER: Final = frozenset(NegativeKind) - {
    NegativeKind.FUNDING_BURST,
    NegativeKind.OPEN_BURST,
    NegativeKind.SPOT_DROP,
}
"""Kinds that must not raise a single ONSET: whales, and what is nothing but a feed's trouble."""


def gates(
    macro: Figures,
    regimes: dict[str, Figures],
    negatives: dict[str, Negatives],
    rivals: dict[str, Rival],
) -> tuple[Gate, ...]:
    """Every promise, held against an evaluation's figures."""
    return (
        *_alert_gates(macro, regimes),
        *_negative_gates(negatives),
        *_ending_gates(macro),
        *_rival_gates(rivals),
    )


def gate(name: str, figure: Figure, comparator: str, bound: float) -> Gate:
    """One promise held against one figure."""
    if figure.n >= ENOUGH and figure.low is not None:
        counted = "high" if comparator == "<=" else "low"
    else:
        counted = "value"
    judged = {"high": figure.high, "low": figure.low, "value": figure.value}[counted]
    kept = judged is not None and (judged <= bound if comparator == "<=" else judged >= bound)
    return Gate(
        gate=name,
        comparator=comparator,
        bound=bound,
        counted=counted,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        n=figure.n,
        held=kept,
    )


def unchanged(
    name: str, pairs: Sequence[tuple[dict[str, tuple[Alarm, ...]], dict[str, tuple[Alarm, ...]]]]
) -> Gate:
    """That each of some months has the same alarms of every tier twice over."""
    differing = sum(first != second for first, second in pairs)
    return gate(name, Figure(float(differing), None, None, len(pairs)), "<=", 0.0)


def hold(parameters: Parameters, calls: int) -> Gate:
    """That the end is not bought with a long wait: it is no measurement but holds for all calls.

    Args:
        parameters: Of the detector that was evaluated.
        calls: How many EXHAUSTED there were.
    """
    waited = Figure(float(parameters.exhausted_extreme_s), None, None, max(1, calls))
    return gate("exhausted_hold_s", waited, "<=", MOST_HOLD_S)


def under(prefix: str, found: Sequence[Gate]) -> tuple[Gate, ...]:
    """The same gates by names that tell under what condition they were measured."""
    return tuple(msgspec.structs.replace(one, gate=f"{prefix}.{one.gate}") for one in found)


def _alert_gates(macro: Figures, regimes: dict[str, Figures]) -> Iterator[Gate]:
    onset, notice = macro.alerts["ONSET"], macro.alerts["NOTICE"]
    every, large = onset.groups[results.ALL], onset.groups[results.LARGE]
    yield gate("onset_false_alarms", onset.false_alarms, "<=", 1.0)
    for name, figures in regimes.items():
        rate = figures.alerts["ONSET"].false_alarms
        yield gate(f"onset_false_alarms.{name}", rate, "<=", 2.0)
    yield gate("onset_recall", every.recall, ">=", 0.85)
    yield gate("onset_recall_large", large.recall, ">=", 0.90)
    yield gate("onset_share_to_come_large", large.share_to_come, ">=", 0.72)
    yield gate("onset_share_to_come_given_hit", every.share_to_come_given_hit, ">=", 0.60)
    given_hit = notice.groups[results.ALL].share_to_come_given_hit
    yield gate("notice_share_to_come_given_hit", given_hit, ">=", 0.78)
    yield gate("notice_false_alarms", notice.false_alarms, "<=", 15.0)


def _negative_gates(negatives: dict[str, Negatives]) -> Iterator[Gate]:
    for kind, found in negatives.items():
        injected = Figure(float(found.injected), None, None, found.injected)
        yield gate(f"injections.{kind}", injected, ">=", INJECTIONS)
        if kind in NEVER:
            raised = Figure(float(found.raised), None, None, found.rate.n)
            yield gate(f"raised.{kind}", raised, "<=", 0.0)
        yield gate(f"raised_rate.{kind}", found.rate, "<=", 0.01)


def _ending_gates(macro: Figures) -> Iterator[Gate]:
    ends = macro.exhaustion
    yield gate("exhausted_rewave", ends.rewave, "<=", 0.20)
    yield gate("exhausted_missed", ends.missed, "<=", 0.05)
    yield gate("rewave_calibration_error", ends.calibration_error, "<=", 0.05)


def _rival_gates(rivals: dict[str, Rival]) -> Iterator[Gate]:
    for name, rival in rivals.items():
        yield gate(f"advantage.{name}", rival.advantage, ">=", 0.2)
