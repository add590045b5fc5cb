"""The two shapes every figure of the history has: n stands beside each."""

import math
from collections.abc import Iterable

import msgspec
import numpy as np


class Part(msgspec.Struct, frozen=True):
    """So many of so many."""

    count: int
    n: int


class Spread(msgspec.Struct, frozen=True):
    """How values are distributed; None where there is none.

    Attributes:
        n: Number of values.
        mean: Their mean.
        p10, p25, p50, p75, p90: Quantiles, linear between values.
        least, most: The outermost.
    """

    n: int
    mean: float | None = None
    p10: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    least: float | None = None
    most: float | None = None


def part(truths: Iterable[bool]) -> Part:
    """How many are true."""
    held = list(truths)
    return Part(sum(held), len(held))


def spread(values: Iterable[float]) -> Spread:
    """The spread of values; those that are not known are left out."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return Spread(0)
    p10, p25, p50, p75, p90 = (
        round(float(value), 6) for value in np.quantile(known, (0.1, 0.25, 0.5, 0.75, 0.9))
    )
    mean = round(float(np.mean(known)), 6)
    return Spread(
        len(known), mean, p10, p25, p50, p75, p90, round(min(known), 6), round(max(known), 6)
    )
