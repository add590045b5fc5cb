"""What `/metrics` shows, read back with Prometheus' own parser, each test in its own registry."""

import math
import time
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.config import Credentials, Mqtt
from monitor.detect.verdict import Baseline, State
from monitor.detect.view import MarketView
from monitor.publish import families
from monitor.publish.broker import Publisher
from monitor.publish.metrics import Metrics, catalogue
from monitor.publish.outbox import AlertEntry, Outbox
from monitor.publish.web import Readiness
from tests import samples

Series = dict[tuple[str, tuple[str, ...]], float]

VENUES = tuple(f"venue{n}" for n in range(14))
ASSETS = tuple(f"ASSET{n}" for n in range(20))


def scraped(registry: CollectorRegistry) -> Series:
    """Every series of a scrape: (name, label values in order of label name) -> value."""
    text = generate_latest(registry).decode()
    return {
        (
            sample.name,
            tuple(value for _label, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def daemon(registry: CollectorRegistry, venues: Iterable[str] = ("binance", "okx")) -> Metrics:
    """The metrics of a daemon that has just started."""
    metrics = Metrics(registry, "0.1.0", "0123456789abcdef")
    for venue in venues:
        metrics.venue(venue)
    return metrics


def with_everything(registry: CollectorRegistry, view: MarketView) -> Metrics:
    """The metrics of a daemon with all its parts, looking at a market."""
    metrics = daemon(registry, VENUES)
    outbox = Outbox(10, 10)
    login = Credentials("", "")
    metrics.watch_publishing(outbox, Publisher(Mqtt(), lambda: login, outbox))
    metrics.watch_readiness(lambda: Readiness(True, True, True, {"okx": True}, ("broker",)))
    metrics.watch_market(lambda: view)
    return metrics


def test_every_series_starts_at_zero() -> None:
    """A counter that has not counted yet is 0, not absent."""
    registry = CollectorRegistry()
    daemon(registry)
    found = scraped(registry)
    assert found["liqmon_frames_total", ("okx",)] == 0
    assert found["liqmon_alerts_published_total", ("cascade",)] == 0
    assert found["liqmon_recording_failed", ()] == 0
    assert found["liqmon_publish_seconds_count", ()] == 0
    assert not [name for name, _labels in found if name.endswith("_created")]


def test_what_the_daemon_counts_is_shown() -> None:
    """Counts, histograms and facts of the daemon come out as they went in."""
    registry = CollectorRegistry()
    metrics = daemon(registry)
    counts = metrics.venue("binance")
    counts.frames += 5
    counts.connects += 2
    counts.disconnects += 1
    counts.rest_failures += 3
    metrics.published("cascade", 0.004)
    metrics.published("cascade", math.nan)
    metrics.kernel_batch(256, 2e-5)
    metrics.loop_lag(0.25)
    metrics.recording_failed = True
    metrics.recording_dropped = 9
    metrics.snapshot_ns = 1_760_131_260_500_000_000
    found = scraped(registry)
    expected: Series = {
        ("liqmon_frames_total", ("binance",)): 5,
        ("liqmon_frames_total", ("okx",)): 0,
        ("liqmon_connects_total", ("binance",)): 2,
        ("liqmon_disconnects_total", ("binance",)): 1,
        ("liqmon_rest_failures_total", ("binance",)): 3,
        ("liqmon_alerts_published_total", ("cascade",)): 2,
        ("liqmon_publish_seconds_count", ()): 1,
        ("liqmon_publish_seconds_bucket", ("0.002",)): 0,
        ("liqmon_publish_seconds_bucket", ("0.005",)): 1,
        ("liqmon_kernel_events_total", ()): 256,
        ("liqmon_kernel_batch_seconds_count", ()): 1,
        ("liqmon_loop_lag_seconds_sum", ()): 0.25,
        ("liqmon_recording_failed", ()): 1,
        ("liqmon_recording_dropped_total", ()): 9,
        ("liqmon_snapshot_timestamp_seconds", ()): 1_760_131_260.5,
        ("liqmon_config_info", ("0123456789abcdef",)): 1,
    }
    assert {series: found[series] for series in expected} == expected


async def test_the_outbox_the_broker_and_readiness_are_read_at_scrape() -> None:
    """Nothing has to be told when the outbox or the readiness changes."""
    registry = CollectorRegistry()
    metrics = daemon(registry)
    outbox = Outbox(1, 10)
    publisher = Publisher(Mqtt(), lambda: Credentials("", ""), outbox)
    metrics.watch_publishing(outbox, publisher)
    readiness = [Readiness(True, True, False, {"okx": True}, ("broker", "venue binance"))]
    metrics.watch_readiness(lambda: readiness[-1])
    outbox.put_alert(AlertEntry("a", "t", b"12345"))
    outbox.put_alert(AlertEntry("b", "t", b"12345"))
    outbox.put_state("s", b"123")
    publisher.connects = 4
    found = scraped(registry)
    expected: Series = {
        ("liqmon_outbox_messages", ("alert",)): 1,
        ("liqmon_outbox_messages", ("state",)): 1,
        ("liqmon_outbox_bytes", ()): 8,
        ("liqmon_outbox_dropped_total", ("alert",)): 1,
        ("liqmon_outbox_dropped_total", ("expired",)): 0,
        ("liqmon_broker_connected", ()): 0,
        ("liqmon_broker_connects_total", ()): 4,
        ("liqmon_ready", ()): 0,
        ("liqmon_degraded_parts", ()): 2,
    }
    assert {series: found[series] for series in expected} == expected
    readiness.append(Readiness(True, True, True, {"okx": True}, ()))
    assert scraped(registry)["liqmon_ready", ()] == 1


def test_the_market_is_shown_as_it_is_in_the_picture() -> None:
    """Values, labels, timestamps and NaN of one picture, by content."""
    registry = CollectorRegistry()
    daemon(registry).watch_market(samples.market_view)
    found = scraped(registry)
    expected: Series = {
        ("liqmon_cascade_state", ("BTC", "long")): 3,
        ("liqmon_cascade_state", ("BTC", "short")): 0,
        ("liqmon_pressure_ratio", ("ETH", "long")): 6.25,
        ("liqmon_forced_usd", ("BTC", "long", "1m")): 60_000,
        ("liqmon_forced_orders", ("BTC", "long", "1h")): 3_600_000,
        ("liqmon_confirmers_holding", ("BTC", "long")): 2,
        ("liqmon_confirmers_evaluable_ratio", ("BTC", "long")): 0.8,
        ("liqmon_price_usd", ("BTC",)): 115_250.5,
        ("liqmon_baseline", ("BTC",)): 1,
        ("liqmon_open_interest_usd", ("BTC",)): 24.2e9,
        ("liqmon_open_interest_timestamp_seconds", ("BTC",)): samples.NOW_NS / 1e9 - 4.2,
        ("liqmon_funding_8h_least_ratio", ("BTC",)): 0.0001,
        ("liqmon_funding_8h_most_ratio", ("BTC",)): 0.0002,
        ("liqmon_depth_usd", ("BTC", "10", "bid")): 1.5e6,
        ("liqmon_depth_usd", ("BTC", "100", "ask")): 6.5e6,
        ("liqmon_market_timestamp_seconds", ()): samples.NOW_NS / 1e9,
        ("liqmon_market_forced_usd", ("long", "1m")): 180_000,
        ("liqmon_market_long_share_ratio", ("1m",)): 0.75,
        ("liqmon_cascade_state", ("MARKET", "long")): 3,
        ("liqmon_pressure_ratio", ("MARKET", "short")): 0.25,
        ("liqmon_scale_ratio", ("MARKET",)): 0.0003,
        ("liqmon_market_price_ratio", ()): 0.9875,
        ("liqmon_market_open_interest_usd", ()): 24.2e9,
        ("liqmon_market_breadth_ratio", ("long",)): 0.62,
        ("liqmon_market_breadth_assets", ("long",)): 7,
        ("liqmon_orders_left_out_total", ("late",)): 3,
        ("liqmon_liquidation_orders_total", ("BTC", "okx")): 7,
        ("liqmon_liquidation_usd_total", ("other", "okx")): 1.5e6,
        ("liqmon_stream_flowing", ("market", "okx")): 1,
        ("liqmon_stream_flowing", ("public", "okx")): 0,
        ("liqmon_events_total", ("trade", "bybit")): 1000,
        ("liqmon_malformed_total", ("not json", "bybit")): 1,
        ("liqmon_not_used_total", ("retired topic", "bybit")): 5,
    }
    assert {series: found[series] for series in expected} == pytest.approx(expected)
    unknown = {
        ("liqmon_spot_price_usd", ("BTC",)),
        ("liqmon_basis_ratio", ("BTC",)),
        ("liqmon_episode_forced_usd", ("BTC", "short")),
        ("liqmon_cascade_state_since_timestamp_seconds", ("BTC", "short")),
        ("liqmon_stream_last_useful_timestamp_seconds", ("public", "okx")),
    }
    assert {series for series in unknown if not math.isnan(found[series])} == set()


def test_state_numbers_are_in_the_help() -> None:
    """Who reads a 3 finds ONSET beside it, and the numbers never move."""
    assert families.CASCADE_STATE.help == (
        "State of the ladder: 0 QUIET, 1 NOTICE, 2 BUILDING, 3 ONSET, 4 CASCADING, "
        "5 EXHAUSTING, 6 EXHAUSTED, 7 FIZZLED, 8 UNCONFIRMED"
    )
    assert list(families.STATE_NUMBERS) == list(State)
    assert families.BASELINE_NUMBERS == {
        Baseline.PRIOR: 0,
        Baseline.PARTIAL: 1,
        Baseline.OWN: 2,
    }


def test_an_asset_that_is_gone_leaves_no_series() -> None:
    """The next picture is the whole truth, and without a picture there is no market."""
    views: list[MarketView | None] = [samples.market_view()]
    registry = CollectorRegistry()
    daemon(registry).watch_market(lambda: views[-1])
    assert ("liqmon_price_usd", ("ETH",)) in scraped(registry)
    views.append(samples.market_view(assets=("BTC",)))
    found = scraped(registry)
    assert ("liqmon_price_usd", ("BTC",)) in found
    assert not [labels for _name, labels in found if "ETH" in labels]
    views.append(None)
    assert not [name for name, _labels in scraped(registry) if name == "liqmon_price_usd"]


async def test_14_venues_and_20_assets_stay_within_the_budget() -> None:
    """At most 2,000 series in all, with every reason and every venue's every asset."""
    registry = CollectorRegistry()
    with_everything(registry, samples.market_view(VENUES, ASSETS))
    found = scraped(registry)
    families_by_size = Counter(name for name, _labels in found).most_common(5)
    assert len(found) <= 2000, families_by_size
    assert families_by_size[0] == ("liqmon_liquidation_orders_total", 14 * 21)


def test_the_market_is_no_asset_among_the_totals() -> None:
    """Sums over assets count nothing twice: MARKET has a ladder and a scale, and no amounts."""
    registry = CollectorRegistry()
    daemon(registry).watch_market(samples.market_view)
    found = {name for name, labels in scraped(registry) if "MARKET" in labels}
    assert found == {
        "liqmon_cascade_state",
        "liqmon_cascade_state_since_timestamp_seconds",
        "liqmon_pressure_ratio",
        "liqmon_forced_open_interest_ratio",
        "liqmon_episode_forced_usd",
        "liqmon_confirmers_holding",
        "liqmon_confirmers_evaluable_ratio",
        "liqmon_scale_ratio",
        "liqmon_baseline",
        "liqmon_open_interest_change_5m_ratio",
    }


def test_a_watch_list_without_a_market_has_no_series_of_it() -> None:
    """Too few assets make no market: none of its series stands there, not even as NaN."""
    view = samples.market_view()
    registry = CollectorRegistry()
    few = msgspec.structs.replace(view, whole=None, no_whole="too few", breadth={})
    daemon(registry).watch_market(lambda: few)
    found = scraped(registry)
    assert not [name for name, labels in found if "MARKET" in labels or "breadth" in name]
    assert ("liqmon_market_price_ratio", ()) not in found
    assert ("liqmon_market_forced_usd", ("long", "1m")) in found


async def test_a_scrape_costs_little_beside_its_rendering() -> None:
    """What is ours of a full scrape costs less than the library's rendering of it."""
    registry = CollectorRegistry()
    with_everything(registry, samples.market_view(VENUES, ASSETS))
    collected = list(registry.collect())
    ready_made = CollectorRegistry()
    ready_made.register(Collected(collected))
    assert len(generate_latest(ready_made)) > 0.9 * len(generate_latest(registry))
    assert least_s(registry) < 2.0 * least_s(ready_made)


class Collected(Collector):
    """Families that cost nothing to collect."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families


def least_s(registry: CollectorRegistry) -> float:
    """CPU seconds of the quickest of several scrapes."""
    took_s = []
    for _ in range(9):
        began = time.process_time()
        generate_latest(registry)
        took_s.append(time.process_time() - began)
    return min(took_s)


async def test_the_catalogue_lists_what_is_shown_and_nothing_else() -> None:
    """Names and labels of a full scrape and of the catalogue are the same."""
    registry = CollectorRegistry()
    with_everything(registry, samples.market_view())
    shown: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            shown.setdefault(sample.name, set()).update(set(sample.labels) - {"le"})
    listed = {name: set(family.labels) for family in catalogue() for name in family.series}
    assert shown == listed


def test_names_keep_the_rules() -> None:
    """Prefix, units and counters' endings are those of the design, and every metric has help."""
    for family in families.FAMILIES:
        assert family.name.startswith("liqmon_")
        assert family.help
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert (
            "asset" not in family.labels
            or "venue" not in family.labels
            or family
            in (
                families.LIQUIDATION_ORDERS,
                families.LIQUIDATION_USD,
            )
        )
    names = [family.name for family in families.FAMILIES]
    assert sorted(names) == sorted(set(names))
    assert msgspec.structs.replace(families.PRICE, kind="histogram").series == (
        "liqmon_price_usd_bucket",
        "liqmon_price_usd_sum",
        "liqmon_price_usd_count",
    )
