"""Payloads and topics: the bytes the outside sees, against golden files and their schema."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detect.verdict import Coverage, Evidence
from monitor.publish import alert, state
from tests import samples

GOLDEN = Path(__file__).parent / "golden"


def info() -> state.Info:
    """What a daemon of two assets says of itself."""
    return state.Info(
        version="0.1.0",
        config_digest="0123456789abcdef",
        started_time_ms=1_760_131_000_000,
        speed=1.0,
        venues=("binance", "bybit", "okx"),
        assets=("BTC", "ETH"),
    )


def health() -> state.Health:
    """A daemon without one of its venues."""
    return state.Health(
        time_ms=1_760_131_260_123,
        ready=True,
        degraded=("venue okx",),
        uptime_s=260.0,
        frames=94_000,
        frames_per_s=812.5,
        loop_lag_s=0.0004,
        outbox_alerts=0,
        outbox_dropped={"alert": 0, "expired": 0, "state": 3},
        recording=False,
        rss_bytes=210_000_000,
    )


# file -> (payload type, the bytes as published)
PAYLOADS: dict[str, tuple[type[msgspec.Struct], Callable[[], bytes]]] = {
    "alert.json": (alert.Alert, lambda: alert.encode(samples.verdict())),
    "asset_state.json": (
        state.AssetState,
        lambda: state.asset_state(samples.asset_view(), samples.NOW_NS),
    ),
    "market_state.json": (state.MarketState, lambda: state.market_state(samples.market_view())),
    "status.json": (state.Status, lambda: state.status(state.Presence.OFFLINE)),
    "info.json": (state.Info, lambda: alert.encode_payload(info())),
    "health.json": (state.Health, lambda: alert.encode_payload(health())),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_bytes_are_those_of_the_golden_file(name: str) -> None:
    """A change of any published byte is a change of the contract, made on purpose."""
    _type, payload = PAYLOADS[name]
    assert (GOLDEN / name).read_bytes() == payload() + b"\n"


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_golden_bytes_keep_their_schema(name: str) -> None:
    """The published JSON Schema describes what is published."""
    payload_type, _payload = PAYLOADS[name]
    content = orjson.loads((GOLDEN / name).read_bytes())
    schema = alert.schema(payload_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    described = schema["$defs"][payload_type.__name__]
    assert sorted(described["properties"]) == sorted(content)
    for name_of_field in described["required"]:
        lacking = {key: value for key, value in content.items() if key != name_of_field}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(lacking, schema)


def test_an_alert_carries_all_the_evidence() -> None:
    """No field of the verdict's evidence or coverage is lost on the way out."""
    assert alert.AlertEvidence.__struct_fields__ == Evidence.__struct_fields__
    assert alert.AlertCompleteness.__struct_fields__ == Coverage.__struct_fields__


def test_every_null_has_a_reason() -> None:
    """NaN goes out as null, and `evidence.unknown` says why, even if the core did not."""
    evidence = orjson.loads(alert.encode(samples.verdict()))["evidence"]
    nulls = {name for name, value in evidence.items() if value is None}
    assert nulls == {"depth_ratio", "half_life_s", "rewave_probability"}
    assert evidence["unknown"] == {
        "depth_ratio": "no_book",
        "half_life_s": "not_known",
        "rewave_probability": "not_known",
    }
    assert evidence["venues"] == {"binance": 30_250_000.25, "bybit": None, "okx": 15_000_000.25}


def test_times_are_milliseconds_outside() -> None:
    """Nanoseconds inside become integer milliseconds, rounded down."""
    content = orjson.loads(alert.encode(samples.verdict()))
    assert (content["event_time_ms"], content["detected_time_ms"]) == (
        1_760_131_258_987,
        1_760_131_259_012,
    )


