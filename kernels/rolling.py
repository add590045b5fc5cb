"""Rolling statistics over a month of seconds, for rules that others use.

Nothing here feeds a verdict: these are the rivals that the detector is measured against. Every
value at a second uses that second and those before it only.
"""

import math

from numba import float32, float64, int64, void

from kernels.dtypes import Reals, Singles
from kernels.jit import kernel


@kernel(void(float32[::1], int64, float64[::1]))
def rolling_sum(values: Singles, window_s: int, out: Reals) -> None:
    """Sum of the last `window_s` seconds, this one included.

    The sum is taken anew whenever a window is full of other seconds, so rounding does not pile
    up.

    Args:
        values: One value a second, none of them NaN.
        window_s: Length of the window.
        out: The sums.
    """
    total = 0.0
    for s in range(len(values)):
        if s % window_s == window_s - 1:
            total = 0.0
            for k in range(s - window_s + 1, s + 1):
                total += float(values[k])
        else:
            total += float(values[s])
            if s >= window_s:
                total -= float(values[s - window_s])
        out[s] = total


@kernel(void(float64[::1], int64, int64, float64[::1], float64[::1]))
def rolling_moments(
    values: Reals, window_s: int, least: int, mean: Reals, deviation: Reals
) -> None:
    """Mean and standard deviation of the `window_s` seconds before each second.

    Args:
        values: One value a second; NaN is passed over.
        window_s: Length of the window, which ends one second before.
        least: Values it must hold; with fewer both results are NaN.
        mean: The means.
        deviation: The standard deviations (of the population).
    """
    n = 0
    total = 0.0
    squares = 0.0
    for s in range(len(values)):
        mean[s] = math.nan
        deviation[s] = math.nan
        if n >= least:
            middle = total / n
            mean[s] = middle
            deviation[s] = math.sqrt(max(0.0, squares / n - middle * middle))
        value = values[s]
        if not math.isnan(value):
            n += 1
            total += value
            squares += value * value
        if s >= window_s and not math.isnan(values[s - window_s]):
            value = values[s - window_s]
            n -= 1
            total -= value
            squares -= value * value
        if s % window_s == window_s - 1:
            total = 0.0
            squares = 0.0
            for k in range(s - window_s + 1, s + 1):
                value = values[k]
                if not math.isnan(value):
                    total += value
                    squares += value * value


@kernel(void(float32[::1], float64, float64[::1]))
def drained(values: Singles, drain_per_s: float, out: Reals) -> None:
    """A bucket without caps: g <- max(0, g - drain) + value, second by second.

    Args:
        values: What comes in, one value a second.
        drain_per_s: What runs out.
        out: The level at the end of each second.
    """
    level = 0.0
    for s in range(len(values)):
        level = max(0.0, level - drain_per_s) + float(values[s])
        out[s] = level
