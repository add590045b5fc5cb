"""What the simulated market lists: assets, and their contracts on the three venues.

Prices and open interest are of the right order for late 2026; nothing here is a quotation.
Every contract is an `Instrument` exactly as the venue's own listing would describe it, with the
little more that the market needs to make its numbers: its part of the asset's open interest,
and the decimals its prices and quantities are printed with.
"""

import datetime as dt
import math
from collections.abc import Sequence

import msgspec

from monitor.clock import NS
from monitor.instruments import Instrument, Unit

FUNDING_INTERVAL_S = 8 * 3600


class Asset(msgspec.Struct, frozen=True):
    """One asset at the start of the market.

    Attributes:
        name: Normalised name.
        price: US dollars a coin.
        open_interest_base: Coins of open interest over all venues, one-sided.
        sigma_bp: Standard deviation of its price in one second, basis points.
        major: Whether it trades and is quoted several times as often as the others.
        coin_margined: Whether it has inverse contracts too.
        dated: Whether it has contracts that expire at the end of the quarter.
        watched: Whether books, trades and spot pairs of it are simulated. The others only
            have forced orders, as symbols off a watch list do.
        thousands: Whether Binance and Bybit quote it by the thousand (1000PEPE).
        okx_size: Coins in one OKX contract.
    """

    name: str
    price: float
    open_interest_base: float
    sigma_bp: float = 1.1
    major: bool = False
    coin_margined: bool = False
    dated: bool = False
    watched: bool = True
    thousands: bool = False
    okx_size: float = 1.0


WATCHED = (
    Asset("BTC", 84_000.0, 200_000.0, 0.8, True, True, True, okx_size=0.01),
    Asset("ETH", 2_900.0, 4_200_000.0, 1.0, True, True, True, okx_size=0.1),
    Asset("SOL", 135.0, 18_000_000.0, 1.2, True),
    Asset("XRP", 2.1, 700_000_000.0, okx_size=100.0),
    Asset("DOGE", 0.15, 5_500_000_000.0, okx_size=1000.0),
    Asset("BNB", 870.0, 900_000.0, okx_size=0.01),
    Asset("ADA", 0.42, 700_000_000.0, okx_size=100.0),
    Asset("AVAX", 14.0, 22_000_000.0),
    Asset("LINK", 13.0, 25_000_000.0),
    Asset("SUI", 1.5, 180_000_000.0),
    Asset("LTC", 85.0, 3_500_000.0),
    Asset("BCH", 550.0, 350_000.0, okx_size=0.1),
    Asset("DOT", 2.3, 75_000_000.0),
    Asset("TRX", 0.28, 450_000_000.0, okx_size=1000.0),
    Asset("NEAR", 1.9, 90_000_000.0, okx_size=10.0),
    Asset("APT", 1.8, 55_000_000.0),
    Asset("ARB", 0.21, 420_000_000.0, okx_size=10.0),
    Asset("OP", 0.32, 210_000_000.0),
    Asset("UNI", 6.0, 32_000_000.0),
    Asset("PEPE", 0.0000045, 22e12, 1.4, thousands=True, okx_size=10_000_000.0),
)
OTHERS = (
    Asset("WIF", 0.4, 120_000_000.0, watched=False),
    Asset("TIA", 0.6, 70_000_000.0, watched=False),
    Asset("SEI", 0.13, 300_000_000.0, watched=False, okx_size=10.0),
    Asset("INJ", 5.0, 9_000_000.0, watched=False, okx_size=0.1),
    Asset("FIL", 1.5, 40_000_000.0, watched=False, okx_size=0.1),
)


class Contract(msgspec.Struct, frozen=True):
    """One contract or spot pair, and what the market needs to know of it.

    `share` is its part of the asset's open interest (0 for spot); `primary` says that it is
    the venue's main contract of the asset; `lot_decimals` belong to native quantities.
    """

    instrument: Instrument
    share: float
    primary: bool
    price_decimals: int
    lot_decimals: int


