"""Random numbers that are the same in compiled code and in the interpreter.

A stream is one integer of a seeds array: a lag-one multiply-with-carry generator (Marsaglia),

    x <- 698769069 * (x mod 2^32) + x div 2^32,    out: low word xor carry, over 2^32

with a period of about 2^60. Its multiplier is below 2^31, so no product leaves 63 bits and
int64 does in both. Every user keeps streams of its own, and a stream does not know how time was
cut into chunks.
"""

import math
import statistics
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import float64, int64

from kernels.dtypes import Reals
from kernels.jit import kernel

MULTIPLIER: Final = 698_769_069
STEPS: Final = 4096
# Where the table ends: a normal is beyond it once in 16 000 draws.
_FARTHEST: Final = 4.0


def normal_table() -> Reals:
    """Quantiles of the normal distribution at 0, 1/4096 ... 1, the ends held at 4 sigmas."""
    normal = statistics.NormalDist()
    inner = [normal.inv_cdf(i / STEPS) for i in range(1, STEPS)]
    return np.array([-_FARTHEST, *inner, _FARTHEST])


def seeds(count: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """First states of so many streams."""
    return generator.integers(1, MULTIPLIER << 32, size=count, dtype=np.int64)


@kernel(float64(int64[:], int64))
def uniform(states: npt.NDArray[Any], row: int) -> float:
    """Next number of a stream, at least 0 and below 1."""
    x = states[row]
    x = 698_769_069 * (x & 0xFFFFFFFF) + (x >> 32)
    states[row] = x
    return float(((x ^ (x >> 32)) & 0xFFFFFFFF) * 2.3283064365386963e-10)


@kernel(float64(int64[:], int64, float64[::1]))
def normal(states: npt.NDArray[Any], row: int, table: Reals) -> float:
    """Next normal number of a stream: `table` (see `normal_table`), straight lines between."""
    place = uniform(states, row) * 4096.0
    i = int(place)
    return float(table[i] + (place - i) * (table[i + 1] - table[i]))


@kernel(float64(int64[:], int64, float64[::1], float64, float64))
def lognormal(
    states: npt.NDArray[Any], row: int, table: Reals, sigma: float, most: float
) -> float:
    """Next lognormal number of mean 1, held at `most`."""
    return min(most, math.exp(sigma * normal(states, row, table) - 0.5 * sigma * sigma))
