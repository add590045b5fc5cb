"""Binance's listings: exchangeInfo of three products, and the funding intervals.

https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from monitor.instruments import Instrument
from monitor.simulate.wire import milliseconds

NEVER_MS = 4_133_404_800_000  # Binance's delivery date of a contract that has none
LISTED_MS = 1_569_398_400_000


def exchange_info(listed: Sequence[Instrument], product: str, now_ns: int) -> dict[str, Any]:
    """The whole exchangeInfo answer of one product."""
    row = _spot if product == "spot" else _futures
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(now_ns),
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000 if product == "spot" else 2400,
            }
        ],
        "exchangeFilters": [],
        "symbols": [row(instrument) for instrument in listed],
    }


def funding_info(listed: Sequence[Instrument]) -> list[dict[str, Any]]:
    """The fundingInfo answer."""
    return [
        {
            "symbol": instrument.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": instrument.funding_interval_s // 3600,
            "disclaimer": False,
        }
        for instrument in listed
        if instrument.funding_interval_s
    ]


def _base(instrument: Instrument) -> str:
    """Binance's own name of the base: 1000PEPE, where one unit is a thousand coins."""
    return ("" if instrument.multiplier == 1.0 else f"{instrument.multiplier:.0f}") + (
        instrument.asset
    )


def _futures(instrument: Instrument) -> dict[str, Any]:
    row: dict[str, Any] = {
        "symbol": instrument.symbol,
        "pair": instrument.symbol.split("_")[0],
        "contractType": "PERPETUAL" if instrument.perpetual else "CURRENT_QUARTER",
        "deliveryDate": NEVER_MS if instrument.perpetual else _delivery_ms(instrument.symbol),
        "onboardDate": LISTED_MS,
        "baseAsset": _base(instrument),
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.settle,
        "pricePrecision": 8,
        "quantityPrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "filters": [],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK"],
    }
    if instrument.product == "coinm":
        return row | {"contractStatus": "TRADING", "contractSize": int(instrument.contract_size)}
    return row | {"status": "TRADING"}


def _delivery_ms(symbol: str) -> int:
    day = dt.datetime.strptime(symbol.rsplit("_", 1)[1] + "08+0000", "%y%m%d%H%z")
    return int(day.timestamp()) * 1000


def _spot(instrument: Instrument) -> dict[str, Any]:
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": _base(instrument),
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }
