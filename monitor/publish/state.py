"""What stands now: the payloads that are retained, so that whoever comes late has them at once.

They go to `<base>/status`, `info`, `health`, `assets/<ASSET>/state` and `market/state`. Each is
a whole picture, and the newest may always replace an older. They are made from the detector's
read-only view; null is "not known", times are market time in integer milliseconds, and null
where nothing happened yet.
"""

import enum

import msgspec

from monitor.detect.verdict import Baseline, State
from monitor.detect.view import AssetView, Breadth, LadderView, MarketView, StreamView, Total
from monitor.events import Position
from monitor.publish.alert import MS, SCHEMA_VERSION, encode_payload, known, topic_level


class Presence(enum.StrEnum):
    """Whether the monitor is there: `offline` is the last will, `stopped` a clean stop."""

    ONLINE = "online"
    STOPPED = "stopped"
    OFFLINE = "offline"


class Status(msgspec.Struct, frozen=True):
    """Payload of `<base>/status`."""

    state: Presence


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `<base>/info`: what is running, fixed from start to stop.

    `speed` is market seconds in a wall second: 1 in production, more in a demo.
    """

    schema_version: int = SCHEMA_VERSION
    version: str
    config_digest: str
    started_time_ms: int
    speed: float
    venues: tuple[str, ...]
    assets: tuple[str, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `<base>/health`: how the monitor itself is doing.

    `degraded` names what is missing; `outbox_dropped` counts by class since the start.
    """

    schema_version: int = SCHEMA_VERSION
    time_ms: int
    ready: bool
    degraded: tuple[str, ...]
    uptime_s: float
    frames: int
    frames_per_s: float
    loop_lag_s: float
    outbox_alerts: int
    outbox_dropped: dict[str, int]
    recording: bool
    rss_bytes: int


class WindowTotal(msgspec.Struct, frozen=True):
    """Forced orders of one window, as observed."""

    usd: float | None
    orders: int
    largest_usd: float | None


class LadderState(msgspec.Struct, frozen=True):
    """Where one ladder stands: an asset, and whose positions are being closed."""

    position: Position
    state: State
    since_time_ms: int | None
    episode_id: str | None
    wave: int
    pressure_ratio: float | None
    forced_60s_ratio: float | None
    forced_usd: float | None
    confirmers: tuple[str, ...]
    evaluable: int
    confirmers_of: int
    totals: dict[str, WindowTotal]
    venue_usd_1h: dict[str, float | None]


class OpenInterestState(msgspec.Struct, frozen=True):
    """Open interest of an asset, one-sided, chain-linked over its contracts."""

    base: float | None
    usd: float | None
    change_5m_ratio: float | None
    slope_ratio_per_s: float | None
    event_time_ms: int | None
    age_s: float | None


class DepthBand(msgspec.Struct, frozen=True):
    """Resting orders within a band around the middle price, in basis points of it."""

    band_bp: int
    bid_usd: float | None
    ask_usd: float | None


class AssetState(msgspec.Struct, frozen=True):
    """Payload of `<base>/assets/<ASSET>/state`: both ladders and what they rest on."""

    schema_version: int
    time_ms: int
    asset: str
    price: float | None
    spot_price: float | None
    basis_bp: float | None
    scale_ratio: float | None
    baseline: Baseline
    open_interest: OpenInterestState
    funding_8h_ratio: dict[str, float | None]
    depth: tuple[DepthBand, ...]
    long: LadderState
    short: LadderState


class MarketWindow(msgspec.Struct, frozen=True):
    """One window over the market; `long_share_ratio` is the longs' part of the USD forced."""

    long: WindowTotal
    short: WindowTotal
    long_share_ratio: float | None


class StreamState(msgspec.Struct, frozen=True):
    """One session of one venue."""

    venue: str
    session: str
    state: str
    detail: str
    connected_time_ms: int | None
    last_useful_time_ms: int | None
    frames: int
    malformed: int
    reconnects: int


class BreadthState(msgspec.Struct, frozen=True):
    """How much of the watch list is pressed in one position, by open interest and by number."""

    ratio: float | None
    assets: int | None


class MarketState(msgspec.Struct, frozen=True):
    """Payload of `<base>/market/state`: totals, the streams they come from, and the ladders.

    `other` is the part of `windows` that is off the watch list; `dropped` counts orders left
    out of the pressure by reason. `whole` is the watch list taken together, in the form of an
    asset's state: its two ladders, an index for its price (1 when it was first seen), and its
    open interest in US dollars; `breadth` is by position. `unknown` says why there is none.
    """

    schema_version: int
    time_ms: int
    windows: dict[str, MarketWindow]
    other: dict[str, MarketWindow]
    streams: tuple[StreamState, ...]
    dropped: dict[str, int]
    whole: AssetState | None
    breadth: dict[str, BreadthState]
    unknown: dict[str, str]


