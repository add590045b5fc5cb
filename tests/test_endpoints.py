"""Where addresses lead."""

import pytest

from monitor.collect.endpoints import is_loopback, routed

ENDPOINTS = {
    "wss://fstream.binance.com": "ws://127.0.0.1:9001/fstream.binance.com",
    "wss://ws.okx.com:8443": "ws://127.0.0.1:9001/ws.okx.com/",
}


@pytest.mark.parametrize(
    ("url", "led_to"),
    [
        (
            "wss://fstream.binance.com/market/stream?streams=a/b",
            "ws://127.0.0.1:9001/fstream.binance.com/market/stream?streams=a/b",
        ),
        ("wss://ws.okx.com:8443/ws/v5/public", "ws://127.0.0.1:9001/ws.okx.com/ws/v5/public"),
        ("wss://fstream.binance.com", "ws://127.0.0.1:9001/fstream.binance.com"),
        ("wss://fstream.binance.com.evil/x", "wss://fstream.binance.com.evil/x"),
        ("https://fstream.binance.com/x", "https://fstream.binance.com/x"),
    ],
)
def test_only_the_named_origin_is_led_elsewhere(url: str, led_to: str) -> None:
    """Scheme, host and port must agree; path and query come along unchanged."""
    assert routed(url, ENDPOINTS) == led_to


def test_loopback_is_known_by_its_host() -> None:
    """Only this machine's own addresses are loopback."""
    assert is_loopback("ws://127.0.0.1:80/x")
    assert is_loopback("http://localhost/x")
    assert is_loopback("ws://[::1]:80/x")
    assert not is_loopback("wss://127.0.0.1.example.com/x")
