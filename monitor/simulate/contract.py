"""A market whose truth is known: what really was forced, when it began and when it ended.

`Market` is all that the venue servers ask of a market; whatever stands behind it gives the
events of one second after another, and the truth.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from monitor.events import MarketEvent, Position
from monitor.instruments import Instrument

NS_PER_MS = 1_000_000


class Truth(msgspec.Struct, frozen=True):
    """What really happened in one cascade, printed by a venue or not.

    `onset_ns` begins its first second, `end_ns` ends its last one; `forced_usd` counts every
    forced order of the asset and position between them that the market has made so far.
    """

    asset: str
    position: Position
    onset_ns: int
    end_ns: int
    forced_usd: float


class Market(Protocol):
    """What stands behind the venue servers.

    Attributes:
        epoch_ns: Market time at which second 0 begins.
    """

    epoch_ns: int

    def listing(self) -> Sequence[Instrument]:
        """Everything listed, over all venues and products."""

    def second(self, index: int) -> Sequence[MarketEvent]:
        """The events of one second in order of time; asked once for each, in order.

        Every forced order is among them: which of them a venue prints is the venue's affair.
        The first second carries every contract's open interest, funding and mark.
        """

    def truth(self) -> Sequence[Truth]:
        """The cascades up to the last second asked for, and those to come where they are known."""


def told(market: Market) -> list[dict[str, object]]:
    """The market's truth, as it is told outside."""
    return [
        {
            "asset": truth.asset,
            "position": truth.position.value,
            "onset_time_ms": truth.onset_ns // NS_PER_MS,
            "end_time_ms": truth.end_ns // NS_PER_MS,
            "forced_usd": truth.forced_usd,
        }
        for truth in market.truth()
    ]
