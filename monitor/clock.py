"""The market clock: what time it is on the market, as against on the wall.

    market = epoch + (wall - start) x speed

In production speed is 1 and epoch is start, so both agree. A demo or a recorded tape runs the
same daemon on another epoch or faster. The market clock rules stamps, ages, polls and holds;
socket deadlines, back-off and keep-alives stay on the wall.
"""

import asyncio
import time

import msgspec

NS = 1_000_000_000


class MarketClock(msgspec.Struct, frozen=True):
    """A fixed mapping from wall time to market time; equal values agree in all processes.

    Attributes:
        epoch_ns: Market time at `start_ns`, nanoseconds since 1970 UTC.
        start_ns: Wall time (Unix nanoseconds) at which the market clock reads `epoch_ns`.
        speed: Market seconds in one wall second.
    """

    epoch_ns: int = 0
    start_ns: int = 0
    speed: float = 1.0

    def at(self, wall_ns: int) -> int:
        """Market time at a wall time, both in nanoseconds."""
        if self.speed == 1.0:
            return wall_ns + (self.epoch_ns - self.start_ns)
        return self.epoch_ns + int((wall_ns - self.start_ns) * self.speed)

    def now_ns(self) -> int:
        """Market time now; only shells call this."""
        return self.at(time.time_ns())

    def wall_s(self, market_s: float) -> float:
        """Wall seconds that a span of market seconds takes."""
        return market_s / self.speed

    async def sleep(self, market_s: float) -> None:
        """Wait for a span of market time."""
        await asyncio.sleep(self.wall_s(market_s))
