"""What the compiled streams of random numbers begin with: their states, and the normal table."""

import statistics
from typing import Final

import numpy as np

from kernels.draws import MULTIPLIER, STEPS
from kernels.dtypes import Integers, Reals

# Where the table ends: a normal is beyond it once in 16 000 draws.
_FARTHEST: Final = 4.0


def normal_table() -> Reals:
    """Quantiles of the normal distribution at 0, 1/4096 ... 1, the ends held at 4 sigmas."""
    normal = statistics.NormalDist()
    inner = [normal.inv_cdf(i / STEPS) for i in range(1, STEPS)]
    return np.array([-_FARTHEST, *inner, _FARTHEST])


def seeds(count: int, generator: np.random.Generator) -> Integers:
    """First states of so many streams."""
    return generator.integers(1, MULTIPLIER << 32, size=count, dtype=np.int64)
