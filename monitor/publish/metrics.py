"""`/metrics`: what Prometheus reads, and the one place that speaks to its client library.

Three ways in. Histograms and counters that are rarely touched are the library's own. What is
counted for every frame is a plain integer in a small slots object, read at scrape. Everything
about the market is read at scrape from ONE picture of it, so the series of a scrape agree with
each other, and an asset that is no longer watched leaves no stale series.
"""

import math
import platform
from collections.abc import Callable, Iterator, Mapping

from aiohttp.typedefs import Handler
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.clock import NS
from monitor.detect.verdict import Kind
from monitor.detect.view import AssetView, LadderView, MarketView
from monitor.events import Position
from monitor.publish import families
from monitor.publish.broker import Publisher
from monitor.publish.families import Family
from monitor.publish.outbox import Outbox
from monitor.publish.state import long_share
from monitor.publish.web import Readiness

# Each counter and histogram would have a second series of when it was made.
disable_created_metrics()  # type: ignore[no-untyped-call]

new_registry = CollectorRegistry
"""A registry of one's own: a process may hold several daemons, as tests do."""

Reading = Mapping[tuple[str, ...], float]


class VenueCounts:
    """What the collector counts for one venue; plain integers, since it is for every frame."""

    __slots__ = ("connects", "disconnects", "frames", "rest_failures")

    def __init__(self) -> None:
        self.frames = 0
        self.connects = 0
        self.disconnects = 0
        self.rest_failures = 0


class Metrics:
    """The daemon's own metrics; the market's are `MarketCollector`'s.

    Attributes:
        recording_failed: Whether the recording stopped on an error.
        recording_dropped: Log entries that were not recorded.
        snapshot_ns: Wall time of the last state snapshot; 0 for none.
    """

    def __init__(self, registry: CollectorRegistry, version: str, config_digest: str) -> None:
        self.recording_failed = False
        self.recording_dropped = 0
        self.snapshot_ns = 0
        self._registry = registry
        self._venues: dict[str, VenueCounts] = {}
        self._published = _counter(families.ALERTS_PUBLISHED, registry)
        self._published_by_kind = {kind.value: self._published.labels(kind) for kind in Kind}
        self._publish_seconds = _histogram(families.PUBLISH_SECONDS, registry)
        self._kernel_seconds = _histogram(families.KERNEL_SECONDS, registry)
        self._kernel_events = _counter(families.KERNEL_EVENTS, registry)
        self._loop_lag = _histogram(families.LOOP_LAG, registry)
        self._readings: dict[Family, Callable[[], Reading]] = {
            families.RECORDING_FAILED: lambda: {(): float(self.recording_failed)},
            families.RECORDING_DROPPED: lambda: {(): self.recording_dropped},
            families.SNAPSHOT_TIME: lambda: {(): self.snapshot_ns / NS},
            families.BUILD_INFO: lambda: {(version, platform.python_version()): 1.0},
            families.CONFIG_INFO: lambda: {(config_digest,): 1.0},
            families.FRAMES: lambda: {(n,): v.frames for n, v in self._venues.items()},
            families.CONNECTS: lambda: {(n,): v.connects for n, v in self._venues.items()},
            families.DISCONNECTS: lambda: {(n,): v.disconnects for n, v in self._venues.items()},
            families.REST_FAILURES: lambda: {
                (n,): v.rest_failures for n, v in self._venues.items()
            },
        }
        registry.register(_Readings(self._readings))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    def venue(self, name: str) -> VenueCounts:
        """The counts of one venue, from 0 when it is first asked for."""
        return self._venues.setdefault(name, VenueCounts())

    def published(self, kind: str, seconds: float) -> None:
        """An alert was acknowledged, so long after its decision (NaN: not known)."""
        self._published_by_kind[kind].inc()
        if not math.isnan(seconds):
            self._publish_seconds.observe(seconds)

    def kernel_batch(self, events: int, seconds: float) -> None:
        """A batch went through the kernel and the ladders."""
        self._kernel_events.inc(events)
        self._kernel_seconds.observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._loop_lag.observe(seconds)

    def watch_publishing(self, outbox: Outbox, publisher: Publisher) -> None:
        """Read the outbox and the broker's connection at every scrape."""
        self._readings |= {
            families.BROKER_CONNECTED: lambda: {(): float(publisher.connected)},
            families.BROKER_CONNECTS: lambda: {(): publisher.connects},
            families.BROKER_REFUSED: lambda: {(): publisher.refused},
            families.OUTBOX_MESSAGES: lambda: {
                ("alert",): outbox.alerts,
                ("state",): outbox.states,
            },
            families.OUTBOX_BYTES: lambda: {(): outbox.size_bytes},
            families.OUTBOX_DROPPED: lambda: {(c,): n for c, n in outbox.dropped.items()},
        }

    def watch_readiness(self, readiness: Callable[[], Readiness]) -> None:
        """Read what `/ready` would answer at every scrape."""
        self._readings |= {
            families.READY: lambda: {(): float(readiness().ready)},
            families.DEGRADED: lambda: {(): len(readiness().degraded)},
        }

    def watch_market(self, view: Callable[[], MarketView | None]) -> None:
        """Read the market at every scrape; no market yet, no series of it."""
        self._registry.register(MarketCollector(view))

    @property
    def handler(self) -> Handler:
        """What answers `/metrics`."""
        return make_aiohttp_handler(self._registry)


