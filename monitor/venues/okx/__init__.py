"""OKX: swaps, futures and spot."""

from monitor.venues.okx.plan import OKX, OKX_SPOT

__all__ = ["OKX", "OKX_SPOT"]
