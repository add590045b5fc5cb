"""What others use, as statistics of what was seen: the detector is measured against these.

Each statistic makes one column for one ladder, in seconds, from a `Record`; all of them are
causal. Rules on price or open interest alone know no position: they are told apart by the
direction of the five-minute return, which is the best that can be done for them. Thresholds are
geometric and wide on purpose, so that the curve of each reaches from far less than one false
alarm a symbol-month to far more than thirty, in every regime.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels import rolling
from kernels.dtypes import Reals
from monitor.assess.months import Shares, column
from monitor.assess.passage import Record

DAY_S: Final = 86_400
LEAST_S: Final = 3_600
MINUTE_S: Final = 60
FIVE_MINUTES_S: Final = 300
DRAIN_PER_S: Final = 2e-6


@dataclass(frozen=True)
class Statistic:
    """One statistic and the thresholds at which its curve is drawn.

    Attributes:
        name: The key in results.
        unit: Of its thresholds.
        thresholds: Ascending.
        column: (record, ladder) -> the statistic by second (float64); NaN raises no alarm.
    """

    name: str
    unit: str
    thresholds: Reals
    column: Callable[[Record, int], Reals]


def level(record: Record, ladder: int) -> Reals:
    """The detector's own bucket over the asset's own scale."""
    return np.asarray(column(record.level, ladder), np.float64)


def minute_z(record: Record, ladder: int) -> Reals:
    """Forced dollars of a minute, in sigmas of the day before above its mean."""
    usd = _sums(record.usd, ladder, MINUTE_S)
    mean, deviation = _moments(usd)
    return _over(usd - mean, deviation)


def minute_usd(record: Record, ladder: int) -> Reals:
    """Forced dollars of a minute."""
    return _sums(record.usd, ladder, MINUTE_S)


def minute_count(record: Record, ladder: int) -> Reals:
    """Forced orders of a minute."""
    return _sums(record.orders, ladder, MINUTE_S)


def minute_share(record: Record, ladder: int) -> Reals:
    """Forced share of open interest of a minute."""
    return _sums(record.share, ladder, MINUTE_S)


def five_minute_share(record: Record, ladder: int) -> Reals:
    """Forced share of open interest of five minutes."""
    return _sums(record.share, ladder, FIVE_MINUTES_S)


def uncapped_bucket(record: Record, ladder: int) -> Reals:
    """A drained bucket of forced share, the same for every asset and without caps."""
    share = column(record.share, ladder)
    out = np.empty(len(share))
    rolling.drained(share, DRAIN_PER_S, out)
    return out


def price_drop(record: Record, ladder: int) -> Reals:
    """Five-minute return in the forced direction, in sigmas of the day before."""
    moved = _return(record, ladder)
    _, deviation = _moments(moved)
    return _over(moved, deviation)


def price_drop_ratio(record: Record, ladder: int) -> Reals:
    """Five-minute return in the forced direction, as it is."""
    return _return(record, ladder)


def interest_drop(record: Record, ladder: int) -> Reals:
    """Five-minute decline of open interest while price moves in the forced direction."""
    index = np.asarray(column(record.interest_index, ladder // 2), np.float64)
    decline = np.full(len(index), math.nan)
    decline[FIVE_MINUTES_S:] = 1.0 - index[FIVE_MINUTES_S:] / index[:-FIVE_MINUTES_S]
    return np.where(_return(record, ladder) > 0.0, decline, 0.0)


def _sums(values: Shares, ladder: int, window_s: int) -> Reals:
    seconds = column(values, ladder)
    out = np.empty(len(seconds))
    rolling.rolling_sum(seconds, window_s, out)
    return out


def _moments(values: Reals) -> tuple[Reals, Reals]:
    mean, deviation = np.empty(len(values)), np.empty(len(values))
    rolling.rolling_moments(values, DAY_S, LEAST_S, mean, deviation)
    return mean, deviation


def _over(values: Reals, deviation: Reals) -> Reals:
    """Values in sigmas; NaN where nothing has varied yet."""
    out = np.full(len(values), math.nan)
    np.divide(values, deviation, out=out, where=deviation > 0.0)
    return out


def _return(record: Record, ladder: int) -> Reals:
    """Log return of five minutes, positive in the forced direction; NaN where not known."""
    price = np.log(np.asarray(column(record.price, ladder // 2), np.float64))
    moved = np.full(len(price), math.nan)
    moved[FIVE_MINUTES_S:] = price[FIVE_MINUTES_S:] - price[:-FIVE_MINUTES_S]
    return moved if ladder % 2 else -moved


def _steps(low: float, high: float, ratio: float = 1.15) -> Reals:
    """Geometric thresholds from low to high."""
    n = math.ceil(math.log(high / low) / math.log(ratio))
    return low * np.power(high / low, np.arange(n + 1) / n)


DETECTOR: Final = Statistic("level", "u", _steps(0.5, 100.0, 1.08), level)
BASELINES: Final = (
    Statistic("z_60s", "sigma", _steps(1.0, 5e3), minute_z),
    Statistic("usd_60s", "USD", _steps(1e4, 1e10, 1.2), minute_usd),
    Statistic("count_60s", "orders", _steps(2.0, 5e3), minute_count),
    Statistic("share_60s", "ratio", _steps(1e-6, 0.1, 1.2), minute_share),
    Statistic("share_300s", "ratio", _steps(1e-6, 0.3, 1.2), five_minute_share),
    Statistic("bucket_uncapped", "ratio", _steps(1e-6, 0.3, 1.2), uncapped_bucket),
    Statistic("price_drop_300s", "sigma", _steps(0.5, 100.0), price_drop),
    Statistic("price_drop_300s_ratio", "ratio", _steps(1e-3, 1.0), price_drop_ratio),
    Statistic("interest_drop_300s", "ratio", _steps(1e-4, 1.0), interest_drop),
)
STATISTICS: Final = (DETECTOR, *BASELINES)
