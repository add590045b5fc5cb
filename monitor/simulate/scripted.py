"""A market that follows a script, second by second; the same seed gives the same events.

Prices wander a little, takers come and go, a few small orders are forced everywhere all the
time, and cascades happen when the script says so. Every figure that shapes the market stands
at the top; those of a cascade stand in `cascade`.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from monitor.clock import NS
from monitor.events import (
    Book,
    BookTop,
    Completeness,
    Funding,
    Liquidation,
    Mark,
    MarketEvent,
    OpenInterest,
    Position,
    PriceBasis,
    Trade,
)
from monitor.instruments import Instrument
from monitor.simulate.cascade import LENGTH_S, NOTHING, TOTAL_FLOW, Cascade, Effect
from monitor.simulate.listing import FUNDING_INTERVAL_S, Asset, Contract, contracts
from monitor.simulate.contract import NS_PER_MS, Truth

# How often each kind of event comes, in seconds, for majors and for the others.
TOP_EVERY_S = (1, 5)
BOOK_EVERY_S = (2, 6)
MARK_EVERY_S = (1, 5)
INTEREST_EVERY_S = 4
FUNDING_EVERY_S = 30
TRADES_PER_S = (1.5, 0.2)  # of a primary contract
SECONDARY_TRADES = 0.25  # trades of the other contracts, as a part of the primary's
SPOT_TRADES = 0.4

# How strongly prices move together, how slowly they come back, how much others share a fall.
COMMON = 0.5
REVERSION_PER_S = 1.0 / 600.0
SPILL = 0.35
BASIS_NOISE_BP = 0.3
SPREAD_BP = 0.6

# Open interest wanders by this ratio around its level, and forgets within so many seconds.
INTEREST_NOISE = 1e-4
INTEREST_MEMORY_S = 10.0

# Small forced orders everywhere: orders a second of each contract, and their mean size as a
# part of the asset's open interest. They must stay far below any tier.
BACKGROUND_PER_S = 0.007
BACKGROUND_SIZE = 1.5e-6
FORCED_SIZE = 3e-6  # mean size of an order in a cascade, likewise
LARGEST_SIZE = 15.0  # times the mean

# The book: levels by venue, how far they reach, and dollars within 100 bp on one side, as a
# part of the contract's open interest.
LEVELS = {"binance": 20, "bybit": 50, "okx": 20, "binance_spot": 20}
REACH_BP = 130.0
DEPTH_OF_INTEREST = 1.5e-3
SPOT_OF_PERP = 0.25  # size of spot trades and tops, as a part of the primary perpetual's

COMPLETENESS = {
    "binance": (Completeness.ONE_PER_SECOND, PriceBasis.AVERAGE),
    "bybit": (Completeness.FULL, PriceBasis.BANKRUPTCY),
    "okx": (Completeness.ONE_PER_SECOND, PriceBasis.BANKRUPTCY),
}


class _Line:
    """The moving state of one contract."""

    def __init__(self, contract: Contract, asset: Asset, place: int) -> None:
        self.contract = contract
        self.instrument = contract.instrument
        self.asset = asset
        self.place = place  # spreads the contracts' cadences over the seconds
        self.tick = 10.0**-contract.price_decimals
        self.spot = contract.instrument.product == "spot"
        self.interest_noise = 0.0
        self.mid = 0.0
        self.index = 0.0
        self.due_base = 0.0  # forced coins that have not become an order yet
        self.next_base = 0.0  # size of the order to come
        self.levels: dict[int, float] = {}  # prices of the book's grid, by place

    def every(self, index: int, cadence: tuple[int, int]) -> bool:
        """Whether this second is one of this contract's, majors first."""
        fast = self.asset.major and self.contract.primary
        return index == 0 or (index + self.place) % cadence[0 if fast else 1] == 0

    def price(self, value: float) -> float:
        return round(value, self.contract.price_decimals)

    def level(self, place: int, grid: float) -> float:
        """A price on the contract's one grid; the same few come again and again."""
        known = self.levels.get(place)
        if known is None:
            known = self.levels[place] = self.price(place * grid)
        return known

    def lots(self, coins: float, price: float) -> float:
        """A native quantity near to so many coins, at least one lot."""
        one = self.instrument.coins(1.0, price)
        least = 10.0**-self.contract.lot_decimals
        return max(least, round(coins / one, self.contract.lot_decimals))


