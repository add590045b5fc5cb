"""What is traded: contracts, their units, and the asset each of them belongs to.

One asset gathers its contracts over venues and quotes: BTCUSDT, BTCUSDC, BTCUSD_PERP and
BTC-USD-SWAP are all BTC. An `Instrument` carries what is needed to turn a venue's native
quantity into coins and US dollars; nothing else in the program knows a contract size.
"""

import enum
import math
from collections.abc import Iterable, Iterator

import msgspec

# Quotes counted as one US dollar. A later issue prices the stablecoins; until then a quote
# outside this set gives no USD notional rather than a wrong one.
USD_QUOTES = frozenset(
    {"USD", "USDT", "USDC", "USDE", "FDUSD", "BUSD", "TUSD", "USD1", "USDG", "DAI", "RLUSD"}
)


class Unit(enum.StrEnum):
    """What `quantity x contract_size` counts."""

    BASE = "base"  # units of the base coin (linear contracts, spot)
    QUOTE = "quote"  # money in the quote currency (inverse contracts)
    UNKNOWN = "unknown"  # neither: the instrument is not known, or is a quanto contract


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """One contract or spot pair of one venue.

    Attributes:
        venue: Registry name of the venue, e.g. "binance".
        product: The venue's own family: "usdm", "coinm", "linear", "inverse", "swap",
            "futures", "spot".
        symbol: The venue's own name of it.
        asset: Normalised base asset ("BTC", "PEPE"); empty when not known.
        quote: Currency of the price ("USDT"); empty when not known.
        settle: Currency of profit and loss; empty when not known.
        unit: What `quantity x contract_size` counts.
        contract_size: Size of one native unit of quantity, in `unit`.
        multiplier: Coins in one quoted unit of the base: 1000 for 1000PEPE. Prices are per
            quoted unit, so coins scale up by it and prices scale down.
        perpetual: Whether it never expires. Spot is not perpetual.
        funding_interval_s: Seconds between fundings; 0 when not known or not funded.
        tradfi: Whether the base is a stock, metal, currency or index rather than a coin.
    """

    venue: str
    product: str
    symbol: str
    asset: str = ""
    quote: str = ""
    settle: str = ""
    unit: Unit = Unit.UNKNOWN
    contract_size: float = 1.0
    multiplier: float = 1.0
    perpetual: bool = False
    funding_interval_s: int = 0
    tradfi: bool = False

    @property
    def known(self) -> bool:
        """Whether the venue's listing named this instrument."""
        return self.asset != ""

    @property
    def unknown_reason(self) -> str:
        """Why quantities of it cannot be turned into coins and dollars; empty if they can."""
        if not self.known:
            return "unknown_instrument"
        if self.unit is Unit.UNKNOWN:
            return "unit_not_convertible"
        if self.quote not in USD_QUOTES:
            return "quote_not_priced"
        return ""

    def coins(self, quantity: float, price: float) -> float:
        """Coins of `asset` in a native quantity; NaN when that is not known."""
        if self.unit is Unit.BASE:
            return quantity * self.contract_size * self.multiplier
        if self.unit is Unit.QUOTE and price > 0.0:
            return quantity * self.contract_size / price * self.multiplier
        return math.nan

    def notional_usd(self, quantity: float, price: float) -> float:
        """US dollars in a native quantity at a price; NaN when that is not known."""
        if self.quote not in USD_QUOTES:
            return math.nan
        if self.unit is Unit.BASE:
            return quantity * self.contract_size * price
        if self.unit is Unit.QUOTE:
            return quantity * self.contract_size
        return math.nan


class InstrumentTable:
    """The instruments of one venue by symbol, replaced product by product as listings arrive.

    Readers hold a reference to it, so a new listing is known to every open connection.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self._by_symbol: dict[str, Instrument] = {}

    def __len__(self) -> int:
        return len(self._by_symbol)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_symbol.values())

    def get(self, symbol: str) -> Instrument | None:
        """The instrument of that symbol, or None when the venue never listed it."""
        return self._by_symbol.get(symbol)

    def named(self, symbol: str, product: str) -> Instrument:
        """The instrument of that symbol, or one that says it is not known."""
        found = self._by_symbol.get(symbol)
        return found if found is not None else Instrument(self.venue, product, symbol)

    def replace(self, product: str, listed: Iterable[Instrument]) -> None:
        """Put a product's whole listing in place of the one before it."""
        kept = {s: i for s, i in self._by_symbol.items() if i.product != product}
        kept.update((instrument.symbol, instrument) for instrument in listed)
        self._by_symbol = kept
