"""A crash of a whole simulated market beside that of 10 October 2025.

What is published of that day is how fast the forced orders of one venue came, counted from the
first: 63,637 of them in twelve minutes. In the simulation worth falls in two steps, slowly at
first, and nothing else happens from outside; how the positions break of it is the market's affair.
Nobody knows how long worth itself took to fall, so durations differ from seed to seed.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from kernels.dtypes import Reals, Records, shock_dtype
from monitor.simulate.market import World
from monitor.simulate.regimes import REGIMES, Shocks

EPOCH_S: Final = 1_767_571_200 + 21 * 3600  # the hour of the day
BEFORE_S: Final = 600
LASTS_S: Final = 1800
# The fall of worth: log price, median seconds, deviation of their logarithm, excitement.
PRELUDE: Final = (-0.01, 50.0, 0.3, 0.0)
FALL: Final = (-0.11, 280.0, 0.2, 0.5)
# Seconds after the first forced order by which such a part of all was done.
PUBLISHED: Final = ((0.01, 51), (0.05, 61), (0.20, 76), (0.50, 195), (0.90, 295), (0.99, 397))


class Range(msgspec.Struct, frozen=True):
    """Three quantiles over all assets of all worlds."""

    p5: float
    p50: float
    p95: float


class Reached(msgspec.Struct, frozen=True):
    """How soon a part of all forced flow was done.

    Attributes:
        part: Of the forced coins of an asset.
        published_s: Seconds from the first forced order on that day.
        seconds: The same in the simulation.
    """

    part: float
    published_s: int
    seconds: Range


class Crash(msgspec.Struct, frozen=True):
    """A crash of all assets in the regime "stress", measured.

    Attributes:
        seeds: Of the worlds.
        assets: Of each world.
        reached: By part.
        forced: Forced coins of longs over open interest.
        price_fall: Of the mark, from before to the lowest, as a ratio.
        interest_fall: Of open interest, from before to a quarter of an hour after.
        depth_fall: Mean depth of the ten minutes before over the thinnest second.
    """

    seeds: tuple[int, ...]
    assets: int
    reached: tuple[Reached, ...]
    forced: Range
    price_fall: Range
    interest_fall: Range
    depth_fall: Range


def crash(seeds: Sequence[int], assets: int) -> Crash:
    """Let a whole market crash once for each seed, and measure every asset."""
    rows = np.concatenate([_measured(_tape(seed, assets)) for seed in seeds])
    times, (forced, price, interest, depth) = rows[:, :-4], rows[:, -4:].T
    return Crash(
        seeds=tuple(seeds),
        assets=assets,
        reached=tuple(
            Reached(part, published_s, _range(times[:, k]))
            for k, (part, published_s) in enumerate(PUBLISHED)
        ),
        forced=_range(forced),
        price_fall=_range(price),
        interest_fall=_range(interest),
        depth_fall=_range(depth),
    )


def _tape(seed: int, assets: int) -> Records:
    """From BEFORE_S before the crash to LASTS_S after it began."""
    dice = np.random.default_rng((seed, 2))
    shocks = np.zeros(2, shock_dtype)
    at = EPOCH_S + BEFORE_S
    for place, (move, median_s, deviation, excitement) in enumerate((PRELUDE, FALL)):
        duration_s = round(median_s * math.exp(deviation * float(dice.standard_normal())))
        shocks[place] = (at, -1, duration_s, move, 1.0, excitement)
        at += duration_s
    quiet = Shocks(per_day=0.0, common_per_day=0.0)
    regime = msgspec.structs.replace(REGIMES["stress"], shocks=quiet)
    coins, prices_usd = np.full(assets, 1e6), np.full(assets, 100.0)
    return World(regime, seed, EPOCH_S, coins, prices_usd, shocks).chunk(BEFORE_S + LASTS_S)


def _measured(tape: Records) -> Reals:
    """By asset: seconds to each part, then forced, price, open interest and depth."""
    before, after = BEFORE_S - 1, BEFORE_S + 900
    forced = tape["forced_long"][BEFORE_S:]
    done = np.cumsum(forced, axis=0)
    first = (forced > 0.0).argmax(axis=0)
    times = [(done >= part * done[-1]).argmax(axis=0) - first for part, _ in PUBLISHED]
    mark, interest, depth = tape["mark"], tape["interest"], tape["depth_usd"]
    figures = (
        done[-1] / interest[before],
        1.0 - mark[BEFORE_S:].min(axis=0) / mark[before],
        1.0 - interest[after] / interest[before],
        depth[:BEFORE_S].mean(axis=0) / depth[BEFORE_S:after].min(axis=0),
    )
    return np.stack([*times, *figures], axis=1).astype(np.float64)


def _range(values: Reals) -> Range:
    return Range(*(float(one) for one in np.quantile(values, (0.05, 0.5, 0.95))))
