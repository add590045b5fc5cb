"""Which hosts the simulation stands in for, and whose venue answers there."""

from collections.abc import Mapping

# Origin of the real venue -> the path prefix under which the simulation serves it.
ORIGINS = {
    "wss://fstream.binance.com": "fstream.binance.com",
    "wss://dstream.binance.com": "dstream.binance.com",
    "wss://stream.binance.com:9443": "stream.binance.com",
    "wss://data-stream.binance.vision": "data-stream.binance.vision",
    "https://fapi.binance.com": "fapi.binance.com",
    "https://dapi.binance.com": "dapi.binance.com",
    "https://api.binance.com": "api.binance.com",
    "https://data-api.binance.vision": "data-api.binance.vision",
    "wss://stream.bybit.com": "stream.bybit.com",
    "https://api.bybit.com": "api.bybit.com",
    "wss://ws.okx.com:8443": "ws.okx.com",
    "https://openapi.okx.com": "openapi.okx.com",
    "https://www.okx.com": "www.okx.com",
}
_SPOT_HOSTS = {
    "stream.binance.com",
    "data-stream.binance.vision",
    "api.binance.com",
    "data-api.binance.vision",
}


def wire_of(host: str) -> str:
    """Whose wire is spoken at a host: binance, bybit or okx; empty for a stranger."""
    for name in ("binance", "bybit", "okx"):
        if name in host:
            return name
    return ""


def venue_of(host: str, path: str, query: Mapping[str, str]) -> str:
    """The venue, as faults and counts name it, of a request."""
    name = wire_of(host)
    if host in _SPOT_HOSTS:
        return "binance_spot"
    if name == "bybit" and (path.endswith("/spot") or query.get("category") == "spot"):
        return "bybit_spot"
    return name
