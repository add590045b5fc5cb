"""One contract of a simulated market: its prices, its open interest, and its orders to come.

A market says what holds of an asset in a second; a line follows that for one contract, and
prints its numbers as the venue prints them.
"""

import math
from collections.abc import Callable, Iterator

import msgspec

from monitor.events import Position
from monitor.simulate.listing import Asset, Contract

SPREAD_BP = 0.6
BASIS_NOISE_BP = 0.3
SPOT_OF_PERP = 0.25  # size of spot trades and books, as a part of the primary perpetual's

# Open interest wanders by this ratio around its level, and forgets within so many seconds.
INTEREST_NOISE = 1e-4
INTEREST_MEMORY_S = 10.0


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What holds of an asset in one second, over all its contracts.

    Attributes:
        perp_usd, spot_usd, mark_usd: Prices of a coin.
        interest_base: Open interest, coins.
        depth_base: Coins in the perpetuals' books within 1 %, on one side.
        busy_ratio: What is traded, over a calm second's.
        bought_ratio: Part of the perpetuals' trades whose taker buys.
        spot_bought_ratio: The same of spot.
        funding_ratio: Funding of eight hours.
    """

    perp_usd: float
    spot_usd: float
    mark_usd: float
    interest_base: float
    depth_base: float
    busy_ratio: float = 1.0
    bought_ratio: float = 0.5
    spot_bought_ratio: float = 0.5
    funding_ratio: float = 1e-4


class Line:
    """The moving state of one contract.

    Attributes:
        contract, instrument: Which.
        asset: Whose, and `row` which of the market's assets that is.
        mid, mark, index: Prices of a unit in this second.
    """

    def __init__(self, contract: Contract, asset: Asset, row: int, place: int) -> None:
        self.contract = contract
        self.instrument = contract.instrument
        self.asset = asset
        self.row = row
        self.mid = self.mark = self.index = 0.0
        self.spot = contract.instrument.product == "spot"
        self.tick = 10.0**-contract.price_decimals
        self._place = place  # spreads the contracts' cadences over the seconds
        self._interest_off = 0.0
        self._due: dict[Position, float] = {}  # forced coins that are no order yet
        self._next: dict[Position, float] = {}  # size of the order to come
        self._levels: dict[int, float] = {}  # prices of the book's grid, by place

    @property
    def share(self) -> float:
        """Its part of what perpetuals trade; spot pairs trade less."""
        return self.contract.share or 0.5 * SPOT_OF_PERP

    def every(self, index: int, cadence: tuple[int, int]) -> bool:
        """Whether this second is one of this contract's, majors first."""
        fast = self.asset.major and self.contract.primary
        return index == 0 or (index + self._place) % cadence[0 if fast else 1] == 0

    def follow(self, moment: Moment, basis: float, interest: float) -> None:
        """Go where the asset has gone; `basis` and `interest` are standard normal noise."""
        scale = self.instrument.multiplier
        off = 1.0 + BASIS_NOISE_BP * 1e-4 * basis
        self.index = moment.spot_usd * scale
        self.mid = (moment.spot_usd if self.spot else moment.perp_usd) * scale * off
        self.mark = moment.mark_usd * scale * off
        forget = 1.0 / INTEREST_MEMORY_S
        shock = math.sqrt(2.0 * forget) * INTEREST_NOISE * interest
        self._interest_off += shock - forget * self._interest_off

    def interest_base(self, moment: Moment) -> float:
        """Coins of its open interest, as it states them now."""
        return moment.interest_base * self.contract.share * (1.0 + self._interest_off)

    def price(self, value: float) -> float:
        """A price as it is printed."""
        return round(value, self.contract.price_decimals)

    def top(self) -> tuple[float, float]:
        """Best bid and ask."""
        half = 0.5 * SPREAD_BP * 1e-4 * self.mid
        bid = self.price(self.mid - half)
        return bid, max(self.price(self.mid + half), self.price(bid + self.tick))

    def level(self, place: int, grid: float) -> float:
        """A price on the contract's one grid; the same few come again and again."""
        known = self._levels.get(place)
        if known is None:
            known = self._levels[place] = self.price(place * grid)
        return known

    def lots(self, coins: float, price: float) -> float:
        """A native quantity near to so many coins, at least one lot."""
        one = self.instrument.coins(1.0, price)
        least = 10.0**-self.contract.lot_decimals
        return max(least, round(coins / one, self.contract.lot_decimals))

    def owe(self, position: Position, coins: float) -> None:
        """Take so many forced coins, to be made orders of."""
        self._due[position] = self._due.get(position, 0.0) + coins

    def due(self, position: Position, draw: Callable[[], float]) -> Iterator[float]:
        """The orders that come of the coins taken: their sizes, drawn one after another."""
        size = self._next.get(position) or draw()
        while self._due[position] >= size:
            self._due[position] -= size
            yield size
            size = draw()
        self._next[position] = size
