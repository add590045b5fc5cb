"""An asset's own scale: the tail quantile of its 60-second forced share, aged over weeks.

A histogram over log-spaced bins (DDSketch's mapping, gamma = 1.02, so a quantile is within 1 %
of a true one; Masson et al. 2019) whose weights fade by exp(-1/14) a day. It is mergeable,
bounded and deterministic; P-square cannot age, t-digest depends on the order of its input.
Bin 0 holds everything below the least value, zero above all.
"""

import math
from typing import Final

from numba import float64, int64, types

from kernels.dtypes import Reals
from kernels.jit import kernel

BINS: Final = 720
LEAST: Final = 1e-8
_LOG_GAMMA: Final = math.log(1.02)
_LOG_LEAST: Final = math.log(LEAST)


@kernel(types.void(float64[:, ::1], float64[::1], int64, float64, float64))
def add(bins: Reals, mass: Reals, row: int, x: float, weight: float) -> None:
    """Add one value to one histogram; NaN is passed over."""
    if math.isnan(x):
        return
    place = 0
    if x >= 1.0:
        place = BINS - 1  # far above the last bin's edge, and perhaps infinite
    elif x > LEAST:
        place = min(BINS - 1, 1 + int((math.log(x) - _LOG_LEAST) / _LOG_GAMMA))
    bins[row, place] += weight
    mass[row] += weight


@kernel(types.void(float64[:, ::1], float64[::1], float64[:, ::1], float64))
def observe(bins: Reals, mass: Reals, values: Reals, weight: float) -> None:
    """Add values to histograms, one row of values to the histogram of the same row.

    Args:
        bins: Weights (assets x BINS), changed in place.
        mass: Their sums (assets), changed in place.
        values: Shares of open interest; NaN is passed over.
        weight: Weight of each value.
    """
    for row in range(values.shape[0]):
        for k in range(values.shape[1]):
            add(bins, mass, row, values[row, k], weight)


@kernel(types.void(float64[:, ::1], float64[::1], float64))
def age(bins: Reals, mass: Reals, factor: float) -> None:
    """Let all weights fade by a factor; sums are made anew, so they cannot drift."""
    for row in range(bins.shape[0]):
        total = 0.0
        for k in range(BINS):
            bins[row, k] *= factor
            total += bins[row, k]
        mass[row] = total


@kernel(float64(float64[:, ::1], float64[::1], int64, float64))
def quantile(bins: Reals, mass: Reals, row: int, q: float) -> float:
    """Quantile of one histogram: the middle of its bin, 0 for bin 0, NaN when empty."""
    if not mass[row] > 0.0:
        return math.nan
    above = (1.0 - q) * mass[row]
    total = 0.0
    for back in range(BINS):
        place = BINS - 1 - back
        total += bins[row, place]
        if total > above:
            if place == 0:
                return 0.0
            return math.exp(_LOG_LEAST + (place - 0.5) * _LOG_GAMMA)
    return 0.0
