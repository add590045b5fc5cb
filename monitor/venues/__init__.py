"""What each venue says: one folder a venue, and the registry of them.

A folder holds the venue's `plan` (addresses, subscriptions, listing), its wire `messages` and
its `reader`. Beside them stand the contract they keep and the checks they share.
"""

from monitor.errors import ConfigError
from monitor.venues.binance import BINANCE, BINANCE_SPOT
from monitor.venues.bitfinex import BITFINEX
from monitor.venues.bitmex import BITMEX
from monitor.venues.bybit import BYBIT, BYBIT_SPOT
from monitor.venues.contract import Venue
from monitor.venues.okx import OKX, OKX_SPOT

VENUES: tuple[Venue, ...] = (
    BINANCE,
    BINANCE_SPOT,
    BITFINEX,
    BITMEX,
    BYBIT,
    BYBIT_SPOT,
    OKX,
    OKX_SPOT,
)


def by_name(name: str) -> Venue:
    """The venue of that registry name.

    Raises:
        ConfigError: No venue has it; names those that exist.
    """
    for venue in VENUES:
        if venue.name == name:
            return venue
    known = ", ".join(venue.name for venue in VENUES)
    raise ConfigError(f"expected a venue, one of {known}; was {name!r}")
