"""How sure a figure is: whole symbol-months drawn again, and exact bounds of a share.

A figure is computed once for the months as they are and once for each of many draws of as many
months with replacement, because what happens within a month hangs together. `Draws.weights` is
how often each month was drawn; its first row is ones, so that the figure itself is the first of
its own samples. Means over regimes draw within each regime and then average, draw by draw.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels.dtypes import Reals
from monitor.assess.results import Figure

Places = npt.NDArray[np.int64]
Choice = npt.NDArray[np.bool_]

LEVEL: Final = 0.95


@dataclass(frozen=True)
class Draws:
    """How often each symbol-month of one regime counts in each sample (samples x months)."""

    weights: Reals

    @property
    def samples(self) -> int:
        """The months as they are, and all draws."""
        return len(self.weights)


def draw(months: int, resamples: int, seed: int) -> Draws:
    """The months as they are, then `resamples` draws of as many with replacement."""
    dice = np.random.default_rng(seed)
    drawn = dice.multinomial(months, np.full(months, 1.0 / months), size=resamples)
    return Draws(np.vstack([np.ones((1, months)), drawn.astype(np.float64)]))


def per_month(values: Reals, month_of: Places, months: int) -> Reals:
    """Sums of cases' values by the month they belong to."""
    return np.bincount(month_of, weights=values, minlength=months).astype(np.float64)


def ratio(draws: Draws, above: Reals, below: Reals) -> Reals:
    """Samples of a ratio of two sums over months; NaN where there is nothing below.

    Args:
        draws: Of the months.
        above: Values by month, or by month and something else (months x any).
        below: The same, or by month alone.

    Returns:
        By sample, or by sample and something else.
    """
    top, bottom = draws.weights @ above, draws.weights @ below
    if top.ndim > bottom.ndim:
        bottom = bottom[:, None]
    bottom = np.broadcast_to(bottom, top.shape)
    out = np.full(top.shape, math.nan)
    np.divide(top, bottom, out=out, where=bottom > 0.0)
    return out


def quantiles(
    draws: Draws, values: Reals, month_of: Places, wanted: Sequence[float]
) -> list[Reals]:
    """Samples of quantiles of cases; NaN where a sample holds none.

    A quantile that falls between two cases is their mean, so the one half is the usual median.
    """
    if len(values) == 0:
        return [np.full(draws.samples, math.nan) for _ in wanted]
    order = np.argsort(values, kind="stable")
    values, month_of = values[order], month_of[order]
    mass = np.cumsum(draws.weights.astype(np.int32)[:, month_of], axis=1, dtype=np.int32)
    total = mass[:, -1]
    found = []
    for q in wanted:
        goal = q * total
        # Cases whose mass from below stays under the goal, and at it or under it.
        lower = np.sum(mass < goal[:, None], axis=1)
        upper = np.sum(mass <= goal[:, None], axis=1)
        last = len(values) - 1
        middle = 0.5 * (values[np.minimum(lower, last)] + values[np.minimum(upper, last)])
        found.append(np.where(total > 0, middle, math.nan))
    return found


def mean(regimes: Sequence[Reals]) -> Reals:
    """Mean of regimes' samples, draw by draw; a regime without cases in a draw is left out."""
    stacked = np.stack(list(regimes))
    known = ~np.isnan(stacked)
    n = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    out = np.full(total.shape, math.nan)
    np.divide(total, n, out=out, where=n > 0)
    return out


def figure(samples: Reals, n: int) -> Figure:
    """A figure from its samples: the first is its value, the others give the interval."""
    value = number(samples[0])
    drawn = samples[1:][~np.isnan(samples[1:])]
    if value is None or len(drawn) == 0:
        return Figure(value=value, low=None, high=None, n=n)
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
    return Figure(value=value, low=float(low), high=float(high), n=n)


def number(value: float) -> float | None:
    """A plain number, or None for one that is not known."""
    return None if math.isnan(value) else float(value)


def exact(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """One-sided bounds of a share after Clopper and Pearson (1934): lower and upper, each alone.

    The lower bound is the share at which so many successes or more have a chance of 1 - level,
    the upper one that at which so many or fewer have.
    """
    low, high = 0.0, 1.0
    if successes > 0:
        low = _solve(lambda p: 1.0 - _at_most(successes - 1, n, p), 1.0 - level)
    if successes < n:
        high = _solve(lambda p: -_at_most(successes, n, p), level - 1.0)
    return low, high


def _solve(rising: Callable[[float], float], goal: float) -> float:
    """Where a function that rises on [0, 1] reaches a goal."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if rising(middle) < goal:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _at_most(most: int, n: int, p: float) -> float:
    """Chance of at most so many successes in n trials of chance p, for 0 < p < 1."""
    return math.fsum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(p)
            + (n - k) * math.log1p(-p)
        )
        for k in range(most + 1)
    )