def status_topic(base: str) -> str:
    """Where presence is kept; also the topic of the last will."""
    return f"{base}/status"


def info_topic(base: str) -> str:
    """Where `Info` is kept."""
    return f"{base}/info"


def health_topic(base: str) -> str:
    """Where `Health` is kept."""
    return f"{base}/health"


def asset_topic(base: str, asset: str) -> str:
    """Where one asset's state is kept."""
    return f"{base}/assets/{topic_level(asset)}/state"


def market_topic(base: str) -> str:
    """Where the market's state is kept."""
    return f"{base}/market/state"


def status(presence: Presence) -> bytes:
    """Bytes of a presence."""
    return encode_payload(Status(presence))


def asset_state(view: AssetView, now_ns: int) -> bytes:
    """Bytes of one asset's state at a market time."""
    return encode_payload(_asset(view, now_ns))


def market_state(view: MarketView) -> bytes:
    """Bytes of the market's state."""
    return encode_payload(
        MarketState(
            schema_version=SCHEMA_VERSION,
            time_ms=view.now_ns // MS,
            windows=_windows(view.totals),
            other=_windows(view.other_totals),
            streams=tuple(_stream(stream) for stream in view.streams),
            dropped=dict(sorted(view.dropped.items())),
            whole=None if view.whole is None else _asset(view.whole, view.now_ns),
            breadth={name: _breadth(breadth) for name, breadth in view.breadth.items()},
            unknown={"whole": view.no_whole} if view.whole is None else {},
        )
    )


def long_share(longs: Total, shorts: Total) -> float | None:
    """The longs' part of the US dollars forced; None where nothing was, or it is not known."""
    forced_usd = longs.usd + shorts.usd
    return known(longs.usd / forced_usd) if forced_usd > 0.0 else None


def _asset(view: AssetView, now_ns: int) -> AssetState:
    return AssetState(
        schema_version=SCHEMA_VERSION,
        time_ms=now_ns // MS,
        asset=view.asset,
        price=known(view.price),
        spot_price=known(view.spot_price),
        basis_bp=known(view.basis_bp),
        scale_ratio=known(view.scale_ratio),
        baseline=view.baseline,
        open_interest=OpenInterestState(
            base=known(view.open_interest_base),
            usd=known(view.open_interest_usd),
            change_5m_ratio=known(view.open_interest_change_5m_ratio),
            slope_ratio_per_s=known(view.open_interest_slope_ratio_per_s),
            event_time_ms=_time_ms(view.open_interest_event_ns),
            age_s=known(view.open_interest_age_s),
        ),
        funding_8h_ratio={
            venue: known(rate) for venue, rate in sorted(view.funding_8h_ratio.items())
        },
        depth=tuple(
            DepthBand(band_bp, known(bid_usd), known(ask_usd))
            for band_bp, (bid_usd, ask_usd) in sorted(view.depth_usd.items())
        ),
        long=_ladder(view.long),
        short=_ladder(view.short),
    )


def _breadth(view: Breadth) -> BreadthState:
    ratio = known(view.ratio)
    return BreadthState(ratio, None if ratio is None else view.assets)


def _ladder(view: LadderView) -> LadderState:
    return LadderState(
        position=view.position,
        state=view.state,
        since_time_ms=_time_ms(view.since_ns),
        episode_id=view.episode_id or None,
        wave=view.wave,
        pressure_ratio=known(view.pressure_ratio),
        forced_60s_ratio=known(view.forced_60s_ratio),
        forced_usd=known(view.forced_usd),
        confirmers=view.confirmers,
        evaluable=view.evaluable,
        confirmers_of=view.confirmers_of,
        totals={window: _total(total) for window, total in view.totals.items()},
        venue_usd_1h={venue: known(usd) for venue, usd in sorted(view.venue_usd_1h.items())},
    )


def _windows(totals: dict[str, dict[str, Total]]) -> dict[str, MarketWindow]:
    longs, shorts = totals[Position.LONG], totals[Position.SHORT]
    return {
        window: MarketWindow(
            _total(longs[window]),
            _total(shorts[window]),
            long_share(longs[window], shorts[window]),
        )
        for window in longs
    }


def _total(total: Total) -> WindowTotal:
    return WindowTotal(known(total.usd), total.orders, known(total.largest_usd))


def _stream(view: StreamView) -> StreamState:
    return StreamState(
        venue=view.venue,
        session=view.session,
        state=view.state,
        detail=view.detail,
        connected_time_ms=_time_ms(view.connected_ns),
        last_useful_time_ms=_time_ms(view.last_useful_ns),
        frames=view.frames,
        malformed=view.malformed,
        reconnects=view.reconnects,
    )


def _time_ms(time_ns: int) -> int | None:
    """Milliseconds of a time; None for 0, which is "never"."""
    return time_ns // MS if time_ns else None
