"""What a demo shows: which market, how fast, and for how long."""

from typing import Final

import msgspec

from monitor.clock import NS, MarketClock

SCENARIO: Final = "cascade"
ASSET: Final = "BTC"
EPOCH_NS: Final = 1_795_435_200 * NS  # 2026-11-23 12:00 UTC: the market clock at the start
PAST_S: Final = 620  # of the market before the start: a confirmer needs 600 to judge by
ONSET_S: Final = 120  # the asset begins to fall so long after the start
LEAST_SPEED: Final = 20.0
MOST_SPEED: Final = 60.0


class Plan(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        seed: Of the market; the same gives the same market and the same states.
        speed: Market seconds in a wall second.
        duration_s: Wall seconds to run for; 0 until the cascade is over.
        record: Directory to record everything to; empty for none.
    """

    seed: int = 7
    speed: float = LEAST_SPEED
    duration_s: float = 0.0
    record: str = ""

    @property
    def onset_ns(self) -> int:
        """Market time at which the asset begins to fall; its longs break a little later."""
        return EPOCH_NS + ONSET_S * NS

    def clock(self, start_ns: int) -> MarketClock:
        """The one market clock of the run, given the wall time of its start."""
        return MarketClock(EPOCH_NS, start_ns, self.speed)