class ScriptedMarket:
    """A market that follows a script; see the module."""

    def __init__(
        self,
        seed: int,
        epoch_ns: int,
        assets: Sequence[Asset],
        cascades: Sequence[Cascade] = (),
    ) -> None:
        self.epoch_ns = epoch_ns
        self._random = np.random.default_rng(seed)
        self._assets = tuple(assets)
        self._cascades = tuple(cascades)
        self._forced_usd = [0.0] * len(cascades)
        by_name = {asset.name: asset for asset in assets}
        self._lines = tuple(
            _Line(contract, by_name[contract.instrument.asset], place)
            for place, contract in enumerate(contracts(epoch_ns, assets))
        )
        self._drift = {asset.name: 0.0 for asset in assets}
        self._effects: dict[str, Effect] = {}

    def listing(self) -> Sequence[Instrument]:
        """Everything listed, over all venues and products."""
        return [line.instrument for line in self._lines]

    def truth(self) -> Sequence[Truth]:
        """The cascades of the script, with what they forced so far."""
        return [
            Truth(
                cascade.asset,
                cascade.position,
                self.epoch_ns + cascade.onset_s * NS,
                self.epoch_ns + (cascade.onset_s + LENGTH_S) * NS,
                forced_usd,
            )
            for cascade, forced_usd in zip(self._cascades, self._forced_usd, strict=True)
        ]

    def second(self, index: int) -> Sequence[MarketEvent]:
        """The events of one second, in order of time."""
        start_ns = self.epoch_ns + index * NS
        self._move(index)
        events: list[MarketEvent] = []
        for line in self._lines:
            if line.asset.watched:
                events += self._quotes(line, index, start_ns)
                events += self._trades(line, start_ns)
            elif line.every(index, (MARK_EVERY_S[1], MARK_EVERY_S[1])):
                events.append(self._mark(line, start_ns))
            if line.contract.share > 0.0:
                events += self._standing(line, index, start_ns)
        forced = [*self._background(start_ns), *self._cascade_orders(index, start_ns)]
        self._account(forced)
        events += forced
        events.sort(key=lambda event: event.event_ns)
        return events

    def _normal(self) -> float:
        return float(self._random.standard_normal())

    def _uniform(self) -> float:
        return float(self._random.random())

    def _stamp(self, start_ns: int) -> int:
        """A whole millisecond somewhere in the second; the wire knows nothing finer."""
        return start_ns + int(self._uniform() * 999.0) * NS_PER_MS

    def _move(self, index: int) -> None:
        """Bring every price and the level of open interest to this second."""
        common = self._normal()
        falls = 0.0
        self._effects = {}
        for cascade in self._cascades:
            effect = cascade.effect(index)
            sign = -1.0 if cascade.position is Position.LONG else 1.0
            falls += sign * effect.price
            before = self._effects.get(cascade.asset, NOTHING)
            self._effects[cascade.asset] = Effect(
                before.price + sign * effect.price,
                before.basis_bp + sign * effect.basis_bp,
                before.depth * effect.depth,
                before.interest * effect.interest,
                before.taker + sign * effect.taker,
                0.0,
            )
        for asset in self._assets:
            step = COMMON * common + math.sqrt(1.0 - COMMON**2) * self._normal()
            drift = self._drift[asset.name] * (1.0 - REVERSION_PER_S)
            self._drift[asset.name] = drift + step * asset.sigma_bp * 1e-4
        forget = 1.0 / INTEREST_MEMORY_S
        for line in self._lines:
            name, scale = line.asset.name, line.instrument.multiplier
            effect = self._effects.get(name, NOTHING)
            moved = effect.price if name in self._effects else SPILL * falls
            line.index = line.asset.price * scale * math.exp(self._drift[name] + moved)
            basis_bp = BASIS_NOISE_BP * self._normal()
            basis_bp += 0.0 if line.spot else effect.basis_bp
            line.mid = line.index * (1.0 + basis_bp * 1e-4)
            shock = math.sqrt(2.0 * forget) * INTEREST_NOISE * self._normal()
            line.interest_noise += shock - forget * line.interest_noise

    def _interest_base(self, line: _Line) -> float:
        level = self._effects.get(line.asset.name, NOTHING).interest
        whole = line.asset.open_interest_base * line.contract.share
        return whole * level * (1.0 + line.interest_noise)

    def _size_base(self, line: _Line) -> float:
        """Coins that usually stand at the top of the book, or change hands at once."""
        share = line.contract.share or 0.5 * SPOT_OF_PERP
        return line.asset.open_interest_base * share * 4e-6 * math.exp(0.8 * self._normal())

    def _top(self, line: _Line) -> tuple[float, float]:
        half = 0.5 * SPREAD_BP * 1e-4 * line.mid
        bid = line.price(line.mid - half)
        return bid, max(line.price(line.mid + half), line.price(bid + line.tick))

    def _mark(self, line: _Line, start_ns: int) -> Mark:
        mark, index = line.price(line.mid), line.price(line.index)
        return Mark(line.instrument, start_ns, start_ns, mark, index)

    def _quotes(self, line: _Line, index: int, start_ns: int) -> Iterator[MarketEvent]:
        if not line.spot and line.every(index, MARK_EVERY_S):
            yield self._mark(line, start_ns)
        if line.every(index, TOP_EVERY_S):
            bid, ask = self._top(line)
            sizes = [
                line.instrument.coins(line.lots(self._size_base(line), price), price)
                for price in (bid, ask)
            ]
            stamp = self._stamp(start_ns)
            yield BookTop(line.instrument, stamp, stamp, bid, sizes[0], ask, sizes[1])
        listed = line.contract.primary and line.instrument.venue in LEVELS
        if listed and line.every(index, BOOK_EVERY_S):
            yield self._book(line, start_ns)

    def _book(self, line: _Line, start_ns: int) -> Book:
        """Both sides on a grid of prices that stays where it is while the price moves."""
        count = LEVELS[line.instrument.venue]
        grid = max(line.tick, line.price(line.asset.price * line.instrument.multiplier
                                         * REACH_BP * 1e-4 / (count - 1)))  # fmt: skip
        thin = self._effects.get(line.asset.name, NOTHING).depth
        share = line.contract.share or 0.5 * SPOT_OF_PERP
        whole = DEPTH_OF_INTEREST * line.asset.open_interest_base * share * thin
        each = whole * REACH_BP / 100.0 / count
        sides = []
        for top, step in zip(self._top(line), (-1, 1), strict=True):
            first = math.floor(top / grid) if step < 0 else math.ceil(top / grid)
            prices = [top, *(line.level(first + step * k, grid) for k in range(1, count))]
            noise = np.exp(0.25 * self._random.standard_normal(count))
            one = line.instrument.coins(1.0, line.mid)
            lots = np.round(each / one * noise, line.contract.lot_decimals)
            least = 10.0**-line.contract.lot_decimals
            coins = np.maximum(lots, least) * one
            sides.append(tuple(zip(prices, coins.tolist(), strict=True)))
        stamp = self._stamp(start_ns)
        return Book(line.instrument, stamp, stamp, sides[0], sides[1])

    def _standing(self, line: _Line, index: int, start_ns: int) -> Iterator[MarketEvent]:
        """Open interest and funding: what stands rather than happens."""
        if index == 0 or (index + line.place) % INTEREST_EVERY_S == 0:
            price = line.price(line.mid)
            native = line.lots(self._interest_base(line), price)
            coins = line.instrument.coins(native, price)
            stamp = self._stamp(start_ns)
            yield OpenInterest(line.instrument, stamp, stamp, native, coins)
        funded = line.instrument.perpetual
        if funded and (index == 0 or (index + line.place) % FUNDING_EVERY_S == 0):
            interval_ns = FUNDING_INTERVAL_S * NS
            due_ns = (start_ns // interval_ns + 1) * interval_ns
            rate = round(1e-4 + 1e-5 * self._normal(), 8)
            yield Funding(line.instrument, start_ns, start_ns, rate, FUNDING_INTERVAL_S, due_ns)

    def _trades(self, line: _Line, start_ns: int) -> Iterator[Trade]:
        effect = self._effects.get(line.asset.name, NOTHING)
        part = SPOT_TRADES if line.spot else 1.0 if line.contract.primary else SECONDARY_TRADES
        busy = 1.0 + 2.0 * abs(effect.taker)
        count = self._random.poisson(TRADES_PER_S[0 if line.asset.major else 1] * part * busy)
        bid, ask = self._top(line)
        for _ in range(count):
            bought = self._uniform() < 0.5 * (1.0 + effect.taker)
            price = ask if bought else bid
            native = line.lots(self._size_base(line), price)
            coins = line.instrument.coins(native, price)
            stamp = self._stamp(start_ns)
            yield Trade(line.instrument, stamp, stamp, price, native, coins, bought)

    def _forced(self, line: _Line, position: Position, coins: float, stamp: int) -> Liquidation:
        slip = 10e-4 * self._uniform() * (-1.0 if position is Position.LONG else 1.0)
        price = line.price(line.mid * (1.0 + slip))
        native = line.lots(coins, price)
        completeness, basis = COMPLETENESS[line.instrument.venue]
        return Liquidation(
            line.instrument,
            position,
            stamp,
            stamp,
            native,
            line.instrument.coins(native, price),
            line.instrument.notional_usd(native, price),
            price,
            basis,
            completeness,
        )

    def _order_base(self, asset: Asset, mean: float) -> float:
        """Coins of a forced order: a few are many times the mean."""
        factor = min(LARGEST_SIZE, math.exp(self._normal() - 0.5))
        return asset.open_interest_base * mean * factor

    def _background(self, start_ns: int) -> Iterator[Liquidation]:
        open_lines = [line for line in self._lines if line.contract.share > 0.0]
        for _ in range(self._random.poisson(BACKGROUND_PER_S * len(open_lines))):
            line = open_lines[int(self._random.integers(len(open_lines)))]
            position = Position.LONG if self._uniform() < 0.5 else Position.SHORT  # noqa: PLR2004 - as many of both
            coins = self._order_base(line.asset, BACKGROUND_SIZE)
            yield self._forced(line, position, coins, self._stamp(start_ns))

    def _cascade_orders(self, index: int, start_ns: int) -> Iterator[Liquidation]:
        for cascade in self._cascades:
            level = cascade.effect(index).flow
            if level == 0.0:
                continue
            for line in self._lines:
                if line.asset.name != cascade.asset or line.contract.share == 0.0:
                    continue
                whole = cascade.forced_ratio * line.asset.open_interest_base
                rate = whole * line.contract.share * level / TOTAL_FLOW
                line.due_base += rate * math.exp(0.2 * self._normal() - 0.02)
                while line.due_base >= line.next_base:
                    if line.next_base > 0.0:
                        line.due_base -= line.next_base
                        stamp = self._stamp(start_ns)
                        yield self._forced(line, cascade.position, line.next_base, stamp)
                    line.next_base = self._order_base(line.asset, FORCED_SIZE)

    def _account(self, forced: Sequence[Liquidation]) -> None:
        """Add the second's forced orders to the truth they belong to."""
        for place, truth in enumerate(self.truth()):
            self._forced_usd[place] += math.fsum(
                order.notional_usd
                for order in forced
                if order.instrument.asset == truth.asset
                and order.position is truth.position
                and truth.onset_ns <= order.event_ns < truth.end_ns
            )
