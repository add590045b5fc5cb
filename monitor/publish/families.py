"""Every metric by name: what it is, in which unit, and by which labels it is split.

This is the whole vocabulary of `/metrics`, declared once: the code that fills it, the page that
documents it and the test that checks the dashboards all read it here. Names end in their unit;
labels come from closed sets; times are timestamps, not ages, and those of the market are market
time; NaN is "not known". Venue crosses asset in two counters only, so that 14 venues and 20
assets stay within 2,000 series. Among the assets MARKET is all watched ones together: it has
the series of a ladder, less its totals, and those of the scale.
"""

from typing import Literal

import msgspec

from monitor.detect.verdict import Baseline, State

STATE_NUMBERS = {state: number for number, state in enumerate(State)}
BASELINE_NUMBERS = {baseline: number for number, baseline in enumerate(Baseline)}

# Windows of the totals that are worth a series each; the MQTT state has them all.
USD_WINDOWS = ("1m", "5m", "1h", "24h")
ORDER_WINDOWS = ("1h", "24h")


class Family(msgspec.Struct, frozen=True):
    """One metric: a name, its kind, what it says, and its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it can be queried."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", text, labels)


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, "counter", text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Family:
    return Family(name, "histogram", text, (), buckets)


def _numbers(names: dict[State, int] | dict[Baseline, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in names.items())


_LADDER = ("asset", "position")
_WINDOW = ("asset", "position", "window")
_QUICK_S = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)
_SLOW_S = (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0, 60.0)

# One ladder: an asset, and whose positions are closed.
CASCADE_STATE = _gauge(
    "liqmon_cascade_state", f"State of the ladder: {_numbers(STATE_NUMBERS)}", *_LADDER
)
STATE_SINCE = _gauge(
    "liqmon_cascade_state_since_timestamp_seconds",
    "Market time at which the state was entered",
    *_LADDER,
)
PRESSURE = _gauge(
    "liqmon_pressure_ratio", "Forced flow in the bucket over the asset's own scale", *_LADDER
)
FORCED_SHARE = _gauge(
    "liqmon_forced_open_interest_ratio",
    "Forced coins of the last 60 s over open interest",
    *_LADDER,
)
EPISODE_USD = _gauge(
    "liqmon_episode_forced_usd", "Forced since the episode's onset, as observed", *_LADDER
)
CONFIRMERS = _gauge("liqmon_confirmers_holding", "Confirmers that hold", *_LADDER)
EVALUABLE = _gauge(
    "liqmon_confirmers_evaluable_ratio", "Part of the confirmers that can be evaluated", *_LADDER
)
FORCED_USD = _gauge("liqmon_forced_usd", "Forced orders of the window, as observed", *_WINDOW)
FORCED_ORDERS = _gauge(
    "liqmon_forced_orders", "Number of forced orders of the window, as observed", *_WINDOW
)

# One asset.
PRICE = _gauge("liqmon_price_usd", "Perpetual price", "asset")
SPOT_PRICE = _gauge("liqmon_spot_price_usd", "Spot price", "asset")
BASIS = _gauge("liqmon_basis_ratio", "Perpetual over spot, less one", "asset")
SCALE = _gauge(
    "liqmon_scale_ratio", "The asset's own scale u, as a share of open interest", "asset"
)
BASELINE = _gauge(
    "liqmon_baseline", f"What the scale rests on: {_numbers(BASELINE_NUMBERS)}", "asset"
)
INTEREST_COINS = _gauge(
    "liqmon_open_interest_coins", "Open interest, one-sided, chain-linked", "asset"
)
INTEREST_USD = _gauge(
    "liqmon_open_interest_usd", "Open interest, one-sided, at the perpetual price", "asset"
)
INTEREST_CHANGE = _gauge(
    "liqmon_open_interest_change_5m_ratio", "Its change over 5 minutes", "asset"
)
INTEREST_SLOPE = _gauge(
    "liqmon_open_interest_slope_ratio", "Its slope over 180 s, a second", "asset"
)
INTEREST_TIME = _gauge(
    "liqmon_open_interest_timestamp_seconds", "Market time of its value", "asset"
)
FUNDING_LEAST = _gauge(
    "liqmon_funding_8h_least_ratio", "Lowest funding rate of any venue, for 8 hours", "asset"
)
FUNDING_MOST = _gauge(
    "liqmon_funding_8h_most_ratio", "Highest funding rate of any venue, for 8 hours", "asset"
)
DEPTH = _gauge(
    "liqmon_depth_usd",
    "Resting orders within the narrowest and the widest band around the mid",
    "asset",
    "band_bp",
    "book",
)

# The whole market.
MARKET_TIME = _gauge("liqmon_market_timestamp_seconds", "Market time of this picture")
MARKET_USD = _gauge(
    "liqmon_market_forced_usd",
    "Forced orders of the whole market, as observed",
    "position",
    "window",
)
MARKET_ORDERS = _gauge(
    "liqmon_market_forced_orders",
    "Number of forced orders of the whole market",
    "position",
    "window",
)
MARKET_OTHER_USD = _gauge(
    "liqmon_market_other_forced_usd", "The part of it off the watch list", "position", "window"
)
MARKET_PRICE = _gauge(
    "liqmon_market_price_ratio", "Index of the watched assets' prices, 1 at the start"
)
MARKET_INTEREST = _gauge(
    "liqmon_market_open_interest_usd", "Open interest of all watched assets, one-sided"
)
BREADTH_SHARE = _gauge(
    "liqmon_market_breadth_ratio",
    "Part of that open interest in assets where forced flow presses",
    "position",
)
BREADTH_ASSETS = _gauge(
    "liqmon_market_breadth_assets", "Watched assets where forced flow presses", "position"
)
MARKET_LONG_SHARE = _gauge(
    "liqmon_market_long_share_ratio", "The longs' part of the US dollars forced", "window"
)
LEFT_OUT = _counter(
    "liqmon_orders_left_out_total", "Forced orders left out of the pressure", "reason"
)
LIQUIDATION_ORDERS = _counter(
    "liqmon_liquidation_orders_total", "Forced orders received", "venue", "asset"
)
LIQUIDATION_USD = _counter(
    "liqmon_liquidation_usd_total", "US dollars of forced orders received", "venue", "asset"
)

# Venues and their streams, as the detector saw them.
STREAM_FLOWING = _gauge("liqmon_stream_flowing", "1 while useful frames come", "venue", "session")
STREAM_USEFUL = _gauge(
    "liqmon_stream_last_useful_timestamp_seconds",
    "Market time of the last useful frame; NaN for never",
    "venue",
    "session",
)
EVENTS = _counter("liqmon_events_total", "Market events read", "venue", "kind")
MALFORMED = _counter(
    "liqmon_malformed_total", "Damaged messages, or rows of them", "venue", "reason"
)
NOT_USED = _counter(
    "liqmon_not_used_total", "Well-formed messages without a use", "venue", "reason"
)

# Venues, as the collector saw them.
FRAMES = _counter("liqmon_frames_total", "Frames received", "venue")
CONNECTS = _counter("liqmon_connects_total", "Connections made", "venue")
DISCONNECTS = _counter("liqmon_disconnects_total", "Connections lost or left", "venue")
REST_FAILURES = _counter(
    "liqmon_rest_failures_total", "REST requests without a good answer", "venue"
)

# The daemon itself.
READY = _gauge("liqmon_ready", "1 while /ready answers 200")
DEGRADED = _gauge("liqmon_degraded_parts", "Parts that /ready names as degraded")
BROKER_CONNECTED = _gauge("liqmon_broker_connected", "1 while the broker acknowledges us")
BROKER_CONNECTS = _counter("liqmon_broker_connects_total", "Connections to the broker")
BROKER_REFUSED = _counter("liqmon_broker_refused_total", "Messages the broker refused")
OUTBOX_MESSAGES = _gauge("liqmon_outbox_messages", "Messages waiting for the broker", "class")
OUTBOX_BYTES = _gauge("liqmon_outbox_bytes", "Bytes held for the broker")
OUTBOX_DROPPED = _counter(
    "liqmon_outbox_dropped_total", "Messages that never reached the broker", "class"
)
ALERTS_PUBLISHED = _counter(
    "liqmon_alerts_published_total", "Alerts acknowledged by the broker", "kind"
)
PUBLISH_SECONDS = _histogram(
    "liqmon_publish_seconds",
    "From the frame or timer that decides an alert to its acknowledgement",
    _SLOW_S,
)
KERNEL_SECONDS = _histogram(
    "liqmon_kernel_batch_seconds",
    "One batch of events through the kernel and the ladders",
    _QUICK_S,
)
KERNEL_EVENTS = _counter("liqmon_kernel_events_total", "Events through the kernel")
LOOP_LAG = _histogram("liqmon_loop_lag_seconds", "How late the event loop was", _SLOW_S)
RECORDING_FAILED = _gauge("liqmon_recording_failed", "1 after the recording stopped on an error")
RECORDING_DROPPED = _counter(
    "liqmon_recording_dropped_total", "Log entries that were not recorded"
)
SNAPSHOT_TIME = _gauge(
    "liqmon_snapshot_timestamp_seconds", "Wall time of the last state snapshot; 0 for none"
)
BUILD_INFO = _gauge("liqmon_build_info", "Always 1; what runs", "version", "python")
CONFIG_INFO = _gauge("liqmon_config_info", "Always 1; digest of the configuration", "digest")

FAMILIES = tuple(family for family in tuple(vars().values()) if isinstance(family, Family))
