"""Regimes: five ways for the simulated market to behave, and the shocks that come from outside.

The base regime is held to published facts about real markets (tests/test_calibration.py); the
others bend it: a quiet major, a wild altcoin, a crowded market, a market under stress. They
stand still: a change of any figure here is a change of what every detector is judged by.
"""

import math
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from kernels.dtypes import Records, regime_dtype, shock_dtype

DAY_S: Final = 86_400
HOUR_S: Final = 3600.0
# Leverage that new positions are opened with, and how many take it.
LEVERAGES: Final = (3, 5, 8, 10, 15, 20, 25, 50, 75, 100)
TAKEN: Final = (0.10, 0.20, 0.15, 0.20, 0.12, 0.10, 0.06, 0.05, 0.012, 0.008)
MAINTENANCE: Final = 0.004  # margin at which a position is liquidated
CLOSEST: Final = 0.004


class Shocks(msgspec.Struct, frozen=True):
    """How often worth moves from outside, and how far.

    Sizes are Pareto above `least`; a shock draws another after it with probability `again`, of a
    smaller size and mostly in the same direction (news is understood slowly).

    Attributes:
        per_day: Shocks of one asset.
        common_per_day: Shocks of all assets together.
        least: Smallest move of log price.
        alpha: Exponent of the tail.
        most: Largest move.
        duration_s: Median duration.
        duration_dev: Deviation of its logarithm.
        excitement: Most that a shock adds to log volatility.
        again: Chance of another one after it.
        again_s: Mean wait for it.
        again_ratio: Its size over the one before.
    """

    per_day: float = 1.6
    common_per_day: float = 0.4
    least: float = 0.0045
    alpha: float = 2.2
    most: float = 0.12
    duration_s: float = 240.0
    duration_dev: float = 1.5
    excitement: float = 0.3
    again: float = 0.4
    again_s: float = 1500.0
    again_ratio: float = 0.55


class Regime(msgspec.Struct, frozen=True):
    """How a market behaves; fields are those of `kernels.dtypes.regime_dtype`, and its shocks."""

    name: str = "base"
    sigma_1s: float = 0.7e-4
    common_ratio: float = 0.5
    vol_of_vol: float = 0.45
    vol_memory_s: float = 4 * HOUR_S
    overshoot_ratio: float = 0.35
    depth_ratio: float = 0.03
    permanent_ratio: float = 0.15
    impact_memory_s: float = 300.0
    arbitrage_per_s: float = 0.02
    spot_weight: float = 0.5
    thinning: float = 0.175
    healing_s: float = 240.0
    dip_buying_per_s: float = 0.004
    appetite_dev: float = 0.7
    at_risk_ratio: float = 0.07
    holding_s: float = 8 * HOUR_S
    crowding: float = 8.0
    engine_ratio: float = 0.04
    engine_s: float = 4.0
    leaving: float = 1.8
    leaving_dev: float = 0.7
    leaving_taker: float = 0.1
    closing_ratio: float = 0.6
    returning_s: float = 12 * HOUR_S
    interest_dev: float = 0.04
    interest_memory_s: float = 72 * HOUR_S
    turnover_per_s: float = 1e-5
    shocks: Shocks = Shocks()

    def record(self) -> Records:
        """The record that the kernel reads."""
        found = np.zeros(1, regime_dtype)
        for name in regime_dtype.names or ():
            found[name] = getattr(self, name)
        return found


BASE: Final = Regime()
_STRESS_SHOCKS: Final = Shocks(per_day=2.0, common_per_day=1.0, least=0.005, excitement=0.5)
REGIMES: Final = MappingProxyType(
    {
        regime.name: regime
        for regime in (
            BASE,
            Regime(
                name="quiet",
                sigma_1s=0.55e-4,
                depth_ratio=0.04,
                at_risk_ratio=0.06,
                shocks=Shocks(per_day=1.2, common_per_day=0.35, least=0.0037),
            ),
            Regime(
                name="wild",
                sigma_1s=1.1e-4,
                depth_ratio=0.02,
                at_risk_ratio=0.05,
                shocks=Shocks(per_day=2.5, common_per_day=0.6, least=0.006, excitement=0.4),
            ),
            Regime(
                name="crowded",
                at_risk_ratio=0.1,
                crowding=16.0,
                holding_s=16 * HOUR_S,
                dip_buying_per_s=0.006,
            ),
            Regime(
                name="stress",
                sigma_1s=0.9e-4,
                vol_of_vol=0.7,
                thinning=0.2,
                shocks=_STRESS_SHOCKS,
            ),
        )
    }
)


def distances() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distances of liquidation prices from entry (log price, ascending), and their weights."""
    spread = np.linspace(0.8, 1.2, 5)
    away = np.array([max(CLOSEST, (1 / x - MAINTENANCE) * k) for x in LEVERAGES for k in spread])
    weight = np.repeat(np.array(TAKEN), len(spread))
    order = np.argsort(away, kind="stable")
    return away[order], weight[order] / weight.sum()


def draw_day(shocks: Shocks, day_start: int, assets: int, random: np.random.Generator) -> Records:
    """Shocks that begin, with all that follow them, on one day of the market (shock_dtype)."""
    rows: list[tuple[int, int, int, float, float, float]] = []
    for asset in range(-1, assets):
        rate = shocks.common_per_day if asset < 0 else shocks.per_day
        for _ in range(random.poisson(rate)):
            size = min(shocks.most, shocks.least * (1.0 + float(random.pareto(shocks.alpha))))
            spread = shocks.duration_dev * float(random.standard_normal())
            duration = min(7200, max(5, int(shocks.duration_s * math.exp(spread))))
            sign = 1.0 if random.random() < 0.5 else -1.0  # noqa: PLR2004 - as often up as down
            second = day_start + int(random.integers(DAY_S))
            while True:
                excitement = shocks.excitement * float(random.random())
                rows.append((second, asset, duration, sign * size, 1.0, excitement))
                if random.random() >= shocks.again:
                    break
                second += 1 + int(random.exponential(shocks.again_s))
                size *= shocks.again_ratio * math.exp(0.4 * float(random.standard_normal()))
                if random.random() < 0.2:  # noqa: PLR2004 - one in five is a reversal
                    sign = -sign
    found = np.zeros(len(rows), shock_dtype)
    for place, row in enumerate(sorted(rows)):
        found[place] = row
    return found
