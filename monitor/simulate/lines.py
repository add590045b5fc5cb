"""What venues quote, trade and state of a market: a line for each contract.

A market says what holds of its assets in a second; the lines make the events of all contracts
of it: quotes, books, trades, marks, open interest and funding, and orders of forced coins. Every
figure that shapes them stands at the top.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial

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
from monitor.simulate.contract import NS_PER_MS
from monitor.simulate.line import Line, Moment
from monitor.simulate.listing import FUNDING_INTERVAL_S, Asset, Contract, contracts

# How often each kind of event comes, in seconds, for majors and for the others.
TOP_EVERY_S = (1, 5)
BOOK_EVERY_S = (2, 6)
MARK_EVERY_S = (1, 5)
INTEREST_EVERY_S = 4
FUNDING_EVERY_S = 30
TRADES_PER_S = (1.5, 0.2)  # of a primary contract, when calm
SECONDARY_TRADES = 0.25  # trades of the other contracts, as a part of the primary's
SPOT_TRADES = 0.4
MOST_BUSY = 4.0  # times as many trades; where more is traded, trades are larger instead

FUNDING_NOISE = 1e-5

# Forced orders: their mean size as a part of the asset's open interest, the largest in means,
# and how far a contract's part of a second's forced coins is off its share (of its logarithm).
FORCED_SIZE = 3e-6
LARGEST_SIZE = 15.0
SPLIT_NOISE = 0.2

# The book: levels by venue, and how far they reach.
LEVELS = {"binance": 20, "bybit": 50, "okx": 20, "binance_spot": 20}
REACH_BP = 130.0

COMPLETENESS = {
    "binance": (Completeness.ONE_PER_SECOND, PriceBasis.AVERAGE),
    "bybit": (Completeness.FULL, PriceBasis.BANKRUPTCY),
    "okx": (Completeness.ONE_PER_SECOND, PriceBasis.BANKRUPTCY),
}


class Lines:
    """The lines of all contracts that a market lists."""

    def __init__(
        self, random: np.random.Generator, epoch_ns: int, assets: Sequence[Asset]
    ) -> None:
        self.all = tuple(
            Line(contract, asset, row, place)
            for place, (row, asset, contract) in enumerate(_listed(epoch_ns, assets))
        )
        self._random = random
        self._traded: dict[int, list[Line]] = {}
        for line in self.all:
            if line.contract.share > 0.0:
                self._traded.setdefault(line.row, []).append(line)

    def listing(self) -> Sequence[Instrument]:
        """Every instrument."""
        return [line.instrument for line in self.all]

    def traded(self, row: int) -> Sequence[Line]:
        """The contracts of one of the assets that can be forced."""
        return self._traded[row]

    def second(
        self, index: int, start_ns: int, moments: Sequence[Moment]
    ) -> Iterator[MarketEvent]:
        """What is quoted, traded and stated in a second, in no order.

        Args:
            index: Which second; the first one states everything.
            start_ns: Market time at which it begins.
            moments: What holds of each asset, in the assets' order.
        """
        noise = self._random.standard_normal((len(self.all), 2)).tolist()
        for line, (basis, interest) in zip(self.all, noise, strict=True):
            line.follow(moments[line.row], basis, interest)
        for line in self.all:
            moment = moments[line.row]
            if line.asset.watched:
                yield from self._quotes(line, index, start_ns, moment)
                yield from self._trades(line, start_ns, moment)
            elif line.every(index, (MARK_EVERY_S[1], MARK_EVERY_S[1])):
                yield _mark(line, start_ns)
            if line.contract.share > 0.0:
                yield from self._standing(line, index, start_ns, moment)

    def forced(
        self, row: int, position: Position, coins: float, start_ns: int
    ) -> Iterator[Liquidation]:
        """The orders of an asset's forced coins of a second.

        Each contract gets its share, more or less, and makes orders of it; what is too little
        for an order is kept for later.
        """
        for line in self._traded[row]:
            noise = math.exp(SPLIT_NOISE * self._normal() - 0.5 * SPLIT_NOISE**2)
            line.owe(position, coins * line.contract.share * noise)
            for size in line.due(position, partial(self.size_base, line.asset, FORCED_SIZE)):
                yield self.order(line, position, size, start_ns)

    def order(self, line: Line, position: Position, coins: float, start_ns: int) -> Liquidation:
        """A forced order, somewhere in the second."""
        slip = 10e-4 * self._uniform() * (-1.0 if position is Position.LONG else 1.0)
        price = line.price(line.mid * (1.0 + slip))
        native = line.lots(coins, price)
        completeness, basis = COMPLETENESS[line.instrument.venue]
        stamp = self._stamp(start_ns)
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

    def size_base(self, asset: Asset, mean: float) -> float:
        """Coins of a forced order: a few are many times the mean, a part of open interest."""
        factor = min(LARGEST_SIZE, math.exp(self._normal() - 0.5))
        return asset.open_interest_base * mean * factor

    def _normal(self) -> float:
        return float(self._random.standard_normal())

    def _uniform(self) -> float:
        return float(self._random.random())

    def _stamp(self, start_ns: int) -> int:
        """A whole millisecond somewhere in the second; the wire knows nothing finer."""
        return start_ns + int(self._uniform() * 999.0) * NS_PER_MS

    def _size_base(self, line: Line) -> float:
        """Coins that usually stand at the top of the book, or change hands at once."""
        usual = line.asset.open_interest_base * line.share
        return usual * 4e-6 * math.exp(0.8 * self._normal())

    def _quotes(
        self, line: Line, index: int, start_ns: int, moment: Moment
    ) -> Iterator[MarketEvent]:
        if not line.spot and line.every(index, MARK_EVERY_S):
            yield _mark(line, start_ns)
        if line.every(index, TOP_EVERY_S):
            bid, ask = line.top()
            sizes = [
                line.instrument.coins(line.lots(self._size_base(line), price), price)
                for price in (bid, ask)
            ]
            stamp = self._stamp(start_ns)
            yield BookTop(line.instrument, stamp, stamp, bid, sizes[0], ask, sizes[1])
        listed = line.contract.primary and line.instrument.venue in LEVELS
        if listed and line.every(index, BOOK_EVERY_S):
            yield self._book(line, start_ns, moment)

    def _book(self, line: Line, start_ns: int, moment: Moment) -> Book:
        """Both sides on a grid of prices that stays where it is while the price moves."""
        count = LEVELS[line.instrument.venue]
        grid = max(line.tick, line.price(line.asset.price * line.instrument.multiplier
                                         * REACH_BP * 1e-4 / (count - 1)))  # fmt: skip
        each = moment.depth_base * line.share * REACH_BP / 100.0 / count
        sides = []
        for top, step in zip(line.top(), (-1, 1), strict=True):
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

    def _standing(
        self, line: Line, index: int, start_ns: int, moment: Moment
    ) -> Iterator[MarketEvent]:
        """Open interest and funding: what stands rather than happens."""
        if line.every(index, (INTEREST_EVERY_S, INTEREST_EVERY_S)):
            price = line.price(line.mid)
            native = line.lots(line.interest_base(moment), price)
            coins = line.instrument.coins(native, price)
            stamp = self._stamp(start_ns)
            yield OpenInterest(line.instrument, stamp, stamp, native, coins)
        if line.instrument.perpetual and line.every(index, (FUNDING_EVERY_S, FUNDING_EVERY_S)):
            interval_ns = FUNDING_INTERVAL_S * NS
            due_ns = (start_ns // interval_ns + 1) * interval_ns
            rate = round(moment.funding_ratio + FUNDING_NOISE * self._normal(), 8)
            yield Funding(line.instrument, start_ns, start_ns, rate, FUNDING_INTERVAL_S, due_ns)

    def _trades(self, line: Line, start_ns: int, moment: Moment) -> Iterator[Trade]:
        part = SPOT_TRADES if line.spot else 1.0 if line.contract.primary else SECONDARY_TRADES
        busy = min(MOST_BUSY, moment.busy_ratio)
        larger = moment.busy_ratio / busy
        count = self._random.poisson(TRADES_PER_S[0 if line.asset.major else 1] * part * busy)
        bid, ask = line.top()
        chance = moment.spot_bought_ratio if line.spot else moment.bought_ratio
        for _ in range(count):
            bought = self._uniform() < chance
            price = ask if bought else bid
            native = line.lots(larger * self._size_base(line), price)
            coins = line.instrument.coins(native, price)
            stamp = self._stamp(start_ns)
            yield Trade(line.instrument, stamp, stamp, price, native, coins, bought)


def _listed(epoch_ns: int, assets: Sequence[Asset]) -> Iterator[tuple[int, Asset, Contract]]:
    rows = {asset.name: row for row, asset in enumerate(assets)}
    for contract in contracts(epoch_ns, assets):
        row = rows[contract.instrument.asset]
        yield row, assets[row], contract


def _mark(line: Line, start_ns: int) -> Mark:
    mark, index = line.price(line.mark), line.price(line.index)
    return Mark(line.instrument, start_ns, start_ns, mark, index)
