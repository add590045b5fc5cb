"""BitMEX: all contracts."""

from monitor.venues.bitmex.plan import BITMEX

__all__ = ["BITMEX"]
