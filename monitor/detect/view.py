"""A read-only picture of the detector at one second, for whoever publishes it.

NaN is "not known". Windows are the keys of `WINDOWS_S`.
"""

import msgspec

from monitor.detect.verdict import Baseline, State
from monitor.events import Position

# Rolling windows of the totals: name -> seconds.
WINDOWS_S = {
    "1s": 1,
    "10s": 10,
    "1m": 60,
    "5m": 300,
    "1h": 3600,
    "4h": 14_400,
    "24h": 86_400,
}


class Total(msgspec.Struct, frozen=True):
    """Forced orders of one window, as observed: US dollars, orders, largest order."""

    usd: float
    orders: int
    largest_usd: float


class LadderView(msgspec.Struct, frozen=True):
    """One ladder: an asset and whose positions are closed.

    `since_ns` is the market time at which `state` was entered; `totals` by window name;
    `venue_usd_1h` observed US dollars of the last hour by venue.
    """

    position: Position
    state: State
    since_ns: int
    episode_id: str
    wave: int
    pressure_ratio: float
    forced_60s_ratio: float
    forced_usd: float
    confirmers: tuple[str, ...]
    evaluable: int
    confirmers_of: int
    totals: dict[str, Total]
    venue_usd_1h: dict[str, float]


class AssetView(msgspec.Struct, frozen=True):
    """One watched asset. Depth maps a band in basis points to (bid USD, ask USD)."""

    asset: str
    price: float
    spot_price: float
    basis_bp: float
    scale_ratio: float
    baseline: Baseline
    open_interest_base: float
    open_interest_usd: float
    open_interest_change_5m_ratio: float
    open_interest_slope_ratio_per_s: float
    open_interest_event_ns: int
    open_interest_age_s: float
    funding_8h_ratio: dict[str, float]
    depth_usd: dict[int, tuple[float, float]]
    long: LadderView
    short: LadderView


class Breadth(msgspec.Struct, frozen=True):
    """How much of the market is pressed in one position: part of open interest, and assets."""

    ratio: float
    assets: int


class StreamView(msgspec.Struct, frozen=True):
    """One session of one venue, from its facts and frames; times are market time, 0 for never."""

    venue: str
    session: str
    state: str  # connecting | connected | subscribed | acknowledged | flowing | disconnected
    detail: str
    connected_ns: int
    last_useful_ns: int
    frames: int
    malformed: int
    reconnects: int


class MarketView(msgspec.Struct, frozen=True):
    """Everything watched, at market time `now_ns`.

    `totals` and `other_totals` are by position value ("long", "short") and window name:
    the whole market, and the part of it off the watch list. `orders_by_venue` and
    `usd_by_venue` count since the start, by (venue, asset or "other"). `whole` is the watch
    list as one asset: its price an index that was 1 at first, its open interest in US dollars,
    without spot price, coins, funding and depth; None for `no_whole`, the reason. `breadth` is
    by position value, and empty when there is no whole.
    """

    now_ns: int
    assets: tuple[AssetView, ...]
    streams: tuple[StreamView, ...]
    totals: dict[str, dict[str, Total]]
    other_totals: dict[str, dict[str, Total]]
    orders_by_venue: dict[tuple[str, str], int]
    usd_by_venue: dict[tuple[str, str], float]
    events: dict[tuple[str, str], int]  # (venue, event kind) -> count since the start
    malformed: dict[tuple[str, str], int]  # (venue, reason) -> count since the start
    not_used: dict[tuple[str, str], int]  # (venue, reason) -> count since the start
    dropped: dict[str, int]  # reason -> liquidation orders left out of the pressure
    whole: AssetView | None = None
    no_whole: str = ""
    breadth: dict[str, Breadth] = {}
