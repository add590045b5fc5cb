"""Binance: USD-M and COIN-M futures, and spot."""

from monitor.venues.binance.plan import BINANCE
from monitor.venues.binance.spot import BINANCE_SPOT

__all__ = ["BINANCE", "BINANCE_SPOT"]
