"""How the simulated market compares with published facts about real ones.

Worlds are lived through without a detector, and measured: how often true cascades come, how
large they are, how long price falls, how much of the fall of open interest was forced and how
much of it was printed, how thin books get. One crash of a whole market is measured by itself,
next to that of 10 October 2025.

Intervals are those of `monitor.assess.intervals`: symbol-months drawn again, except for the
exponent of the tail. Symbols of one world share a part of their shocks, which such intervals do
not see; they are a little narrow for it.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from kernels import scoring
from kernels.dtypes import LIQUIDATION, ROWS_OF_ASSET, Reals, Records
from monitor.assess import intervals
from monitor.assess.months import Shares
from monitor.assess.results import Figure
from monitor.assess.truth import RULES, ladder_episodes
from monitor.assess.worlds import EPOCH_S, LEAST_INTEREST_USD, MOST_INTEREST_USD
from monitor.simulate.market import World
from monitor.simulate.observation import Observer, various
from monitor.simulate.regimes import DAY_S, Regime

MONTH_DAYS: Final = 31
RESAMPLES: Final = 1000
HOUR_S: Final = 3600
BOTTOM_BACK: Final = 0.382  # a bottom is passed once price has come back by this part of the move,
BOTTOM_LEAST: Final = 0.005  # which must have been so long, log price
# Prints count until so long after the end: feeds that stalled send late.
PRINTED_AFTER_S: Final = 60
_CHUNK_S: Final = 900
_PRICE_USD: Final = 100.0  # the market is the same whatever an asset's price and size
_QUANTILES: Final = (0.1, 0.5, 0.9)


class Spread(msgspec.Struct, frozen=True):
    """Three quantiles over episodes; n = episodes."""

    p10: Figure
    p50: Figure
    p90: Figure


class Calibration(msgspec.Struct, frozen=True):
    """A regime, measured. A symbol-month is one asset for 31 days, both positions.

    Attributes:
        regime: Its name.
        seeds: Of the worlds.
        assets: Of each world.
        days: That each world was measured.
        symbol_months: In all.
        positives_per_month: Cascades that a detector is asked for; n = symbol-months.
        minor_per_month: Episodes of 0.3 to 1 % of open interest.
        other_per_month: Episodes of at least 1 % that are no such cascades.
        tail_from_0_3_percent: Hill's exponent of episode sizes above 0.3 % of open interest;
            n = episodes, interval alpha +- 1.96 alpha / sqrt(n).
        tail_from_1_percent: The same above 1 %.
        bottom_1_h_s: Seconds from onset to the bottom, looked for within an hour, of episodes of
            at least 1 %.
        bottom_2_h_s: The same within two hours; how far one looks decides the upper quantile.
        forced_of_decline: Forced coins over the decline of open interest, of those where it fell.
        printed_of_decline: Printed coins over it; null when venues were left out.
        depth_fall: Median depth of the hour before onset over the thinnest second, of the same.
        daily_volatility: Root of the mean square of daily log returns; n = days.
        market_ns: Nanoseconds that the market took for one asset and second, with its random
            numbers.
    """

    regime: str
    seeds: tuple[int, ...]
    assets: int
    days: int
    symbol_months: float
    positives_per_month: Figure
    minor_per_month: Figure
    other_per_month: Figure
    tail_from_0_3_percent: Figure
    tail_from_1_percent: Figure
    bottom_1_h_s: Spread
    bottom_2_h_s: Spread
    forced_of_decline: Spread
    printed_of_decline: Spread | None
    depth_fall: Spread
    daily_volatility: Figure
    market_ns: float


@dataclass(frozen=True)
class _Lived:
    """What is kept of a world (float32).

    Attributes:
        forced: Forced coins over open interest (ladders x seconds).
        endogenous: The part that no mark without forced flow had reached.
        mark: Of each asset, US dollars (assets x seconds).
        interest: The same, coins.
        depth: The same, US dollars.
        printed: Printed coins by second received (ladders x seconds); empty without venues.
        took_s: Time of the market alone.
    """

    forced: Shares
    endogenous: Shares
    mark: Shares
    interest: Shares
    depth: Shares
    printed: Shares
    took_s: float


def measure(
    regime: Regime, seeds: Sequence[int], assets: int, days: int, *, venues: bool = False
) -> Calibration:
    """Live through one world for each seed, and measure them together.

    Args:
        regime: How the market behaves.
        seeds: Of the worlds.
        assets: Of each world; all of them share a part of their shocks.
        days: To measure in each world, after the one in which positions fill up.
        venues: Whether venues show the market, so that printed coins are known; takes longer.
    """
    found = [_figures(_live(regime, seed, assets, days, venues=venues)) for seed in seeds]
    units = assets * len(seeds)
    draws = intervals.draw(units, RESAMPLES, 0)
    months = np.full(units, days / MONTH_DAYS)
    large = np.concatenate([one.large for one in found])
    large["unit"] += np.repeat(assets * np.arange(len(seeds)), [len(one.large) for one in found])

    def rate(rank: int) -> Figure:
        counts = np.concatenate([one.counts[:, rank] for one in found])
        return intervals.figure(intervals.ratio(draws, counts, months), units)

    def spread(name: str) -> Spread:
        known = large[~np.isnan(large[name])]
        samples = intervals.quantiles(draws, known[name], known["unit"], _QUANTILES)
        return Spread(*(intervals.figure(one, len(known)) for one in samples))

    squares = np.concatenate([one.squares for one in found])
    returns = np.full(units, days - 1.0)
    volatility = np.sqrt(intervals.ratio(draws, squares, returns))
    shares = np.concatenate([one.shares for one in found])
    return Calibration(
        regime=regime.name,
        seeds=tuple(seeds),
        assets=assets,
        days=days,
        symbol_months=float(months.sum()),
        positives_per_month=rate(scoring.POSITIVE),
        minor_per_month=rate(scoring.MINOR),
        other_per_month=rate(scoring.OTHER),
        tail_from_0_3_percent=hill(shares, RULES.minor_share),
        tail_from_1_percent=hill(shares, RULES.positive_share),
        bottom_1_h_s=spread("bottom_1_h_s"),
        bottom_2_h_s=spread("bottom_2_h_s"),
        forced_of_decline=spread("forced"),
        printed_of_decline=spread("printed") if venues else None,
        depth_fall=spread("depth_fall"),
        daily_volatility=intervals.figure(volatility, int(returns.sum())),
        market_ns=1e9 * sum(one.took_s for one in found) / (units * days * DAY_S),
    )


def hill(sizes: Reals, least: float) -> Figure:
    """Hill's estimate of the exponent of sizes above the least, with its asymptotic interval."""
    tail = sizes[sizes >= least]
    excess = float(np.log(tail / least).sum())
    if not excess > 0.0:
        return Figure(value=None, low=None, high=None, n=len(tail))
    alpha = len(tail) / excess
    off = 1.96 * alpha / math.sqrt(len(tail))
    return Figure(value=alpha, low=alpha - off, high=alpha + off, n=len(tail))


