"""An asset's own scale u: what forced flow is usual, and what it usually does to open interest.

Two figures of the asset's last weeks, both proportional to the part of forced orders that its
venues print:

    q   the tail quantile of its forced share of 60 seconds
    r   the print ratio: forced share printed for each unit by which open interest fell, over
        the quarter hours in which at least q was printed
    u = sqrt(q * k r),     within a factor of q

q alone grows with how busy an asset is. In the simulated regimes it is 3.6 times as large under
stress as in a quiet market, while what makes a cascade is the same part of open interest; k r
(the print of a fall of k) leans the other way. Their geometric mean stands within a fifth over
all regimes, and multiplying every print by a constant still changes no verdict.
"""

import math
from typing import Final

from numba import float64, int64, types
from numba.np.numpy_support import from_dtype

from kernels import quantile
from kernels.dtypes import Reals, Records, asset_dtype, fall_dtype, pressure_dtype, scale_dtype
from kernels.jit import kernel

DAY_S: Final = 86_400.0
BLOCK_S: Final = 900.0

_assets = from_dtype(asset_dtype)[::1]
_pressure = from_dtype(pressure_dtype)[::1]
_falls = from_dtype(fall_dtype)[::1]
_rules = from_dtype(scale_dtype)[::1]


@kernel(float64(float64[:, ::1], float64[::1], int64, _falls, _rules))
def own(bins: Reals, mass: Reals, row: int, falls: Records, rules: Records) -> float:
    """An asset's u from its own observation alone, within bounds."""
    least = rules["least"][0]
    found = quantile.quantile(bins, mass, row, rules["quantile"][0])
    if not found > least:  # nor is NaN
        return float(least)
    printed, fallen = falls["printed"][row], falls["fallen"][row]
    if printed > 0.0 and fallen >= rules["least_fallen"][0]:
        lean = math.sqrt(rules["fall"][0] * printed / fallen / found)
        most = rules["most_lean"][0]
        found *= min(most, max(1.0 / most, lean))
    return float(min(rules["most"][0], max(least, found)))


@kernel(float64(float64[:, ::1], float64[::1], float64[::1], _falls, int64, _rules))
def scale(
    bins: Reals, mass: Reals, sampled_s: Reals, falls: Records, row: int, rules: Records
) -> float:
    """An asset's u: its own, blended with the prior while it is young.

    Args:
        bins: Weights (assets x BINS).
        mass: Their sums (assets).
        sampled_s: Seconds that each asset's samples stand for.
        falls: What was printed and what fell (assets).
        row: Which asset.
        rules: One record.
    """
    prior, days = rules["prior"][0], sampled_s[row] / DAY_S
    if days < 1.0:
        return float(prior)
    weight = min(1.0, (days - 1.0) / max(1e-9, rules["days"][0] - 1.0))
    young = own(bins, mass, row, falls, rules)
    return math.exp((1.0 - weight) * math.log(prior) + weight * math.log(young))


@kernel(types.void(float64[:, ::1], float64[::1], int64, _falls, _assets, _pressure, _rules))
def _see_fall(
    bins: Reals,
    mass: Reals,
    row: int,
    falls: Records,
    assets: Records,
    pressure: Records,
    rules: Records,
) -> None:
    """Let a sample pass over a quarter hour; at its end see what fell while it printed."""
    long_total = pressure["share_total"][2 * row]
    short_total = pressure["share_total"][2 * row + 1]
    index = assets["interest_index"][row]
    falls["lasted_s"][row] += rules["sample_s"][0]
    if falls["begun"][row] == 1:
        if falls["lasted_s"][row] < BLOCK_S:
            return
        long_share = long_total - falls["long_then"][row]
        short_share = short_total - falls["short_then"][row]
        usual = quantile.quantile(bins, mass, row, rules["quantile"][0])
        fall = 1.0 - index / falls["index_then"][row]
        if usual > 0.0 and max(long_share, short_share) >= usual and abs(fall) < 1.0:
            falls["printed"][row] += long_share + short_share
            falls["fallen"][row] += fall
    falls["begun"][row] = 1
    falls["lasted_s"][row] = 0.0
    falls["long_then"][row] = long_total
    falls["short_then"][row] = short_total
    falls["index_then"][row] = index


@kernel(
    types.void(float64[:, ::1], float64[::1], float64[::1], _falls, _assets, _pressure, _rules)
)
def renew(
    bins: Reals,
    mass: Reals,
    sampled_s: Reals,
    falls: Records,
    assets: Records,
    pressure: Records,
    rules: Records,
) -> None:
    """Sample the 60-s shares of all assets and renew the scales that no episode holds.

    Both positions count. Where open interest or a share is not known nothing was observed: no
    sample, rather than a sample of zero, and the asset's time of observation stands still.

    Args:
        bins: Weights (assets x BINS), changed in place.
        mass: Their sums (assets), changed in place.
        sampled_s: Seconds that each asset's samples stand for, changed in place.
        falls: What was printed and what fell (assets), changed in place.
        assets: At least as many; `scale` is changed in place where not `frozen`.
        pressure: Two ladders an asset.
        rules: One record.
    """
    for row in range(bins.shape[0]):
        if assets["interest"][row] > 0.0:
            long_share = pressure["share_60s"][2 * row]
            short_share = pressure["share_60s"][2 * row + 1]
            quantile.add(bins, mass, row, long_share, 1.0)
            quantile.add(bins, mass, row, short_share, 1.0)
            if not (math.isnan(long_share) or math.isnan(short_share)):
                sampled_s[row] += rules["sample_s"][0]
            _see_fall(bins, mass, row, falls, assets, pressure, rules)
        else:
            falls["begun"][row] = 0
        if assets["frozen"][row] == 0:
            assets["scale"][row] = scale(bins, mass, sampled_s, falls, row, rules)


@kernel(types.void(float64[:, ::1], float64[::1], _falls, float64))
def fade(bins: Reals, mass: Reals, falls: Records, factor: float) -> None:
    """Let all that was observed count less, by a factor."""
    quantile.age(bins, mass, factor)
    for row in range(len(falls)):
        falls["printed"][row] *= factor
        falls["fallen"][row] *= factor
