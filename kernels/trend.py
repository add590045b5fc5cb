"""Is it still falling: the slope of open interest, and how fast forced flow decays.

Theil-Sen is the median of all pairwise slopes (Theil 1950, Sen 1968): a few wrong polls, or a
venue that joins late, do not move it.
"""

import math
from typing import Final

from numba import float64, int64

from kernels.dtypes import Reals
from kernels.jit import kernel

MOST_POINTS: Final = 60
LEAST_POINTS: Final = 6
SPACING_S: Final = 3


@kernel(float64(float64[::1], int64, int64))
def _smallest(values: Reals, n: int, k: int) -> float:
    """The value of rank `k`, from 0, of the first `n`, which are put in order around it.

    Hoare's selection: the median of all pairs costs a quarter of sorting them.
    """
    left, right = 0, n - 1
    while left < right:
        pivot = values[k]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < k:
            left = i
        if k < i:
            right = j
    return float(values[k])


@kernel(float64(float64[:, ::1], int64, int64, int64, float64[::1]))
def changed_slope(history: Reals, row: int, second: int, span_s: int, slopes: Reals) -> float:
    """Theil-Sen slope per second of a series' last `span_s` seconds, at points where it changed.

    Consecutive points are at least SPACING_S seconds apart, so that at most MOST_POINTS count.

    Args:
        history: Values by second (rows x seconds held), second s at s % held; NaN unknown.
        row: Which series.
        second: Last second of the span.
        span_s: Length of the span, at most 180.
        slopes: Room for MOST_POINTS * (MOST_POINTS - 1) / 2 slopes.

    Returns:
        The slope, in the series' unit per second; NaN with fewer than LEAST_POINTS points.
    """
    held = history.shape[1]
    times = [0] * MOST_POINTS
    values = [0.0] * MOST_POINTS
    n = 0
    last = math.nan
    for back in range(span_s):
        s = second - (span_s - 1) + back
        value = history[row, s % held]
        if math.isnan(value) or value == last:
            continue
        if n > 0 and s - times[n - 1] < SPACING_S:
            continue
        if n == MOST_POINTS:
            break
        times[n] = s
        values[n] = value
        n += 1
        last = value
    if n < LEAST_POINTS:
        return math.nan
    m = 0
    for i in range(n):
        for j in range(i):
            slopes[m] = (values[i] - values[j]) / float(times[i] - times[j])
            m += 1
    middle = _smallest(slopes, m, m // 2)
    if m % 2 == 1:
        return middle
    before = slopes[0]
    for i in range(1, m // 2):
        before = max(before, slopes[i])
    return float(0.5 * (before + middle))


@kernel(float64(float64[:, ::1], int64, int64, int64))
def half_life(shares: Reals, row: int, second: int, span_s: int) -> float:
    """Half-life, in seconds, of a forced flow that decays exponentially.

    The least-squares line through the logarithm of ten-second sums over the last `span_s`
    seconds (at most 60); infinite when it does not decay, NaN with fewer than three sums
    above zero.

    Args:
        shares: Forced shares by second (rows x 64), second s at s % 64.
        row: Which ladder.
        second: Last second of the span.
        span_s: Length of the span, a multiple of ten.
    """
    held = shares.shape[1]
    n, st, sy, stt, sty = 0.0, 0.0, 0.0, 0.0, 0.0
    for block in range(span_s // 10):
        total = 0.0
        for k in range(10):
            total += shares[row, (second - block * 10 - k) % held]
        if total > 0.0:
            t, y = -10.0 * block, math.log(total)
            n += 1.0
            st += t
            sy += y
            stt += t * t
            sty += t * y
    if n < 3.0:
        return math.nan
    slope = (n * sty - st * sy) / (n * stt - st * st)
    if slope >= 0.0:
        return math.inf
    return -math.log(2.0) / slope