class MarketCollector(Collector):
    """All series of the market, from one picture a scrape."""

    def __init__(self, view: Callable[[], MarketView | None]) -> None:
        self._view = view

    def describe(self) -> Iterator[Metric]:
        """Nothing is promised before there is a market."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every family of the market."""
        view = self._view()
        if view is None:
            return iter(())
        sheet = _Sheet()
        for asset in view.assets:
            _asset(sheet, asset)
        _market(sheet, view)
        _streams(sheet, view)
        return sheet.metrics()


class _Sheet:
    """Families that are being filled; none appears empty."""

    def __init__(self) -> None:
        self._metrics: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}

    def put(self, family: Family, value: float, *labels: str) -> None:
        """One series of a family."""
        metric = self._metrics.get(family.name)
        if metric is None:
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels)
            self._metrics[family.name] = metric
        metric.add_metric(labels, value)

    def metrics(self) -> Iterator[Metric]:
        """The families so far."""
        return iter(self._metrics.values())


class _Readings(Collector):
    """Numbers that live elsewhere and are read at scrape."""

    def __init__(self, readings: dict[Family, Callable[[], Reading]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """Every family that has a number."""
        sheet = _Sheet()
        for family, read in self._readings.items():
            for labels, value in read().items():
                sheet.put(family, value, *labels)
        return sheet.metrics()


def catalogue() -> tuple[Family, ...]:
    """Every metric that `/metrics` may show: ours, and the library's about the process."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    library = []
    for metric in registry.collect():
        is_counter = metric.type == "counter"
        name = f"{metric.name}_total" if is_counter else metric.name
        labels = tuple(dict.fromkeys(k for sample in metric.samples for k in sample.labels))
        library.append(
            Family(name, "counter" if is_counter else "gauge", metric.documentation, labels)
        )
    return (*families.FAMILIES, *library)


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name, family.help, family.labels, registry=registry)


def _histogram(family: Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.help, buckets=family.buckets, registry=registry)


def _asset(sheet: _Sheet, view: AssetView) -> None:
    asset = view.asset
    sheet.put(families.PRICE, view.price, asset)
    sheet.put(families.SPOT_PRICE, view.spot_price, asset)
    sheet.put(families.BASIS, view.basis_bp / 1e4, asset)
    sheet.put(families.INTEREST_COINS, view.open_interest_base, asset)
    sheet.put(families.INTEREST_USD, view.open_interest_usd, asset)
    sheet.put(families.INTEREST_SLOPE, view.open_interest_slope_ratio_per_s, asset)
    sheet.put(families.INTEREST_TIME, _seconds(view.open_interest_event_ns), asset)
    rates = [rate for rate in view.funding_8h_ratio.values() if not math.isnan(rate)]
    sheet.put(families.FUNDING_LEAST, min(rates, default=math.nan), asset)
    sheet.put(families.FUNDING_MOST, max(rates, default=math.nan), asset)
    for band_bp in sorted({min(view.depth_usd), max(view.depth_usd)} if view.depth_usd else ()):
        bid_usd, ask_usd = view.depth_usd[band_bp]
        sheet.put(families.DEPTH, bid_usd, asset, str(band_bp), "bid")
        sheet.put(families.DEPTH, ask_usd, asset, str(band_bp), "ask")
    _scale(sheet, view)
    for ladder in (view.long, view.short):
        _ladder(sheet, asset, ladder)
        position = ladder.position.value
        for window in families.USD_WINDOWS:
            sheet.put(families.FORCED_USD, ladder.totals[window].usd, asset, position, window)
        for window in families.ORDER_WINDOWS:
            orders = ladder.totals[window].orders
            sheet.put(families.FORCED_ORDERS, orders, asset, position, window)


def _scale(sheet: _Sheet, view: AssetView) -> None:
    sheet.put(families.SCALE, view.scale_ratio, view.asset)
    sheet.put(families.BASELINE, families.BASELINE_NUMBERS[view.baseline], view.asset)
    sheet.put(families.INTEREST_CHANGE, view.open_interest_change_5m_ratio, view.asset)


def _whole(sheet: _Sheet, whole: AssetView, view: MarketView) -> None:
    """The watch list taken together; its totals are the market's, less what is off the list."""
    sheet.put(families.MARKET_PRICE, whole.price)
    sheet.put(families.MARKET_INTEREST, whole.open_interest_usd)
    _scale(sheet, whole)
    for ladder in (whole.long, whole.short):
        _ladder(sheet, whole.asset, ladder)
    for position, breadth in view.breadth.items():
        sheet.put(families.BREADTH_SHARE, breadth.ratio, position)
        sheet.put(families.BREADTH_ASSETS, breadth.assets, position)


def _ladder(sheet: _Sheet, asset: str, view: LadderView) -> None:
    position = view.position.value
    evaluable = view.evaluable / view.confirmers_of if view.confirmers_of else math.nan
    sheet.put(families.CASCADE_STATE, families.STATE_NUMBERS[view.state], asset, position)
    sheet.put(families.STATE_SINCE, _seconds(view.since_ns), asset, position)
    sheet.put(families.PRESSURE, view.pressure_ratio, asset, position)
    sheet.put(families.FORCED_SHARE, view.forced_60s_ratio, asset, position)
    sheet.put(families.EPISODE_USD, view.forced_usd, asset, position)
    sheet.put(families.CONFIRMERS, len(view.confirmers), asset, position)
    sheet.put(families.EVALUABLE, evaluable, asset, position)


def _market(sheet: _Sheet, view: MarketView) -> None:
    sheet.put(families.MARKET_TIME, _seconds(view.now_ns))
    if view.whole is not None:
        _whole(sheet, view.whole, view)
    longs, shorts = view.totals[Position.LONG], view.totals[Position.SHORT]
    for window in families.USD_WINDOWS:
        share = long_share(longs[window], shorts[window])
        sheet.put(families.MARKET_LONG_SHARE, math.nan if share is None else share, window)
    for position in Position:
        totals, others = view.totals[position], view.other_totals[position]
        for window in families.USD_WINDOWS:
            sheet.put(families.MARKET_USD, totals[window].usd, position.value, window)
            sheet.put(families.MARKET_ORDERS, totals[window].orders, position.value, window)
        for window in families.ORDER_WINDOWS:
            sheet.put(families.MARKET_OTHER_USD, others[window].usd, position.value, window)
    for reason, orders in view.dropped.items():
        sheet.put(families.LEFT_OUT, orders, reason)
    for (venue, asset), orders in view.orders_by_venue.items():
        sheet.put(families.LIQUIDATION_ORDERS, orders, venue, asset)
    for (venue, asset), usd in view.usd_by_venue.items():
        sheet.put(families.LIQUIDATION_USD, usd, venue, asset)


def _streams(sheet: _Sheet, view: MarketView) -> None:
    for stream in view.streams:
        flowing = float(stream.state == "flowing")
        sheet.put(families.STREAM_FLOWING, flowing, stream.venue, stream.session)
        useful = _seconds(stream.last_useful_ns)
        sheet.put(families.STREAM_USEFUL, useful, stream.venue, stream.session)
    for family, counts in (
        (families.EVENTS, view.events),
        (families.MALFORMED, view.malformed),
        (families.NOT_USED, view.not_used),
    ):
        for (venue, what), count in counts.items():
            sheet.put(family, count, venue, what)


def _seconds(time_ns: int) -> float:
    """A time in seconds; NaN for 0, which is "never"."""
    return time_ns / NS if time_ns else math.nan
