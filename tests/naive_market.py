"""The twin of kernels.market: a few assets in plain Python, second by second.

Positions lie in dicts by absolute bin of log price, not in rings; what forced orders did is kept
in an `Impact` of its own beside that of everything.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.simulate.regimes import Regime

BIN = 5e-4
DAY_S = 86_400
Row = dict[str, float]


@dataclass
class Shock:
    """A move of worth from outside; asset -1 is all of them."""

    second: int
    asset: int
    duration_s: int
    move: float
    deep: float = 1.0
    excitement: float = 0.0


@dataclass
class Impact:
    """What orders did to price: for good, in passing on each leg, and to the mean basis."""

    worth: float = 0.0
    perp: float = 0.0
    spot: float = 0.0
    basis: float = 0.0

    def push(self, by: float, keeps: float) -> None:
        """A part stays, the rest is on the perp for now."""
        self.worth += keeps * by
        self.perp += (1.0 - keeps) * by

    def pass_on(self, moved: float, yields: float, fade: float) -> None:
        """Arbitrage moves a difference between the legs, and passing impact fades."""
        self.perp -= (1.0 - yields) * moved
        self.perp -= fade * self.perp
        self.spot += yields * moved - fade * self.spot


@dataclass
class Side:
    """Positions of one direction: coins by bin of their liquidation price, and those that wait."""

    coins: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    waiting: float = 0.0
    own: float = 0.0

    def sell(self, most: float, engine_s: float) -> tuple[float, float]:
        """What engines close in this second, and the endogenous part of it."""
        done = min(self.waiting, most, max(self.waiting / engine_s, 1e-7))
        if done <= 0.0:
            return 0.0, 0.0
        own = done * self.own / self.waiting
        self.waiting -= done
        self.own -= own
        return done, own

    def hit(self, place: int, *, own: bool) -> None:
        """The mark has passed a bin."""
        coins = self.coins.pop(place, 0.0)
        self.waiting += coins
        self.own += coins if own else 0.0


@dataclass
class Asset:
    """One asset; attributes are those of `agents_dtype` where they have its names."""

    scale_usd: float
    coins: float
    longs: Side = field(default_factory=Side)
    shorts: Side = field(default_factory=Side)
    all: Impact = field(default_factory=Impact)
    forced: Impact = field(default_factory=Impact)
    mark_bin: int = 0
    log_vol: float = 0.0
    speed: float = 0.0
    hurry: float = 0.0
    thin: float = 0.0
    appetite: float = 0.0
    leaving: float = 0.0
    interest: float = 1.0
    interest_drift: float = 0.0
    trend: float = 0.0
    lean: float = 0.0
    funding_ratio: float = 0.0
    deep: float = 1.0


def wander(value: float, memory_s: float, deviation: float, normal: float) -> float:
    """One second of a process that wanders around zero with this deviation and memory."""
    return value - value / memory_s + deviation * math.sqrt(2.0 / memory_s) * normal


def season(second: int) -> float:
    """Busier around 15:00 UTC, in the 90 s after funding, and in ten minutes from 13:30."""
    of_day = second % DAY_S
    factor = 1.0
    if of_day % (8 * 3600) < 90:
        factor += 0.5 * (1.0 - of_day % (8 * 3600) / 90.0)
    if 13.5 * 3600 <= of_day < 13.5 * 3600 + 600:
        factor += 0.6 * (1.0 - (of_day - 13.5 * 3600) / 600.0)
    return factor * (1.0 + 0.25 * math.cos(2.0 * math.pi * (of_day / 3600.0 - 15.0) / 24.0))


@dataclass
class Market:
    """Twin of kernels.market: assets of one regime."""

    regime: Regime
    assets: list[Asset]
    distances: Sequence[float]
    weights: Sequence[float]

    def live(
        self,
        second: int,
        shocks: Sequence[Shock],
        normals: Sequence[Sequence[Sequence[float]]],
        common: Sequence[Sequence[float]],
    ) -> list[list[Row]]:
        """The tape (seconds x assets), by name of its fields."""
        return [
            [
                self._second(second + t, a, shocks, normals[t][a], common[t])
                for a in range(len(self.assets))
            ]
            for t in range(len(normals))
        ]

    def _second(  # noqa: PLR0915 - a second reads best in one piece
        self,
        now: int,
        number: int,
        shocks: Sequence[Shock],
        normal: Sequence[float],
        common: Sequence[float],
    ) -> Row:
        r, a, busy = self.regime, self.assets[number], season(now)

        # What comes from outside.
        kick = 0.6 * common[1] + 0.8 * normal[1]
        a.log_vol = wander(a.log_vol, r.vol_memory_s, r.vol_of_vol, kick)
        mine = [
            s
            for s in shocks
            if s.asset in {-1, number} and s.second <= now < s.second + s.duration_s
        ]
        move = math.fsum(s.move / s.duration_s for s in mine)
        a.log_vol = min(3.0, a.log_vol + sum(s.excitement for s in mine if s.second == now))
        fading = 1.0 + (a.deep - 1.0) * (1.0 - 1.0 / r.healing_s)
        a.deep = max([fading, 1.0, *(s.deep for s in mine)])
        vol = r.sigma_1s * busy * math.exp(a.log_vol)
        shared, own = math.sqrt(r.common_ratio), math.sqrt(1.0 - r.common_ratio)
        step = vol * (shared * common[0] + own * normal[0]) + move
        a.all.worth += step - r.overshoot_ratio * move
        a.all.perp += r.overshoot_ratio * move
        a.all.spot += r.overshoot_ratio * move

        # Engines.
        depth = r.depth_ratio * a.interest * math.exp(a.thin) * a.deep
        sold, sold_own = a.longs.sell(r.engine_ratio * depth, r.engine_s)
        bought, bought_own = a.shorts.sell(r.engine_ratio * depth, r.engine_s)

        # Those who leave in a hurry, and those who wait for them.
        a.leaving = wander(a.leaving, 7200.0, r.leaving_dev, normal[2])
        usual_speed = r.sigma_1s * busy * math.sqrt((1 / 20) / (2.0 - 1 / 20))
        a.hurry = 0.9 * a.hurry + 0.1 * (a.speed / usual_speed) ** 2
        too_fast = max(0.0, abs(a.speed) - 3.0 * usual_speed)
        left = min(0.002, r.leaving * math.exp(a.leaving) * too_fast) * a.interest
        panic = math.copysign(left * r.leaving_taker, a.speed)
        a.appetite = wander(a.appetite, 3600.0, r.appetite_dev, normal[3])

        # Impact: 1 % for the whole 1 % depth, at most 3 % by engines in a second.
        by_engines = max(-0.03, min(0.03, 0.01 * (bought - sold) / depth))
        impact = by_engines + 0.01 * panic / r.depth_ratio
        away = abs(a.all.perp)
        pull = r.dip_buying_per_s * math.exp(a.appetite) * away / 0.01
        fade = min(0.2, 1.0 / r.impact_memory_s + pull)
        for of, by in ((a.all, impact), (a.forced, by_engines)):
            moved = r.arbitrage_per_s * (of.perp - of.spot)
            of.push(by, r.permanent_ratio)
            of.pass_on(moved, r.spot_weight, fade)

        # Prices.
        perp = a.all.worth + a.all.perp + 2e-4 * a.lean + 2e-5 * normal[4]
        spot = a.all.worth + a.all.spot
        a.all.basis += (perp - spot - a.all.basis) / 30.0
        a.forced.basis += (a.forced.perp - a.forced.spot - a.forced.basis) / 30.0
        mark = spot + a.all.basis
        unforced = mark - a.forced.worth - a.forced.spot - a.forced.basis
        self._cross(a, mark, unforced)
        a.forced.worth *= 1.0 - 1.0 / 1800.0

        # Open interest and books.
        a.interest_drift = wander(a.interest_drift, r.interest_memory_s, r.interest_dev, normal[5])
        a.interest += (math.exp(a.interest_drift) - a.interest) / r.returning_s
        a.interest -= left + r.closing_ratio * (sold + bought)
        a.interest = max(0.05, a.interest)
        fragile = r.thinning * math.exp(-0.5 * a.appetite)
        goal = -fragile * math.log(max(1.0, a.hurry - 1.0))
        a.thin += 0.25 * (goal - a.thin) if goal < a.thin else -a.thin / r.healing_s
        a.thin = max(-4.0, a.thin)

        # What is remembered.
        a.speed += (step + impact - fade * a.all.perp - a.speed) / 20.0
        a.trend += (perp - a.trend) / (6 * 3600)
        a.lean = wander(a.lean, DAY_S, 1.0, normal[8])
        expected = 1e-4 + 2e-4 * a.lean + 0.02 * (perp - spot)
        a.funding_ratio += (expected - a.funding_ratio) / 3600.0
        if now % 60 == number % 60:
            self._open(a, mark, perp)

        turnover = r.turnover_per_s * busy * (0.5 + 0.5 * min(30.0, a.hurry))
        pressed = 0.25 * step / vol
        price = a.scale_usd * math.exp(perp)
        return {
            "perp": price,
            "spot": a.scale_usd * math.exp(spot),
            "mark": a.scale_usd * math.exp(mark),
            "interest": a.coins * a.interest,
            "forced_long": a.coins * sold,
            "forced_short": a.coins * bought,
            "endogenous_long": a.coins * sold_own,
            "endogenous_short": a.coins * bought_own,
            "depth_usd": 2.0 * a.coins * depth * price,
            "taker": a.coins * (bought - sold + panic + turnover * (0.3 * normal[6] + pressed)),
            "volume": a.coins * (bought + sold + left + turnover),
            "spot_taker": a.coins * 0.3 * turnover * (0.3 * normal[7] + pressed),
            "funding_ratio": a.funding_ratio,
            "stress": min(1.0, max(0.0, (a.hurry - 8.0) / 40.0)),
        }

    def _cross(self, a: Asset, mark: float, unforced: float) -> None:
        """Longs break in every bin that the mark leaves downwards, shorts upwards."""
        here = math.floor(mark / BIN)
        for place in range(a.mark_bin, here, -1):
            a.longs.hit(place, own=unforced > place * BIN)
        for place in range(a.mark_bin, here):
            a.shorts.hit(place, own=unforced < (place + 1) * BIN)
        a.mark_bin = here

    def _open(self, a: Asset, mark: float, perp: float) -> None:
        """Once a minute a part of positions is closed, and others are opened."""
        r = self.regime
        lean = math.tanh(r.crowding * (perp - a.trend) + 0.3 * a.lean)
        risk = r.at_risk_ratio * a.interest
        for side, sign in ((a.longs, 1.0), (a.shorts, -1.0)):
            for place in side.coins:
                side.coins[place] *= math.exp(-60.0 / r.holding_s)
            wanted = risk * (1.0 + sign * lean) - math.fsum(side.coins.values())
            new = max(0.0, min(wanted, 0.02 * risk / (1.0 + 0.1 * a.hurry)))
            for distance, weight in zip(self.distances, self.weights, strict=True):
                side.coins[math.floor((mark - sign * distance) / BIN)] += new * weight
