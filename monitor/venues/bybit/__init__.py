"""Bybit: linear and inverse contracts, and spot."""

from monitor.venues.bybit.plan import BYBIT, BYBIT_SPOT

__all__ = ["BYBIT", "BYBIT_SPOT"]
