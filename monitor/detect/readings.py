"""Readings: what stands in the arrays about one ladder, and the evidence of its verdicts.

The market's ladders rest on the lines of all watched assets; otherwise they are read as any.
"""

import math
from typing import Final

from kernels import flow, trend
from kernels.dtypes import MICRO_USD, WINDOWS_S
from monitor.detect.arrays import Arrays
from monitor.detect.confirmers import CONFIRMERS, Confirmation, rewave_probability
from monitor.detect.context import Context
from monitor.detect.episodes import Ladder
from monitor.detect.scale import Scales
from monitor.detect.verdict import Coverage, Evidence, State
from monitor.detect.watch import Watch
from monitor.events import Completeness, Position
from monitor.parameters import Parameters

TRIGGER_S: Final = 900
HALF_LIFE_S: Final = 60
MINUTE: Final = WINDOWS_S.index(60)
FIVE_MINUTES: Final = WINDOWS_S.index(300)
DAY: Final = WINDOWS_S.index(86_400)


class Readings:
    """Reads the arrays by ladder row; changes nothing.

    Attributes:
        market: Asset row of the market as a whole.
    """

    def __init__(
        self,
        watch: Watch,
        arrays: Arrays,
        scales: Scales,
        parameters: Parameters,
        classes: dict[str, Completeness],
    ) -> None:
        self.market = len(watch.assets)
        self._watch = watch
        self._arrays = arrays
        self._scales = scales
        self._parameters = parameters
        self._classes = classes

    def scale(self, row: int) -> float:
        """The ladder's own scale u, as a share of open interest."""
        return float(self._arrays.assets["scale"][row // 2])

    def lift(self, row: int) -> float:
        """What breadth adds to the level, in u; 0 for an asset."""
        return float(self._arrays.parts["lift"][row])

    def level(self, row: int) -> float:
        """Where the ladder stands against its tiers, in u."""
        return float(self._arrays.pressure["bucket"][row]) / self.scale(row) + self.lift(row)

    def largest_usd(self, row: int, second: int) -> float:
        """Largest order of the minute that ends with a second."""
        a, venues = self._arrays, len(self._watch.venues)
        orders = a.sums["orders"][:, MINUTE].tolist()
        most = 0
        for ladder in self._behind(row):
            for line in range(ladder * venues, (ladder + 1) * venues):
                if orders[line]:
                    most = max(most, flow.largest(second, line, 60, a.seconds, a.minutes))
        return most / MICRO_USD

    def trigger_move(self, row: int, position: Position, price: float, second: int) -> float:
        """Price move from the extreme of the quarter hour before onset to onset."""
        prices = self._arrays.prices[row // 2]
        held = len(prices)
        past = [float(prices[(second - back) % held]) for back in range(1, TRIGGER_S)]
        past = [value for value in past if value > 0.0]
        if not past or math.isnan(price):
            return math.nan
        extreme = max(past) if position is Position.LONG else min(past)
        return price / extreme - 1.0

    def evidence(
        self,
        row: int,
        ladder: Ladder,
        level: float,
        found: Confirmation,
        context: Context,
        second: int,
    ) -> Evidence:
        """The numbers of a verdict at this level; what is not known says why."""
        record = self._arrays.pressure[row]
        breadth = self._arrays.parts[2 * self.market + row % 2]
        is_market = row // 2 == self.market
        sign = -1.0 if ladder.position is Position.LONG else 1.0
        paused = ladder.state in {State.EXHAUSTING, State.EXHAUSTED}
        values = {
            "pressure_ratio": level - self.lift(row),
            "forced_60s_ratio": float(record["share_60s"]),
            "forced_ratio": float(record["share_total"]) - ladder.start_share,
            "forced_usd": (int(record["usd_total"]) - ladder.start_usd) / MICRO_USD,
            "largest_usd": ladder.largest_usd,
            "price": context.price,
            "trigger_move_ratio": ladder.trigger_move,
            "move_ratio": sign * ladder.adverse,
            "range_ratio": ladder.extreme,
            "seconds_since_extreme": float(ladder.since_extreme_s),
            "open_interest_base": math.nan if is_market else context.interest,
            "open_interest_change_5m_ratio": context.interest_change_5m,
            "open_interest_slope_ratio_per_s": context.interest_slope,
            "open_interest_age_s": context.interest_age_s,
            "price_z": found.price_z,
            "taker_z": found.taker_z,
            "basis_z": found.basis_z,
            "depth_ratio": context.depth_ratio,
            "half_life_s": trend.half_life(self._arrays.shares, row, second - 1, HALF_LIFE_S),
            "rewave_probability": (
                rewave_probability(ladder.since_extreme_s) if paused else math.nan
            ),
            "breadth_ratio": float(breadth["breadth_ratio"]),
            "breadth_assets": math.nan,
        }
        if not math.isnan(values["breadth_ratio"]):
            values["breadth_assets"] = float(breadth["breadth_assets"])
        unknown = {name: _why(name, context) for name, v in values.items() if not math.isfinite(v)}
        if not paused:
            unknown["rewave_probability"] = "not paused"
        if is_market:
            unknown["open_interest_base"] = "coins of different assets do not add up"
        if self.market < self._parameters.market_assets:
            unknown |= dict.fromkeys(("breadth_ratio", "breadth_assets"), self.no_market)
        return Evidence(
            scale_ratio=self.scale(row),
            baseline=self._scales.baseline(row // 2),
            orders=int(record["orders_total"]) - ladder.start_orders,
            venues={
                venue: micro_usd / MICRO_USD
                for venue, micro_usd in self.by_venue(row, "usd", FIVE_MINUTES).items()
                if micro_usd
            },
            confirmers=found.names,
            evaluable=found.evaluable,
            confirmers_of=len(CONFIRMERS),
            wave=ladder.wave,
            follows=ladder.follows,
            unknown=unknown,
            **values,
        )

    @property
    def no_market(self) -> str:
        """Why the watch list makes no market; empty when it does."""
        least = self._parameters.market_assets
        return f"fewer than {least} watched assets" if self.market < least else ""

    def coverage(self, row: int, missing: tuple[str, ...]) -> Coverage:
        """How complete the data behind a ladder is while these streams are missing."""
        classes = {venue: completeness.value for venue, completeness in self._classes.items()}
        # Totals may reach back to an onset hours ago, so the day's venues stand behind them.
        sampled = any(
            orders and self._classes[venue] is not Completeness.FULL
            for venue, orders in self.by_venue(row, "orders", DAY).items()
        )
        return Coverage(classes=classes, missing=missing, lower_bound=bool(missing) or sampled)

    def _behind(self, row: int) -> range:
        """Ladders whose lines stand behind a ladder: its own, or those of all watched assets."""
        if row // 2 == self.market:
            return range(row % 2, 2 * self.market, 2)
        return range(row, row + 1)

    def by_venue(self, row: int, field: str, window: int) -> dict[str, int]:
        """Sum of one window behind a ladder by venue."""
        venues = self._watch.venues
        sums = self._arrays.sums[field][:, window].tolist()
        return {
            venue: sum(sums[ladder * len(venues) + v] for ladder in self._behind(row))
            for v, venue in enumerate(venues)
        }


_NEEDS_PRICE: Final = frozenset(
    {"price", "trigger_move_ratio", "move_ratio", "range_ratio", "price_z"}
)
_WHY: Final = {
    "open_interest_slope_ratio_per_s": "too few changes of open interest",
    "depth_ratio": "no depth, or less than ten minutes of it",
    "half_life_s": "no forced flow that decays",
    "breadth_ratio": "no open interest",
    "breadth_assets": "no open interest",
}


def _why(name: str, context: Context) -> str:
    """Why a value is not known, in a few words."""
    if name in _NEEDS_PRICE and not context.price_fresh:
        return "no fresh price"
    if name.startswith("open_interest") and math.isnan(context.interest):
        return "no open interest"
    if name == "basis_z" and math.isnan(context.basis):
        return "no spot price"
    return _WHY.get(name, "history too short")