def quarter_end(epoch_ns: int) -> dt.datetime:
    """08:00 UTC of the last Friday of the quarter that is at least a week away."""
    soonest = dt.datetime.fromtimestamp(epoch_ns / NS, dt.UTC)
    soonest += dt.timedelta(days=7)
    month = 3 * ((soonest.month + 2) // 3)
    while True:
        year = soonest.year + (month - 1) // 12
        next_year, next_month = (year + 1, 1) if month % 12 == 0 else (year, month % 12 + 1)
        last = dt.datetime(next_year, next_month, 1, 8, tzinfo=dt.UTC) - dt.timedelta(days=1)
        friday = last - dt.timedelta(days=(last.weekday() - 4) % 7)
        if friday >= soonest:
            return friday
        month += 3


def contracts(epoch_ns: int, assets: Sequence[Asset]) -> tuple[Contract, ...]:
    """Everything listed on Binance, Bybit and OKX for these assets, shares adding up to one."""
    expiry = quarter_end(epoch_ns).strftime("%y%m%d")
    return tuple(contract for asset in assets for contract in _of_asset(asset, expiry))


def _of_asset(asset: Asset, expiry: str) -> list[Contract]:
    listed = _linear(asset)
    if asset.coin_margined:
        listed += _inverse(asset)
    if asset.dated:
        listed += _dated(asset, expiry)
    total = sum(contract.share for contract in listed)
    listed = [msgspec.structs.replace(c, share=c.share / total) for c in listed]
    return listed + _spot(asset) if asset.watched else listed


def _linear(asset: Asset) -> list[Contract]:
    base, size = asset.name, 1000.0 if asset.thousands else 1.0
    symbol = ("1000" if asset.thousands else "") + base
    listed = [
        _make(asset, 0.50, "binance", "usdm", f"{symbol}USDT", "USDT", multiplier=size),
        _make(asset, 0.30, "bybit", "linear", f"{symbol}USDT", "USDT", multiplier=size),
        _make(asset, 0.20, "okx", "swap", f"{base}-USDT-SWAP", "USDT", contract=asset.okx_size),
    ]
    if asset.coin_margined:
        listed.append(_make(asset, 0.04, "binance", "usdm", f"{base}USDC", "USDC", primary=False))
    return listed


def _inverse(asset: Asset) -> list[Contract]:
    base = asset.name
    dollars = 100.0 if base == "BTC" else 10.0
    return [
        _make(asset, 0.08, "binance", "coinm", f"{base}USD_PERP", "USD", inverse=dollars),
        _make(asset, 0.04, "bybit", "inverse", f"{base}USD", "USD", inverse=1.0),
        _make(asset, 0.03, "okx", "swap", f"{base}-USD-SWAP", "USD", inverse=dollars),
    ]


def _dated(asset: Asset, expiry: str) -> list[Contract]:
    base, size = asset.name, asset.okx_size
    dollars = 100.0 if base == "BTC" else 10.0
    usdm, coinm, okx = f"{base}USDT_{expiry}", f"{base}USD_{expiry}", f"{base}-USDT-{expiry}"
    return [
        _make(asset, 0.01, "binance", "usdm", usdm, "USDT", dated=True),
        _make(asset, 0.01, "binance", "coinm", coinm, "USD", inverse=dollars, dated=True),
        _make(asset, 0.01, "okx", "futures", okx, "USDT", contract=size, dated=True),
    ]


def _spot(asset: Asset) -> list[Contract]:
    base = asset.name
    return [
        _make(asset, 0.0, "binance_spot", "spot", f"{base}USDT", "USDT"),
        _make(asset, 0.0, "bybit_spot", "spot", f"{base}USDT", "USDT"),
        _make(asset, 0.0, "okx_spot", "spot", f"{base}-USDT", "USDT"),
    ]


def _make(
    asset: Asset,
    share: float,
    venue: str,
    product: str,
    symbol: str,
    quote: str,
    *,
    contract: float = 1.0,
    multiplier: float = 1.0,
    inverse: float = 0.0,
    dated: bool = False,
    primary: bool = True,
) -> Contract:
    perpetual = product != "spot" and not dated
    instrument = Instrument(
        venue=venue,
        product=product,
        symbol=symbol,
        asset=asset.name,
        quote=quote,
        settle=asset.name if inverse else quote,
        unit=Unit.QUOTE if inverse else Unit.BASE,
        contract_size=inverse or contract,
        multiplier=multiplier,
        perpetual=perpetual,
        funding_interval_s=FUNDING_INTERVAL_S if perpetual else 0,
    )
    magnitude = math.floor(math.log10(asset.price * multiplier))
    lots = 0 if inverse else 2 if venue == "okx" else max(0, magnitude - 1)
    main = primary and not inverse and not dated
    return Contract(instrument, share, main, max(0, 5 - magnitude), lots)
