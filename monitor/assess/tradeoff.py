"""Figures of trade-off curves, and the detector against its rivals."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kernels import scoring
from kernels.dtypes import Reals
from monitor.assess import intervals, results
from monitor.assess.baselines import Statistic
from monitor.assess.cases import Cases
from monitor.assess.curves import recall_at
from monitor.assess.figures import MOSTLY
from monitor.assess.results import Curve, Figure, Point, Rival
from monitor.assess.truth import RULES, Rules

RATES: Final = (0.3, 1.0, 3.0, 10.0, 30.0)
PROMISED: Final = 1.0
LEAST_SHOWN: Final = 0.1
MOST_SHOWN: Final = 60.0


def curve(regimes: Sequence[Cases], statistic: Statistic, rules: Rules = RULES) -> Curve:
    """The trade-off of one statistic, in one regime or as the mean over several."""
    false_alarms, recall = _false_alarms(regimes), _recall(regimes, results.ALL, rules)
    recall_large = _recall(regimes, results.LARGE, rules)
    months = sum(len(cases.exposure) for cases in regimes)
    n = _number(regimes, results.ALL, rules)
    large = _number(regimes, results.LARGE, rules)
    means = {
        "share_to_come": _means(regimes, results.ALL, rules, "remaining"),
        "share_to_come_large": _means(regimes, results.LARGE, rules, "remaining"),
        "price_to_come": _means(regimes, results.ALL, rules, "price"),
        "mostly_to_come": _means(regimes, results.ALL, rules, "mostly"),
        "share_to_come_given_hit": _medians(regimes, rules, "remaining"),
        "delay_after_5_percent_s": _medians(regimes, rules, "delay"),
    }
    return Curve(
        unit=statistic.unit,
        points=tuple(
            Point(
                threshold=float(statistic.thresholds[k]),
                false_alarms=intervals.figure(false_alarms[:, k], months),
                recall=intervals.figure(recall[:, k], n),
                recall_large=intervals.figure(recall_large[:, k], large),
                **{name: intervals.number(values[k]) for name, values in means.items()},
            )
            for k in _shown(false_alarms[0])
        ),
        recall_at={
            f"{most:g}": intervals.figure(recall_at(false_alarms, recall, most), n)
            for most in RATES
        },
    )


def rivals(
    curves: dict[str, Sequence[Cases]], detector: str, rules: Rules = RULES
) -> tuple[Figure, dict[str, Rival]]:
    """The detector's recall at one false alarm a symbol-month, and every baseline against it.

    Args:
        curves: Statistic -> its cases by regime, drawn alike for all statistics.
        detector: Which of them is the detector's own.
        rules: Which episodes count.
    """
    own = _shared(curves[detector], rules)
    found = {}
    for name, regimes in curves.items():
        if name == detector:
            continue
        n = _number(regimes, results.ALL, rules)
        shared = _shared(regimes, rules)
        tuned = intervals.mean([_shared([cases], rules) for cases in regimes])
        found[name] = Rival(
            shared=intervals.figure(shared, n),
            tuned=intervals.figure(tuned, n),
            advantage=intervals.figure(own - np.maximum(shared, tuned), n),
        )
    return intervals.figure(own, _number(curves[detector], results.ALL, rules)), found


def _shared(regimes: Sequence[Cases], rules: Rules) -> Reals:
    """Samples of recall at the promised false alarms, with one threshold for these regimes."""
    return recall_at(_false_alarms(regimes), _recall(regimes, results.ALL, rules), PROMISED)


def _false_alarms(regimes: Sequence[Cases]) -> Reals:
    """False alarms per symbol-month (samples x thresholds)."""
    return intervals.mean(
        [
            intervals.ratio(
                cases.draws,
                cases.tallies[:, :, scoring.SMALL].astype(np.float64),
                cases.exposure,
            )
            for cases in regimes
        ]
    )


def _recall(regimes: Sequence[Cases], group: str, rules: Rules) -> Reals:
    """Recall of a group (samples x thresholds)."""
    found = []
    for cases in regimes:
        chosen = cases.chosen(group, rules)
        months = len(cases.exposure)
        of = cases.month_of[chosen]
        hits = np.zeros((months, cases.seconds.shape[1]))
        np.add.at(hits, of, cases.seconds[chosen] >= 0)
        every = np.bincount(of, minlength=months).astype(np.float64)
        found.append(intervals.ratio(cases.draws, hits, every))
    return intervals.mean(found)


def _number(regimes: Sequence[Cases], group: str, rules: Rules) -> int:
    return int(sum(cases.chosen(group, rules).sum() for cases in regimes))


def _values(cases: Cases, what: str) -> Reals:
    """What is averaged (episodes x thresholds); NaN or 0 for a miss."""
    if what == "delay":
        early = cases.episodes["early"][:, None]
        return np.where(cases.seconds >= 0, cases.seconds - early, np.nan)
    values = cases.price if what == "price" else cases.remaining
    if what == "mostly":
        return (np.nan_to_num(values) >= MOSTLY).astype(np.float64)
    return values


def _means(regimes: Sequence[Cases], group: str, rules: Rules, what: str) -> Reals:
    """Mean with misses at 0, by threshold, over regimes."""
    found = []
    for cases in regimes:
        values = np.nan_to_num(_values(cases, what)[cases.chosen(group, rules)])
        empty = np.full((1, values.shape[1]), np.nan)
        found.append(values.mean(axis=0, keepdims=True) if len(values) else empty)
    return np.asarray(intervals.mean(found)[0])


def _medians(regimes: Sequence[Cases], rules: Rules, what: str) -> Reals:
    """Median over hits, by threshold, over regimes."""
    found = []
    for cases in regimes:
        values = _values(cases, what)[cases.chosen(results.ALL, rules)]
        medians = np.full((1, values.shape[1]), np.nan)
        for k in range(values.shape[1]):
            known = values[~np.isnan(values[:, k]), k]
            if len(known):
                medians[0, k] = np.median(known)
        found.append(medians)
    return np.asarray(intervals.mean(found)[0])


def _shown(false_alarms: Reals) -> range:
    """Places of the thresholds worth showing, and one more at either side."""
    places = np.flatnonzero((false_alarms >= LEAST_SHOWN) & (false_alarms <= MOST_SHOWN))
    if len(places) == 0:
        return range(len(false_alarms))
    return range(max(int(places[0]) - 1, 0), min(int(places[-1]) + 2, len(false_alarms)))
