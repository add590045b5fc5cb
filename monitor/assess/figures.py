"""Figures of a tier's alarms: how many were false, what was found, and how early.

Every function takes the cases of one or of several regimes; of several it gives the mean over
regimes. n is always the sum of cases.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from kernels import scoring
from kernels.dtypes import Reals
from monitor.assess import intervals, results
from monitor.assess.cases import Cases, exposure, firsts
from monitor.assess.intervals import Choice, Draws, Places
from monitor.assess.results import Alerts, Figure, Group, Quantiles, Truth
from monitor.assess.score import Scored
from monitor.assess.truth import RULES, Rules

MOSTLY: Final = 0.8
GROUPS: Final = (
    results.ALL,
    results.MEDIUM,
    results.LARGE,
    results.LONG_CLOSED,
    results.SHORT_CLOSED,
    results.MINOR,
)
QUANTILES: Final = (0.1, 0.5, 0.9)


def alerts(regimes: Sequence[Cases], tier: int, rules: Rules = RULES) -> Alerts:
    """The figures of one tier."""
    return Alerts(
        alarms=int(sum(cases.tallies[:, tier].sum() for cases in regimes)),
        false_alarms=rate(regimes, tier, scoring.SMALL),
        band_alarms=rate(regimes, tier, scoring.MINOR),
        other_alarms=rate(regimes, tier, scoring.OTHER),
        groups={name: group(regimes, tier, name, rules) for name in GROUPS},
    )


def rate(regimes: Sequence[Cases], tier: int, rank: int) -> Figure:
    """Alarms whose highest episode has this rank, per symbol-month."""
    samples = [
        intervals.ratio(
            cases.draws, cases.tallies[:, tier, rank].astype(np.float64), cases.exposure
        )
        for cases in regimes
    ]
    return intervals.figure(intervals.mean(samples), sum(len(cases.exposure) for cases in regimes))


def group(regimes: Sequence[Cases], tier: int, name: str, rules: Rules = RULES) -> Group:
    """How one tier's alarms met the episodes of one group."""
    picked = [(cases, cases.chosen(name, rules)) for cases in regimes]
    hit = [(cases, chosen & (cases.seconds[:, tier] >= 0)) for cases, chosen in picked]
    missed = [(cases, chosen & (cases.seconds[:, tier] < 0)) for cases, chosen in picked]

    def remaining(cases: Cases) -> Reals:
        return np.asarray(np.nan_to_num(cases.remaining[:, tier]))

    def price(cases: Cases) -> Reals:
        return np.asarray(np.nan_to_num(cases.price[:, tier]))

    def delay(cases: Cases) -> Reals:
        return np.asarray(cases.seconds[:, tier] - cases.episodes["onset"], np.float64)

    def early_delay(cases: Cases) -> Reals:
        return np.asarray(cases.seconds[:, tier] - cases.episodes["early"], np.float64)

    return Group(
        recall=_mean(picked, lambda cases: (cases.seconds[:, tier] >= 0).astype(np.float64)),
        share_to_come=_mean(picked, remaining),
        share_to_come_given_hit=_quantiles(hit, remaining, (0.5,))[0],
        mostly_to_come=_mean(
            picked, lambda cases: (remaining(cases) >= MOSTLY).astype(np.float64)
        ),
        price_to_come=_mean(picked, price),
        price_to_come_given_hit=_quantiles(hit, price, (0.5,))[0],
        delay_s=Quantiles(*_quantiles(hit, delay, QUANTILES)),
        delay_after_5_percent_s=Quantiles(*_quantiles(hit, early_delay, QUANTILES)),
        covered=_mean(missed, lambda cases: cases.covered[:, tier].astype(np.float64)),
    )


_Picked = Sequence[tuple[Cases, Choice]]


def _mean(picked: _Picked, values: Callable[[Cases], Reals]) -> Figure:
    """Mean of a value over chosen episodes."""
    samples = [
        mean_of(cases.draws, values(cases)[chosen], cases.month_of[chosen])
        for cases, chosen in picked
    ]
    return intervals.figure(
        intervals.mean(samples), int(sum(chosen.sum() for _, chosen in picked))
    )


def _quantiles(
    picked: _Picked, values: Callable[[Cases], Reals], wanted: Sequence[float]
) -> list[Figure]:
    """Quantiles of a value over chosen episodes."""
    samples = [
        intervals.quantiles(cases.draws, values(cases)[chosen], cases.month_of[chosen], wanted)
        for cases, chosen in picked
    ]
    n = int(sum(chosen.sum() for _, chosen in picked))
    return [
        intervals.figure(intervals.mean([regime[k] for regime in samples]), n)
        for k in range(len(wanted))
    ]


def mean_of(draws: Draws, values: Reals, month_of: Places) -> Reals:
    """Samples of the mean of cases of one regime."""
    months = draws.weights.shape[1]
    return intervals.ratio(
        draws,
        intervals.per_month(values, month_of, months),
        intervals.per_month(np.ones(len(values)), month_of, months),
    )


def truth(regimes: Sequence[tuple[Sequence[Scored], Draws]], rules: Rules = RULES) -> Truth:
    """True episodes per symbol-month."""

    def counted(scored: Sequence[Scored], rank: int, least: float) -> Reals:
        parts = [np.zeros(0, np.int64)]
        for month, start in zip(scored, firsts(scored), strict=True):
            chosen = (month.episodes["rank"] == rank) & (month.episodes["share"] >= least)
            parts.append(month.episodes["ladder"][chosen] // 2 + start)
        places = np.concatenate(parts)
        return np.bincount(places, minlength=len(exposure(scored))).astype(np.float64)

    def told(rank: int, least: float = -math.inf) -> Figure:
        samples = [
            intervals.ratio(draws, counted(scored, rank, least), exposure(scored))
            for scored, draws in regimes
        ]
        n = sum(len(exposure(scored)) for scored, _ in regimes)
        return intervals.figure(intervals.mean(samples), n)

    return Truth(
        positive=told(scoring.POSITIVE),
        large=told(scoring.POSITIVE, rules.large_share),
        minor=told(scoring.MINOR),
        other=told(scoring.OTHER),
    )