def test_the_log_line_has_no_version_and_nine_digits() -> None:
    """The alert log is the payload without version, rounded, one line each."""
    line = alert.log_line(samples.verdict())
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    content = orjson.loads(line)
    published = orjson.loads(alert.encode(samples.verdict()))
    assert list(content) == [name for name in published if name != "schema_version"]
    assert content["evidence"]["forced_60s_ratio"] == 0.00187512346
    assert published["evidence"]["forced_60s_ratio"] == 0.00187512345678
    assert b'"move_ratio":0.0' in line
    assert content["event_time_ms"] == published["event_time_ms"]


@settings(max_examples=200, deadline=None)
@given(st.floats(min_value=1e-12, max_value=1e15), st.floats(-4e-10, 4e-10))
def test_the_last_bits_do_not_reach_the_log(value: float, error: float) -> None:
    """Numbers closer than the ninth digit make log lines at most one unit of it apart."""

    def logged(number: float) -> float:
        evidence = msgspec.structs.replace(samples.evidence(), price=number)
        line = alert.log_line(msgspec.structs.replace(samples.verdict(), evidence=evidence))
        price: float = orjson.loads(line)["evidence"]["price"]
        return price

    assert logged(logged(value)) == logged(value)
    assert math.isclose(logged(value), value, rel_tol=5.1e-9)
    assert math.isclose(logged(value), logged(value * (1 + error)), rel_tol=1.1e-8)


@pytest.mark.parametrize(
    ("asset", "level"),
    [
        ("BTC", "BTC"),
        ("MARKET", "MARKET"),
        ("A+B#/C", "A_B__C"),
        ("币安人生", "币安人生"),
        ("", "_"),
    ],
)
def test_a_topic_is_one_level_an_asset(asset: str, level: str) -> None:
    """No asset's name can add a level to a topic or a wildcard."""
    verdict = samples.verdict(asset=asset)
    assert alert.topic("house/liqmon", verdict) == f"house/liqmon/alerts/{level}/cascade"
    assert state.asset_topic("liqmon", asset) == f"liqmon/assets/{level}/state"


def test_the_longs_share_is_not_known_where_nothing_was_forced() -> None:
    """Zero over zero is null, three of four is 0.75."""
    content: Any = orjson.loads(state.market_state(samples.market_view()))
    assert content["windows"]["1h"]["long_share_ratio"] == 0.75
    assert content["other"]["1h"]["long_share_ratio"] is None


def test_the_market_has_the_form_of_an_asset() -> None:
    """Whoever reads an asset's state can read the market's; what it has none of is null."""
    content: Any = orjson.loads(state.market_state(samples.market_view()))
    asset = orjson.loads(state.asset_state(samples.asset_view(), samples.NOW_NS))
    assert list(content["whole"]) == list(asset)
    assert content["whole"]["asset"] == "MARKET"
    assert content["whole"]["open_interest"]["base"] is None
    assert content["breadth"] == {
        "long": {"ratio": 0.62, "assets": 7},
        "short": {"ratio": None, "assets": None},
    }
    assert content["unknown"] == {}


def test_a_market_that_is_none_says_why() -> None:
    """Where too few assets are watched there is no ladder, and the state has the reason."""
    view = msgspec.structs.replace(
        samples.market_view(), whole=None, no_whole="fewer than 3 watched assets", breadth={}
    )
    content: Any = orjson.loads(state.market_state(view))
    assert (content["whole"], content["breadth"]) == (None, {})
    assert content["unknown"] == {"whole": "fewer than 3 watched assets"}


def test_what_never_happened_has_no_time() -> None:
    """A stream that never connected shows null, not 1970."""
    content: Any = orjson.loads(state.market_state(samples.market_view()))
    never = content["streams"][-1]
    assert never == {
        "venue": "okx",
        "session": "public",
        "state": "connecting",
        "detail": "HTTP 429",
        "connected_time_ms": None,
        "last_useful_time_ms": None,
        "frames": 0,
        "malformed": 0,
        "reconnects": 0,
    }
