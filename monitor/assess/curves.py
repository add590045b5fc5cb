"""Trade-off curves: what a statistic would do at every threshold, not at one chosen afterwards.

A threshold raises an alarm when the statistic reaches it and is armed again once the statistic
has been below half of it at least ten minutes after; the alarm counts as active until then.
"""

from typing import Final

import numpy as np

from kernels import scoring
from kernels.dtypes import Reals
from monitor.assess.matching import Raised

REARM_RATIO: Final = 0.5
REARM_S: Final = 600


def crossings(
    statistic: Reals,
    thresholds: Reals,
    rearm_ratio: float = REARM_RATIO,
    rearm_s: int = REARM_S,
) -> Raised:
    """The alarms of one ladder's statistic (float64 by second) at ascending thresholds."""
    shape = (len(thresholds), len(statistic) // rearm_s + 2)
    alarms = Raised(
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape[0], np.int64)
    )
    scoring.crossings(
        statistic,
        thresholds,
        rearm_ratio,
        rearm_s,
        alarms.detected,
        alarms.ended,
        alarms.counts,
    )
    return alarms


def recall_at(false_alarms: Reals, recall: Reals, most: float) -> Reals:
    """Best recall at no more than so many false alarms, for each sample of a curve.

    Between two neighbouring thresholds, one that keeps the bound and one that does not, the
    curve is taken as straight.

    Args:
        false_alarms: Per symbol-month (samples x thresholds, ascending thresholds).
        recall: The same shape.
        most: The bound.

    Returns:
        By sample; 0 where no threshold keeps the bound, NaN where recall is not known.
    """
    kept = false_alarms <= most
    best: Reals = np.max(np.where(kept, recall, 0.0), axis=1)
    left, right = slice(None, -1), slice(1, None)
    crosses = kept[:, left] != kept[:, right]
    run = false_alarms[:, right] - false_alarms[:, left]
    part = np.divide(most - false_alarms[:, left], run, out=np.zeros_like(run), where=crosses)
    between = recall[:, left] + part * (recall[:, right] - recall[:, left])
    if between.shape[1]:
        best = np.maximum(best, np.max(np.where(crosses, between, 0.0), axis=1))
    return np.where(np.isnan(recall).all(axis=1), np.nan, best)
