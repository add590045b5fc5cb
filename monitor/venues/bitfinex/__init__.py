"""Bitfinex: margin pairs and derivatives."""

from monitor.venues.bitfinex.plan import BITFINEX

__all__ = ["BITFINEX"]