def seconds_to_bottom(mark: Shares, onset: int, sign: float, within_s: int) -> int:
    """Seconds from onset to the extreme that price reaches before it has come well back.

    Args:
        mark: Mark price by second.
        onset: Second of onset; the move counts from a minute before.
        sign: 1 for a rise, -1 for a fall.
        within_s: How far to look.
    """
    start = float(mark[max(onset - RULES.before_s, 0)])
    move = sign * np.log(mark[onset : onset + within_s] / start)
    furthest = np.maximum.accumulate(move)
    back = (furthest >= BOTTOM_LEAST) & (move < (1.0 - BOTTOM_BACK) * furthest)
    turned = int(back.argmax()) if back.any() else len(move)
    return int(move[:turned].argmax())


# One episode of at least 1 % of open interest.
_large_dtype: Final = np.dtype(
    [
        ("unit", np.int64),  # asset of the world
        ("bottom_1_h_s", np.float64),
        ("bottom_2_h_s", np.float64),
        ("forced", np.float64),  # over the decline of open interest
        ("printed", np.float64),
        ("depth_fall", np.float64),
    ]
)


@dataclass(frozen=True)
class _Found:
    """What was found in one world.

    Attributes:
        counts: Episodes of each asset by rank (assets x ranks).
        shares: Size of every episode, share of open interest.
        large: Rows of `_large_dtype`.
        squares: Sum of squared daily log returns of each asset.
        took_s: Time of the market.
    """

    counts: Reals
    shares: Reals
    large: Records
    squares: Reals
    took_s: float


