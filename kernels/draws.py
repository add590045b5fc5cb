"""Random numbers that are the same in compiled code and in the interpreter.

A stream is one integer of a seeds array: a lag-one multiply-with-carry generator (Marsaglia),

    x <- 698769069 * (x mod 2^32) + x div 2^32,    out: low word xor carry, over 2^32

with a period of about 2^60. Its multiplier is below 2^31, so no product leaves 63 bits and
int64 does in both. Every user keeps streams of its own, and a stream does not know how time was
cut into chunks.
"""

import math
from typing import Final

from numba import float64, int64

from kernels.dtypes import Integers, Reals
from kernels.jit import kernel

MULTIPLIER: Final = 698_769_069
STEPS: Final = 4096


@kernel(float64(int64[:], int64))
def uniform(states: Integers, row: int) -> float:
    """Next number of a stream, at least 0 and below 1."""
    x = states[row]
    x = MULTIPLIER * (x & 0xFFFFFFFF) + (x >> 32)
    states[row] = x
    return float(((x ^ (x >> 32)) & 0xFFFFFFFF) * 2.3283064365386963e-10)


@kernel(float64(int64[:], int64, float64[::1]))
def normal(states: Integers, row: int, table: Reals) -> float:
    """Next normal number of a stream: `table` holds its quantiles at 0, 1/4096 ... 1."""
    place = uniform(states, row) * STEPS
    i = int(place)
    return float(table[i] + (place - i) * (table[i + 1] - table[i]))


@kernel(float64(int64[:], int64, float64[::1], float64, float64))
def lognormal(states: Integers, row: int, table: Reals, sigma: float, most: float) -> float:
    """Next lognormal number of mean 1, held at `most`."""
    return min(most, math.exp(sigma * normal(states, row, table) - 0.5 * sigma * sigma))