def _live(regime: Regime, seed: int, assets: int, days: int, *, venues: bool) -> _Lived:
    random = np.random.default_rng((seed, 1))
    usd = np.exp(random.uniform(np.log(LEAST_INTEREST_USD), np.log(MOST_INTEREST_USD), assets))
    world = World(regime, seed, EPOCH_S, usd / _PRICE_USD, np.full(assets, _PRICE_USD))
    observer = Observer(assets, random, mix=various(usd, random)) if venues else None
    seconds = days * DAY_S
    ladders = [np.empty((2 * assets, seconds), np.float32) for _ in range(2)]
    columns = [np.empty((assets, seconds), np.float32) for _ in range(3)]
    printed = np.zeros((2 * assets, seconds if venues else 0), np.float32)
    took_s = 0.0
    for at in range(0, seconds, _CHUNK_S):
        began_s = time.perf_counter()
        tape = world.chunk(_CHUNK_S)
        took_s += time.perf_counter() - began_s
        rows = slice(at, at + _CHUNK_S)
        for kept, name in zip(columns, ("mark", "interest", "depth_usd"), strict=True):
            kept[:, rows] = tape[name].T
        for kept, name in zip(ladders, ("forced", "endogenous"), strict=True):
            for place, position in enumerate(("long", "short")):
                kept[place::2, rows] = (tape[f"{name}_{position}"] / tape["interest"]).T
        if observer is not None:
            _print(printed, observer.chunk(tape, EPOCH_S + at).events)
    forced, endogenous = ladders
    mark, interest, depth = columns
    return _Lived(forced, endogenous, mark, interest, depth, printed, took_s)


def _print(printed: Shares, events: Records) -> None:
    """Add printed coins of a chunk by ladder and second received."""
    orders = events[events["kind"] == LIQUIDATION]
    ladder = 2 * (orders["row"] // ROWS_OF_ASSET) + orders["position"]
    second = orders["received_ns"] // 1_000_000_000 - EPOCH_S
    np.add.at(printed, (ladder, second), orders["a"])


def _figures(lived: _Lived) -> _Found:
    assets = len(lived.mark)
    counts = np.zeros((assets, scoring.RANKS))
    shares: list[Reals] = []
    large: list[Records] = []
    for ladder in range(2 * assets):
        asset = ladder // 2
        episodes = ladder_episodes(
            lived.forced[ladder],
            lived.endogenous[ladder],
            lived.mark[asset],
            lived.interest[asset],
            ladder,
        )
        counts[asset] += np.bincount(episodes["rank"], minlength=scoring.RANKS)
        shares.append(episodes["share"])
        large.append(_large(lived, episodes[episodes["share"] >= RULES.positive_share]))
    days = np.log(lived.mark[:, ::DAY_S].astype(np.float64))
    return _Found(
        counts=counts,
        shares=np.concatenate(shares),
        large=np.concatenate(large),
        squares=(np.diff(days, axis=1) ** 2).sum(axis=1),
        took_s=lived.took_s,
    )


def _large(lived: _Lived, episodes: Records) -> Records:
    found = np.zeros(len(episodes), _large_dtype)
    for row, episode in zip(found, episodes, strict=True):
        ladder, onset, end = (int(episode[name]) for name in ("ladder", "onset", "end"))
        asset = ladder // 2
        depth, interest = lived.depth[asset], lived.interest[asset]
        usual = np.median(depth[max(onset - HOUR_S, 0) : onset + 1])
        row["unit"] = asset
        for hours in (1, 2):
            row[f"bottom_{hours}_h_s"] = seconds_to_bottom(
                lived.mark[asset], onset, 2.0 * (ladder % 2) - 1.0, hours * HOUR_S
            )
        row["depth_fall"] = usual / depth[onset : end + 1].min()
        # Where open interest did not fall there is no ratio.
        decline = float(episode["decline"])
        row["forced"] = episode["share"] / decline if decline > 0.0 else math.nan
        coins = lived.printed[ladder, onset : end + PRINTED_AFTER_S].sum()
        share = float(coins) / float(interest[max(onset - 1, 0)])
        row["printed"] = share / decline if decline > 0.0 else math.nan
    return found
